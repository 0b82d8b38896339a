"""Addresses of the ratings pages, below a competition's."""

from django.urls import path

from genmem.arena.ratings import desk_views, views

urlpatterns = [
    path("", views.rounds, name="ratings"),
    path("new/", desk_views.new, name="new rating round"),
    path("images/<str:token>.png", views.images, name="rating images"),
    path("<int:pk>/", views.rate, name="rate"),
    path("<int:pk>/results/", desk_views.results, name="rating results"),
    path("<int:pk>/ratings.csv", desk_views.export, name="rating export"),
    path("<int:pk>/close/", desk_views.close, name="close rating round"),
]
