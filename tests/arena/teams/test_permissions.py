"""Every address of the site, asked for as each kind of person: what is reachable and what not."""

import uuid
from contextlib import contextmanager

import pytest

pytestmark = pytest.mark.usefixtures("database")

WHO = ("anonymous", "stranger", "other team", "member", "reviewer", "organizer", "staff")

OPEN = [200] * 7
SIGN_IN = ["in", 200, 200, 200, 200, 200, 200]
IN_TEAM = ["in", "team", 200, 200, "team", "team", "team"]
ORGANIZERS = ["in", 403, 403, 403, 403, 200, 200]
MODERATION = ["in", 403, 403, 403, 200, 200, 200]
PAGES = {
    "home": OPEN,
    "competition": OPEN,
    "leaderboard": OPEN,
    "private leaderboard": [403, 403, 403, 403, 200, 200, 200],
    "rank history": ["in", 403, 403, 403, "team", "team", "team"],
    "team": SIGN_IN,
    "submissions": IN_TEAM,
    "submission": ["in", 404, 404, 200, 200, 200, 200],
    "run log": ["in", 404, 404, 200, 200, 200, 200],
    "new submission": IN_TEAM,
    "finals": IN_TEAM,
    "set up": ORGANIZERS,
    "set up split": ORGANIZERS,
    "set up roles": ORGANIZERS,
    "moderation": MODERATION,
    "next submission": ["in", 403, 403, 403, "away", "away", "away"],
    "distances": MODERATION,
    "threshold preview": MODERATION,
    "review": MODERATION,
    "review image": MODERATION,
    "decisions": MODERATION,
    "audit log": MODERATION,
    "ratings": SIGN_IN,
    "new rating round": ORGANIZERS,
    "rate": SIGN_IN,
    "rating images": ["in", 404, 404, 404, 200, 404, 404],
    "rating results": ORGANIZERS,
    "ratings csv": ORGANIZERS,
    "export": ORGANIZERS,
    "export file": ORGANIZERS,
    "create competition": ["in", 403, 403, 403, 403, 403, 200],
    "account": SIGN_IN,
    "api": OPEN,
    "invitation": SIGN_IN,
    "account_email": SIGN_IN,
    "account_change_password": SIGN_IN,
    "account_reauthenticate": SIGN_IN,
    "account_login": [200, *["away"] * 6],
    "account_signup": [200, *["away"] * 6],
    "account_logout": ["away", *[200] * 6],
    "account_set_password": ["in", *["away"] * 6],
    "account_inactive": OPEN,
    "account_reset_password": OPEN,
    "account_reset_password_done": OPEN,
    "account_reset_password_from_key": OPEN,
    "account_reset_password_from_key_done": OPEN,
    "account_email_verification_sent": OPEN,
    "account_confirm_email": OPEN,
}
"""By the name of the address: what each of `WHO` gets. "in": sign in first, "team": make one."""

POSTS = {
    "create team": ["in", "does", "does", "does", "does", "does", "does"],
    "invite": ["in", 404, "does", "does", 404, 404, 404],
    "leave team": ["in", 404, "does", "does", 404, 404, 404],
    "request merge": ["in", 404, "does", "does", 404, 404, 404],
    "withdraw invitation": ["in", 404, 404, "does", 404, 404, 404],
    "accept merge": ["in", 404, 404, "does", 404, 404, 404],
    "cancel merge": ["in", 404, 404, "does", 404, 404, 404],
    "retry submission": ["in", 403, 403, 403, 403, "does", "does"],
    "retry rescores": ["in", 403, 403, 403, 403, "does", "does"],
    "create token": ["in", *[200] * 6],
    "revoke token": ["in", 404, 404, "does", 404, 404, 404],
    "uploads": [401, *[412] * 6],
    "upload": [405] * 7,
    "open private leaderboard": ["in", 403, 403, 403, 403, "does", "does"],
    "change threshold": ["in", 403, 403, 403, 403, "does", "does"],
    "label": ["in", 403, 403, 403, "does", "does", "does"],
    "note": ["in", 403, 403, 403, "does", "does", "does"],
    "decide": ["in", 403, 403, 403, 403, "does", "does"],
    "answer rebuttal": ["in", 403, 403, 403, 403, "does", "does"],
    "rebut": ["in", 404, 404, "does", 404, 404, 404],
    "close rating round": ["in", 403, 403, 403, 403, "does", "does"],
}
"""Addresses that take a form only; "does": it is taken, and leads back to a page."""


