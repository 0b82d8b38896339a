"""URLs of exports, below a competition's."""

from django.urls import path

from genmem.arena.export import views

urlpatterns = [
    path("", views.exports, name="export"),
    path("<str:token>.zip", views.download, name="export file"),
    path("ratings/<int:pk>.csv", views.ratings_csv, name="ratings csv"),
]
