"""Addresses of releases, below a competition's."""

from django.urls import path

from genmem.arena.export import views

urlpatterns = [
    path("", views.releases, name="releases"),
    path("<str:token>.zip", views.fetch, name="release file"),
]
