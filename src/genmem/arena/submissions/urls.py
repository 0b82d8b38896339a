"""URLs of uploads, below a competition."""

from django.urls import path

from genmem.arena.submissions import tus, views

urlpatterns = [
    path("submissions/new/", views.new, name="new submission"),
    path("uploads/", tus.uploads, name="uploads"),
    path("uploads/<uuid:pk>/", tus.upload, name="upload"),
]
