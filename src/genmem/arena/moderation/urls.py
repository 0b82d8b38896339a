"""URLs of moderation, below a competition's."""

from django.urls import path

from genmem.arena.moderation import distance_views, review_views, views

urlpatterns = [
    path("", views.queue, name="moderation"),
    path("next/", views.next_submission, name="next submission"),
    path("distances/<str:kind>/", distance_views.distances, name="distances"),
    path(
        "distances/<str:kind>/preview/", distance_views.threshold_preview, name="threshold preview"
    ),
    path("distances/<str:kind>/apply/", distance_views.apply, name="change threshold"),
    path("submissions/<uuid:pk>/", review_views.review, name="review"),
    path("submissions/<uuid:pk>/label/", review_views.label, name="label"),
    path("submissions/<uuid:pk>/note/", review_views.note, name="note"),
    path("submissions/<uuid:pk>/decision/", review_views.decision, name="decide"),
    path(
        "submissions/<uuid:pk>/images/<str:kind>/<int:position>/<str:origin>/",
        review_views.image,
        name="review image",
    ),
    path("decisions/", views.decisions, name="decisions"),
    path("decisions/<int:pk>/rebuttal/", views.send_rebuttal, name="rebut"),
    path("rebuttals/<int:pk>/answer/", views.send_answer, name="answer rebuttal"),
    path("log/", views.log, name="audit log"),
]
