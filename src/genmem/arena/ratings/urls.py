"""URLs of the ratings pages, below a competition's."""

from django.urls import path

from genmem.arena.ratings import views

urlpatterns = [
    path("", views.rounds, name="ratings"),
    path("new/", views.new, name="new rating round"),
    path("images/<str:token>.png", views.images, name="rating images"),
    path("<int:pk>/", views.rate, name="rate"),
    path("<int:pk>/results/", views.results, name="rating results"),
    path("<int:pk>/close/", views.close, name="close rating round"),
]
