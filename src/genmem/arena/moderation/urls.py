"""Addresses of the desk, below a competition's."""

from django.urls import path

from genmem.arena.moderation import distance_views, entry_views, views

urlpatterns = [
    path("", views.queue, name="moderation"),
    path("next/", views.next_entry, name="next submission"),
    path("distances/<str:kind>/", distance_views.distances, name="distances"),
    path("distances/<str:kind>/moves/", distance_views.distance_moves, name="distance moves"),
    path("distances/<str:kind>/apply/", distance_views.apply, name="apply tau"),
    path("submissions/<uuid:pk>/", entry_views.entry, name="review"),
    path("submissions/<uuid:pk>/label/", entry_views.label, name="label"),
    path("submissions/<uuid:pk>/note/", entry_views.note, name="note"),
    path("submissions/<uuid:pk>/decision/", entry_views.decision, name="decide"),
    path(
        "submissions/<uuid:pk>/images/<str:kind>/<int:place>/<str:whose>/",
        entry_views.image,
        name="review image",
    ),
    path("decisions/", views.decisions, name="decisions"),
    path("decisions/<int:pk>/rebuttal/", views.send_rebuttal, name="rebut"),
    path("rebuttals/<int:pk>/answer/", views.answer_rebuttal, name="answer rebuttal"),
    path("log/", views.log, name="audit log"),
]
