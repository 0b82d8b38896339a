"""Addresses of releases, below a competition's."""

from django.urls import path

from genmem.arena.release import views

urlpatterns = [
    path("", views.releases, name="releases"),
    path("<str:token>.zip", views.fetch, name="release file"),
]
