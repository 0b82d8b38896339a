"""Addresses of one competition's own pages."""

from django.urls import path

from genmem.arena.competitions import setup_views, views

urlpatterns = [
    path("", views.overview, name="competition"),
    path("setup/", setup_views.edit, name="set up"),
    path("setup/splits/<str:kind>/", setup_views.split, name="set up split"),
    path("setup/people/", setup_views.people, name="set up people"),
    path("setup/private-board/", setup_views.private_board, name="open private board"),
]
