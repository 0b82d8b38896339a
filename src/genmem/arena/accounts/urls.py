"""URLs of one's own account."""

from django.urls import path

from genmem.arena.accounts import views

urlpatterns = [
    path("account/", views.account, name="account"),
    path("account/tokens/", views.create_token, name="create token"),
    path("account/tokens/<int:pk>/revoke/", views.revoke_token, name="revoke token"),
]
