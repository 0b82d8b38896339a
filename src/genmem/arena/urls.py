"""All URLs of the site."""

from __future__ import annotations

from allauth.account import views as accounts
from django.urls import include, path, re_path

from genmem.arena.core import errors
from genmem.arena.pages import views as pages
from genmem.arena.teams import views as teams

_ACCOUNTS = [
    path("login/", accounts.login, name="account_login"),
    path("logout/", accounts.logout, name="account_logout"),
    path("signup/", accounts.signup, name="account_signup"),
    path("inactive/", accounts.account_inactive, name="account_inactive"),
    path("reauthenticate/", accounts.reauthenticate, name="account_reauthenticate"),
    path("email/", accounts.email, name="account_email"),
    path(
        "confirm-email/", accounts.email_verification_sent, name="account_email_verification_sent"
    ),
    re_path(
        r"^confirm-email/(?P<key>[-:\w]+)/$", accounts.confirm_email, name="account_confirm_email"
    ),
    path("password/change/", accounts.password_change, name="account_change_password"),
    path("password/set/", accounts.password_set, name="account_set_password"),
    path("password/reset/", accounts.password_reset, name="account_reset_password"),
    path("password/reset/done/", accounts.password_reset_done, name="account_reset_password_done"),
    re_path(
        r"^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        accounts.password_reset_from_key,
        name="account_reset_password_from_key",
    ),
    path(
        "password/reset/key/done/",
        accounts.password_reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
]
_COMPETITION = [
    path("", include("genmem.arena.pages.urls")),
    path("", include("genmem.arena.leaderboards.urls")),
    path("", include("genmem.arena.teams.urls")),
    path("", include("genmem.arena.submissions.urls")),
    path("", include("genmem.arena.scoring.urls")),
    path("moderation/", include("genmem.arena.moderation.urls")),
    path("ratings/", include("genmem.arena.ratings.urls")),
    path("export/", include("genmem.arena.export.urls")),
]
urlpatterns = [
    path("", pages.home, name="home"),
    path("accounts/", include(_ACCOUNTS)),
    path("", include("genmem.arena.accounts.urls")),
    path("invitations/<str:token>/", teams.invitation, name="invitation"),
    path("competitions/new/", pages.create, name="create competition"),
    path("c/<slug:slug>/", include(_COMPETITION)),
    path("api/", include("genmem.arena.api.urls")),
]
handler400 = errors.bad_request
handler403 = errors.forbidden
handler404 = errors.not_found
handler500 = errors.server_error
