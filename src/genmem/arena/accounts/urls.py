"""URLs of one's own account."""

from django.urls import path

from genmem.arena.accounts import views

urlpatterns = [
    path("account/", views.account, name="account"),
    path("account/tokens/", views.create_token, name="new token"),
    path("account/tokens/<int:pk>/take-back/", views.revoke_token, name="take back token"),
]