@pytest.fixture
def world(competition):
    """A competition with two teams and everybody else; what the addresses need."""
    from django.test import Client

    from genmem.arena.accounts.tokens import create_token
    from genmem.arena.scoring.reference_features import store_bytes
    from genmem.arena.teams.models import MergeRequest, Role
    from genmem.arena.teams.teams import invite

    from ..export.factories import an_export
    from ..factories import a_team, a_user, captain, scored, signed_in
    from ..moderation.factories import disqualified_and_rebutted, keep_distances
    from ..ratings.factories import a_page

    mine, other, third = (a_team(competition, name) for name in ("mine", "other", "third"))
    people = {
        "stranger": a_user("stranger"),
        "other team": captain(other),
        "member": captain(mine),
        "reviewer": a_user("reviewer"),
        "organizer": a_user("organizer"),
        "staff": a_user("staff", is_staff=True),
    }
    for role in ("reviewer", "organizer"):
        Role.objects.create(competition=competition, user=people[role], role=role)
    invitation = invite(mine, captain(mine), "friend@example.org")
    merge = MergeRequest.objects.create(team=third, into=mine)
    submission = scored(mine, 20.0, private=98.7654)
    store_bytes(b"it ran", f"logs/{submission.pk}.log")
    keep_distances(submission)
    rebuttal = disqualified_and_rebutted(mine)
    page = a_page(submission, people["reviewer"])
    rounds = ("rate", "rating results", "ratings csv", "close rating round")
    arguments = {
        **{name: ["dogs", page.rater.round.pk] for name in rounds},
        "rating images": ["dogs", page.token],
        "export file": ["dogs", an_export(competition)],
        "distances": ["dogs", "private"],
        "threshold preview": ["dogs", "private"],
        "change threshold": ["dogs", "private"],
        **{name: ["dogs", submission.pk] for name in ("review", "label", "note", "decide")},
        "review image": ["dogs", submission.pk, "private", 0, "submitted"],
        "rebut": ["dogs", rebuttal.decision.pk],
        "answer rebuttal": ["dogs", rebuttal.pk],
        "submission": ["dogs", submission.pk],
        "run log": ["dogs", submission.pk],
        "retry submission": ["dogs", submission.pk],
        "retry rescores": ["dogs", "private"],
        "rank history": ["dogs", "private"],
        "set up split": ["dogs", "private"],
        "invitation": [invitation.token],
        "withdraw invitation": ["dogs", invitation.pk],
        "accept merge": ["dogs", merge.pk],
        "cancel merge": ["dogs", merge.pk],
        "revoke token": [create_token(people["member"], "laptop")[0].pk],
        "upload": ["dogs", uuid.uuid4()],
        "account_confirm_email": ["no-such-key"],
        "account_reset_password_from_key": ["a", "b-c"],
        **{name: [] for name in ("home", "create competition", "account", "api", "create token")},
    }
    clients = {"anonymous": Client()} | {who: signed_in(one) for who, one in people.items()}
    return clients, arguments


def address(name, arguments):
    from django.urls import reverse

    given = [] if name.startswith("account_") else ["dogs"]
    return reverse(name, args=arguments.get(name, given))


def named_addresses():
    from django.urls import get_resolver

    return {name for name in get_resolver().reverse_dict if isinstance(name, str)}


def test_every_address_is_in_this_walk():
    assert named_addresses() == set(PAGES) | set(POSTS)


def kind(answer):
    if answer.status_code != 302:
        return answer.status_code
    if answer.url.startswith("/accounts/login/"):
        return "in"
    return "team" if answer.url == "/c/dogs/team/" else "away"


@contextmanager
def undone():
    """Whatever the block writes is gone after it: each address finds the world as it was built."""
    from django.db import transaction

    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def test_every_page_is_reachable_by_those_it_is_for(world):
    clients, arguments = world
    answers = {}
    for name in PAGES:
        with undone():
            answers[name] = [kind(clients[who].get(address(name, arguments))) for who in WHO]
    assert answers == PAGES


