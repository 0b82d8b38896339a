"""Addresses of one's own account, and of invitations."""

from django.urls import path

from genmem.arena.people import views

urlpatterns = [
    path("account/", views.account, name="account"),
    path("invitations/<str:token>/", views.invitation, name="invitation"),
]
