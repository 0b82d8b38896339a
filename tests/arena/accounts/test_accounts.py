"""Accounts: signing up, in and out, a forgotten password, the people who run the site."""

import re

import pytest

from genmem.errors import UsageError

pytestmark = pytest.mark.usefixtures("database")

NEW = {
    "display_name": "Ada Lovelace",
    "email": "Ada@Example.org",
    "password1": "analytical-engine-9",
    "password2": "analytical-engine-9",
}


@pytest.fixture
def client():
    from django.test import Client

    return Client()


def test_signing_up_makes_an_account_and_signs_in(client):
    from genmem.arena.accounts.models import User

    answer = client.post("/accounts/signup/", NEW)
    assert (answer.status_code, answer.url) == (302, "/")
    user = User.objects.get()
    assert (user.email, str(user), user.is_staff) == ("ada@example.org", "Ada Lovelace", False)
    assert "Ada Lovelace" in client.get("/").content.decode()


def test_signing_in_and_out_again(client):
    client.post("/accounts/signup/", NEW)
    client.post("/accounts/logout/")
    assert "Sign in" in client.get("/").content.decode()
    sent = {"login": "ADA@example.org", "password": NEW["password1"]}
    assert client.post("/accounts/login/?next=/account/", sent).status_code == 302
    assert "Ada Lovelace" in client.get("/").content.decode()


def test_a_wrong_password_signs_nobody_in(client):
    client.post("/accounts/signup/", NEW)
    client.post("/accounts/logout/")
    page = client.post("/accounts/login/", {"login": "ada@example.org", "password": "guess"})
    assert page.status_code == 200
    assert 'role="alert"' in page.content.decode()


@pytest.mark.parametrize("password", ["short", "password", "12345678901"])
def test_a_password_that_is_easy_to_guess_is_refused(client, password):
    from genmem.arena.accounts.models import User

    client.post("/accounts/signup/", NEW | {"password1": password, "password2": password})
    assert not User.objects.exists()


def test_a_forgotten_password_is_reset_by_the_link_in_a_mail(client):
    from django.core import mail

    client.post("/accounts/signup/", NEW)
    client.post("/accounts/logout/")
    client.post("/accounts/password/reset/", {"email": "ada@example.org"})
    link = re.search(r"http://testserver(/accounts/password/reset/key/\S+)", mail.outbox[-1].body)
    assert link is not None
    page = client.get(link[1], follow=True)
    where = page.redirect_chain[-1][0]
    sent = {"password1": "difference-engine-7", "password2": "difference-engine-7"}
    client.post(where, sent)
    answer = client.post(
        "/accounts/login/", {"login": "ada@example.org", "password": "difference-engine-7"}
    )
    assert answer.status_code == 302


def test_nobody_signs_up_where_the_settings_say_so(client, monkeypatch):
    from dataclasses import replace

    from django.conf import settings

    monkeypatch.setattr(settings, "ARENA", replace(settings.ARENA, signup=False))
    page = client.post("/accounts/signup/", NEW).content.decode()
    assert "Accounts are made by the organizers" in page
    assert "/accounts/signup/" not in client.get("/").content.decode()


def test_an_organizer_is_made_with_a_password_shown_once(client):
    from genmem.arena.accounts.organizers import create_organizer

    password = create_organizer("Olivia@example.org")
    assert password
    assert create_organizer("olivia@example.org") is None
    sent = {"login": "olivia@example.org", "password": password}
    assert client.post("/accounts/login/", sent).status_code == 302
    assert client.get("/competitions/new/").status_code == 200


def test_an_account_that_is_there_becomes_an_organizers(client):
    from genmem.arena.accounts.models import User
    from genmem.arena.accounts.organizers import create_organizer

    client.post("/accounts/signup/", NEW)
    assert create_organizer("ada@example.org") is None
    assert User.objects.get().is_staff


def test_what_is_no_address_makes_no_organizer():
    from genmem.arena.accounts.organizers import create_organizer

    with pytest.raises(UsageError, match="expected an e-mail address, got 'olivia'"):
        create_organizer("olivia")


def test_a_name_can_be_changed(client):
    client.post("/accounts/signup/", NEW)
    client.post("/account/", {"display_name": "Countess"})
    assert "Countess" in client.get("/").content.decode()
