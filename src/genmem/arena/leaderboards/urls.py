"""URLs of the leaderboards and of the choice of finals, below a competition's."""

from django.urls import path

from genmem.arena.leaderboards import views

urlpatterns = [
    path("leaderboard/", views.public, name="leaderboard"),
    path("leaderboard/private/", views.private, name="private leaderboard"),
    path("leaderboard/<str:kind>/history/", views.history, name="rank history"),
    path("finals/", views.finals, name="finals"),
]
