"""Addresses of the ratings pages, below a competition's."""

from django.urls import path

from genmem.arena.ratings import organizer_views, views

urlpatterns = [
    path("", views.rounds, name="ratings"),
    path("new/", organizer_views.new, name="new rating round"),
    path("images/<str:token>.png", views.images, name="rating images"),
    path("<int:pk>/", views.rate, name="rate"),
    path("<int:pk>/results/", organizer_views.results, name="rating results"),
    path("<int:pk>/ratings.csv", organizer_views.export, name="ratings csv"),
    path("<int:pk>/close/", organizer_views.close, name="close rating round"),
]
