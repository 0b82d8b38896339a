"""Addresses of releases, below a competition's."""

from django.urls import path

from genmem.arena.export import views

urlpatterns = [
    path("", views.releases, name="export"),
    path("<str:token>.zip", views.fetch, name="export file"),
]
