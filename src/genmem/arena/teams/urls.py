"""URLs of teams in a competition."""

from django.urls import path

from genmem.arena.teams import views as views

urlpatterns = [
    path("team/", views.team, name="team"),
    path("team/new/", views.create, name="create team"),
    path("team/invite/", views.invite, name="invite"),
    path("team/leave/", views.leave, name="leave team"),
    path("team/invitations/<int:pk>/withdraw/", views.withdraw, name="withdraw invitation"),
    path("team/merge/", views.request_merge, name="request merge"),
    path("team/merge/<int:pk>/accept/", views.accept_merge, name="accept merge"),
    path("team/merge/<int:pk>/cancel/", views.cancel_merge, name="cancel merge"),
]