def test_every_change_can_be_made_by_those_it_is_for(world):
    clients, arguments = world
    form = {"name": "third", "email": "x@example.org"}
    answers = {name: [] for name in POSTS}
    for name in POSTS:
        where = address(name, arguments)
        for who in WHO:
            with undone():
                assert clients[who].get(where).status_code in (302, 405), (name, who)
                answer = kind(clients[who].post(where, form))
            answers[name].append({"team": "does", "away": "does"}.get(answer, answer))
    assert answers == POSTS


@pytest.mark.parametrize("who", ["anonymous", "stranger", "other team", "member"])
def test_no_page_shows_a_participant_the_private_split(world, who):
    clients, arguments = world
    for name in PAGES:
        shown = clients[who].get(address(name, arguments), follow=True).content.decode()
        assert "98.765" not in shown, name
        assert "0.25" not in shown, name
        assert "log of private" not in shown, name


@pytest.mark.parametrize("who", ["anonymous", "stranger", "other team"])
def test_no_page_shows_another_teams_submission(world, who):
    clients, arguments = world
    number = str(arguments["submission"][1])
    for name in set(PAGES) - {"account_login"}:
        answer = clients[who].get(address(name, arguments))
        if answer.status_code == 200:
            assert number not in answer.content.decode(), name
            assert "log of" not in answer.content.decode(), name


def test_private_scores_are_shown_to_their_team_once_the_board_is_open(world, competition):
    from genmem.arena.competitions.setup import set_private_leaderboard_open

    clients, arguments = world
    where = address("submission", arguments)
    assert "98.765" not in clients["member"].get(where).content.decode()
    set_private_leaderboard_open(competition, True, actor=None)
    shown = clients["member"].get(where).content.decode()
    assert "98.765" in shown
    assert "log of private score" in shown
    assert clients["anonymous"].get("/c/dogs/leaderboard/private/").status_code == 200
    assert clients["other team"].get(where).status_code == 404


def test_a_submission_is_not_found_under_another_competition(world):
    from ..factories import a_competition

    clients, arguments = world
    a_competition("cats")
    where = address("submission", arguments).replace("/dogs/", "/cats/")
    for who in WHO[1:]:
        assert clients[who].get(where).status_code == 404


def test_a_reviewer_sees_submissions_and_changes_nothing(world):
    clients, arguments = world
    assert "98.765" in clients["reviewer"].get(address("submission", arguments)).content.decode()
    assert clients["reviewer"].post("/c/dogs/setup/", {}).status_code == 403


@pytest.mark.parametrize("name", ["home", "competition", "leaderboard", "account_login"])
def test_every_answer_forbids_what_comes_from_elsewhere(world, name):
    clients, arguments = world
    answer = clients["anonymous"].get(address(name, arguments))
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert "style=" not in answer.content.decode()


def test_pages_of_people_are_kept_by_no_cache(world):
    clients, _ = world
    assert clients["member"].get("/c/dogs/").headers["Cache-Control"] == "private, no-store"


def test_what_breaks_is_a_page_that_asks_nothing_of_the_database(world, monkeypatch):
    from django.db import connection

    from genmem.arena.leaderboards import views

    def fail(*_):
        raise RuntimeError("broken")

    clients, _ = world
    monkeypatch.setattr(views, "leaderboard_rows", fail)
    clients["member"].raise_request_exception = False
    answer = clients["member"].get("/c/dogs/leaderboard/")
    assert answer.status_code == 500
    assert "Something broke on our side" in answer.content.decode()
    with connection.execute_wrapper(fail):
        from genmem.arena.core.errors import server_error

        assert server_error(answer.wsgi_request).status_code == 500


def test_what_is_not_there_is_a_page_that_says_so(world):
    clients, _ = world
    for where in ("/nothing/", "/c/nothing/", f"/c/dogs/submissions/{uuid.uuid4()}/"):
        answer = clients["member"].get(where)
        assert answer.status_code == 404
        assert "There is nothing here" in answer.content.decode()
