"""URLs below /api/."""

from django.urls import path

from genmem.arena.api import docs
from genmem.arena.api.routes import api

urlpatterns = [
    path("", docs.page, name="api"),
    path("", api.urls),
]
