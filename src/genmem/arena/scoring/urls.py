"""URLs of scoring, below a competition's."""

from django.urls import path

from genmem.arena.scoring import views

urlpatterns = [
    path("submissions/<uuid:pk>/retry/", views.retry, name="retry submission"),
    path("submissions/<uuid:pk>/log/", views.run_log, name="run log"),
    path("rescores/<str:kind>/retry/", views.retry_failed_rescores, name="retry rescores"),
]
