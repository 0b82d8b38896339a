"""The REST API: responses, OpenAPI document, documentation page, tokens and rate limits."""

import pytest

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def team(competition):
    from ..factories import a_team

    return a_team(competition, "mine", people=2)


@pytest.fixture
def client(team):
    """The captain's, with a token."""
    from django.test import Client

    from genmem.arena.accounts.tokens import create_token

    from ..factories import captain

    _, text = create_token(captain(team), "laptop")
    return Client(headers={"Authorization": f"Bearer {text}"})


def test_a_competition_says_its_limits_and_where_files_go(client):
    told = client.get("/api/competitions/dogs").json()
    assert told["maximum_upload_bytes"] == 100_000
    assert told["kinds"] == ["images"]
    assert told["uploads"] == "/c/dogs/uploads/"
    assert (told["phase"], told["closes_at"]) == ("open", "2026-05-30T12:00:00Z")
    assert [one["slug"] for one in client.get("/api/competitions").json()] == ["dogs"]


def test_my_team_says_what_is_left_today(client, team):
    from ..factories import scored

    scored(team, 1.0)
    told = client.get("/api/competitions/dogs/team").json()
    assert (told["name"], told["used_today"], told["left_today"]) == ("mine", 1, 2)
    assert [one["captain"] for one in told["members"]] == [True, False]


def test_a_file_on_its_way_is_listed_with_what_is_here_of_it(client):
    from ..submissions.tus.client import Sender

    sender = Sender(client)
    where = sender.begin(500, sha256="0" * 64).headers["Location"]
    sender.patch(where, 0, b"x" * 123)
    (told,) = client.get("/api/competitions/dogs/uploads").json()
    assert (told["address"], told["offset"], told["length"]) == (where, 123, 500)
    assert told["sha256"] == "0" * 64


def test_a_submission_has_its_steps_and_scores(client, team):
    from ..factories import scored

    made = scored(team, 20.5, float("nan"))
    told = client.get(f"/api/competitions/dogs/submissions/{made.pk}").json()
    assert told["scores"]["public"]["score"] == 20.5
    assert [step["name"] for step in told["steps"]][:2] == ["validate", "public features"]
    assert [step["log"] for step in told["steps"] if step["name"].startswith("private")] == ["", ""]
    (line,) = client.get("/api/competitions/dogs/submissions").json()
    assert line["id"] == str(made.pk)


def test_a_score_that_is_no_number_is_null(client, team):
    from ..factories import scored

    scored(team, None)
    (row,) = client.get("/api/competitions/dogs/leaderboards/public").json()
    assert (row["rank"], row["score"]) == (None, None)


def test_finals_are_chosen_and_refused_by_the_rules(client, team, time):
    from ..factories import scored

    made = [str(scored(team, score).pk) for score in (1.0, 2.0, 3.0)]
    where = "/api/competitions/dogs/finals"

    def choose(*numbers):
        body = {"submissions": list(numbers)}
        return client.put(where, body, content_type="application/json")

    assert client.get(where).json()["chosen"] is False
    told = choose(made[2]).json()
    assert (told["submissions"], told["chosen"], told["limit"]) == ([made[2]], True, 2)
    assert "2 submissions at most" in choose(*made).json()["detail"]
    assert choose("not-a-number").status_code == 422
    time.pass_(days=11)
    assert choose(made[0]).status_code == 409


def test_the_document_and_the_page_need_nothing_from_elsewhere(client):
    document = client.get("/api/openapi.json").json()
    assert document["openapi"].startswith("3.")
    page = client.get("/api/").content.decode()
    for route in document["paths"]:
        assert route in page
    assert "http://testserver/c/COMPETITION" in page
    assert "<script" not in page
    assert "https://" not in page


def test_a_wrong_token_is_refused_everywhere(client):
    for where in ("/api/me", "/api/competitions"):
        answer = client.get(where, headers={"Authorization": "Bearer genmem_wrong"})
        assert answer.status_code == 401
        assert "was revoked" in answer.json()["detail"]


def test_too_many_requests_are_told_when_to_come_back(client, monkeypatch):
    from django.test import Client

    from genmem.arena.api import auth

    monkeypatch.setattr(auth, "PER_TOKEN", 3)
    monkeypatch.setattr(auth, "PER_ADDRESS", 2)
    monkeypatch.setattr(auth, "WRONG_TOKENS", 2)
    assert [client.get("/api/me").status_code for _ in range(4)] == [200, 200, 200, 429]
    answer = client.get("/api/me")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    stranger = Client()
    assert [stranger.get("/api/competitions").status_code for _ in range(3)] == [200, 200, 429]
    wrong = Client(headers={"Authorization": "Bearer x"})
    assert [wrong.get("/api/competitions").status_code for _ in range(3)] == [401, 401, 429]


def test_the_next_minute_is_a_new_one(client, monkeypatch, time):
    from genmem.arena.api import auth

    monkeypatch.setattr(auth, "PER_TOKEN", 1)
    assert [client.get("/api/me").status_code for _ in range(2)] == [200, 429]
    time.pass_(seconds=60)
    assert client.get("/api/me").status_code == 200


def test_a_token_is_shown_once_kept_as_a_hash_and_taken_back(team, time):
    import re

    from django.test import Client

    from genmem.arena.accounts.models import ApiToken

    from ..factories import captain, signed_in

    browser = signed_in(captain(team))
    page = browser.post("/account/tokens/", {"name": "laptop"}).content.decode()
    (text,) = set(re.findall(r"genmem_[\w-]{40,}", page))
    again = browser.get("/account/").content.decode()
    assert text not in again
    assert "never used" in again
    made = ApiToken.objects.get()
    assert text not in str(made.__dict__)
    program = Client(headers={"Authorization": f"Bearer {text}"})
    assert program.get("/api/me").json()["email"] == captain(team).email
    made.refresh_from_db()
    assert made.last_used_at == time.at
    assert browser.post(f"/account/tokens/{made.pk}/revoke/").status_code == 302
    assert program.get("/api/me").status_code == 401


def test_nobody_takes_back_somebody_elses_token(team):
    from genmem.arena.accounts.models import ApiToken
    from genmem.arena.accounts.tokens import create_token

    from ..factories import captain, member, signed_in

    made, _ = create_token(captain(team), "laptop")
    answer = signed_in(member(team, 1)).post(f"/account/tokens/{made.pk}/revoke/")
    assert answer.status_code == 404
    assert ApiToken.objects.filter(pk=made.pk).exists()


def test_a_person_has_so_many_tokens_and_no_more(team):
    from genmem.arena.accounts.models import ApiToken
    from genmem.arena.accounts.tokens import create_token

    from ..factories import captain, signed_in

    for number in range(20):
        create_token(captain(team), f"number {number}")
    answer = signed_in(captain(team)).post("/account/tokens/", {"name": "one more"}, follow=True)
    assert "Revoke one first" in answer.content.decode()
    assert ApiToken.objects.count() == 20


def test_a_token_of_somebody_shut_out_opens_nothing(client, team):
    from ..factories import captain

    user = captain(team)
    user.is_active = False
    user.save()
    assert client.get("/api/me").status_code == 401
