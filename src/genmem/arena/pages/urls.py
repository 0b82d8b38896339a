"""URLs of a competition's own pages."""

from django.urls import path

from genmem.arena.pages import setup_views, submission_views, views

urlpatterns = [
    path("", views.overview, name="competition"),
    path("setup/", setup_views.edit, name="set up"),
    path("setup/splits/<str:kind>/", setup_views.split, name="set up split"),
    path("setup/roles/", setup_views.roles, name="set up roles"),
    path(
        "setup/private-leaderboard/",
        setup_views.private_leaderboard,
        name="open private leaderboard",
    ),
    path("submissions/", submission_views.submissions, name="submissions"),
    path("submissions/<uuid:pk>/", submission_views.submission_page, name="submission"),
]
