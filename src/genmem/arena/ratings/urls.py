"""Addresses of the ratings pages, below a competition's."""

from django.urls.resolvers import URLPattern

urlpatterns: list[URLPattern] = []
