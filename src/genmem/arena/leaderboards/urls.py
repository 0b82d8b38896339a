"""Addresses of the boards and of final selections."""

from django.urls import path

from genmem.arena.leaderboards import views

urlpatterns = [
    path("board/", views.public, name="board"),
    path("board/private/", views.private, name="private board"),
    path("board/<str:kind>/history/", views.history, name="rank history"),
    path("finals/", views.finals, name="finals"),
]
