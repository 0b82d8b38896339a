"""Addresses of one's own account, and of invitations."""

from django.urls import path

from genmem.arena.accounts import views

urlpatterns = [
    path("account/", views.account, name="account"),
    path("account/tokens/", views.new_token, name="new token"),
    path("account/tokens/<int:pk>/take-back/", views.drop_token, name="take back token"),
    path("invitations/<str:token>/", views.invitation, name="invitation"),
]
