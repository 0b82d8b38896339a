"""Every route of the REST API, requested by each kind of person."""

import json
import uuid

import pytest

from ..teams.test_permissions import WHO, world

__all__ = ["world"]  # a fixture
pytestmark = pytest.mark.usefixtures("database")

OPEN = [200] * 7
KNOWN = [401, 200, 200, 200, 200, 200, 200]
IN_TEAM = [401, 404, 200, 200, 404, 404, 404]
ONE = "/competitions/{slug}"
BOARD = f"{ONE}/leaderboards/{{kind}}"
ROUTES = {
    ("GET", "/me"): KNOWN,
    ("GET", "/competitions"): OPEN,
    ("GET", ONE): OPEN,
    ("GET", f"{ONE}/leaderboards/public"): OPEN,
    ("GET", f"{ONE}/leaderboards/private"): [403, 403, 403, 403, 200, 200, 200],
    ("GET", f"{ONE}/team"): IN_TEAM,
    ("GET", f"{ONE}/uploads"): IN_TEAM,
    ("GET", f"{ONE}/submissions"): IN_TEAM,
    ("GET", f"{ONE}/submissions/{{number}}"): [401, 404, 404, 200, 200, 200, 200],
    ("GET", f"{ONE}/finals"): IN_TEAM,
    ("PUT", f"{ONE}/finals"): [401, 404, 409, 200, 404, 404, 404],
}
"""What each of `WHO` gets, with a token of theirs."""


@pytest.fixture
def people(world):
    """Everybody's client: a token in every request, and no cookie."""
    from django.test import Client

    from genmem.arena.accounts.tokens import create_token

    clients, arguments = world
    found = {"anonymous": Client()}
    for who in WHO[1:]:
        user = clients[who].get("/account/").wsgi_request.user
        _, text = create_token(user, "test")
        found[who] = Client(headers={"Authorization": f"Bearer {text}"})
    return found, arguments["submission"][1]


def ask(client, method, route, number):
    where = "/api" + route.format(slug="dogs", number=number)
    if method == "GET":
        return client.get(where)
    body = {"submissions": [str(number)]}
    return client.generic(method, where, json.dumps(body), "application/json")


def test_every_route_is_in_this_walk():
    from genmem.arena.api.routes import api

    found = {
        (method.upper(), path.removeprefix("/api"))
        for path, methods in api.get_openapi_schema()["paths"].items()
        for method in methods
    }
    kinds = ("/leaderboards/public", "/leaderboards/private")
    walked = {(m, BOARD if route.removeprefix(ONE) in kinds else route) for m, route in ROUTES}
    assert found == walked


@pytest.mark.parametrize(("method", "route"), ROUTES)
def test_a_route_answers_those_it_is_for(people, method, route):
    clients, number = people
    found = [ask(clients[who], method, route, number).status_code for who in WHO]
    expected = ROUTES[method, route]
    assert dict(zip(WHO, found, strict=True)) == dict(zip(WHO, expected, strict=True))


@pytest.mark.parametrize("who", ["anonymous", "stranger", "other team", "member"])
def test_no_route_shows_a_participant_the_private_split(people, who):
    clients, number = people
    for method, route in ROUTES:
        shown = ask(clients[who], method, route, number).content.decode()
        assert "98.765" not in shown, route
        assert "0.25" not in shown, route
        assert "log of private" not in shown, route


@pytest.mark.parametrize("who", ["anonymous", "stranger", "other team"])
def test_no_route_shows_another_teams_submission(people, who):
    clients, number = people
    for method, route in ROUTES:
        shown = ask(clients[who], method, route, number).content.decode()
        assert str(number) not in shown, route
        assert "log of" not in shown, route


def test_private_scores_are_told_once_the_board_is_open(people, competition):
    from genmem.arena.competitions.setup import set_private_leaderboard_open

    clients, number = people
    where = f"/api/competitions/dogs/submissions/{number}"
    assert set(clients["member"].get(where).json()["scores"]) == {"public"}
    assert set(clients["reviewer"].get(where).json()["scores"]) == {"public", "private"}
    set_private_leaderboard_open(competition, True, actor=None)
    assert clients["member"].get(where).json()["scores"]["private"]["score"] == 98.7654
    assert clients["other team"].get(where).status_code == 404
    assert (
        clients["anonymous"].get("/api/competitions/dogs/leaderboards/private").status_code == 200
    )


def test_a_submission_is_not_found_under_another_competition(people):
    from ..factories import a_competition

    a_competition("cats")
    clients, number = people
    for who in WHO[1:]:
        answer = clients[who].get(f"/api/competitions/cats/submissions/{number}")
        assert answer.status_code == 404


def test_a_browsers_cookie_reads_and_changes_nothing(world):
    clients, arguments = world
    number = arguments["submission"][1]
    where = "/api/competitions/dogs/finals"
    assert clients["member"].get(where).status_code == 200
    answer = ask(clients["member"], "PUT", "/competitions/{slug}/finals", number)
    assert answer.status_code == 401


def test_what_is_not_there_is_json(people):
    clients, _ = people
    for where in ("nothing", f"dogs/submissions/{uuid.uuid4()}", "dogs/leaderboards/third"):
        answer = clients["member"].get(f"/api/competitions/{where}")
        assert answer.status_code == 404
        assert answer.json()["detail"].startswith("There is nothing here")
