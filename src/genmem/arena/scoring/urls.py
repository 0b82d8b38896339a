"""Addresses of scoring, below a competition's."""

from django.urls import path

from genmem.arena.scoring import views

urlpatterns = [
    path("submissions/<uuid:pk>/again/", views.again, name="score again"),
    path("submissions/<uuid:pk>/log/", views.log, name="run log"),
    path("setup/splits/<str:kind>/again/", views.anew_again, name="score anew again"),
]
