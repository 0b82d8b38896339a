"""People, teams and submissions for tests; imported inside them, once Django is loaded."""

from __future__ import annotations

import itertools
from datetime import timedelta
from pathlib import Path

from django.test import Client

from genmem.arena.accounts.models import User
from genmem.arena.competitions.models import Competition, Split
from genmem.arena.core import clock
from genmem.arena.leaderboards.scores import Scores, add_score
from genmem.arena.submissions.models import STEPS, Step, Submission
from genmem.arena.submissions.services import receive
from genmem.arena.teams.models import Membership, Team

from .images import COUNT, SIDE

_number = itertools.count()


def a_competition(slug: str = "dogs", **changes) -> Competition:
    now = clock.now()
    fields = {
        "title": "Generative Dogs",
        "rules": "# Rules\nNo *copies*.",
        "opens_at": now - timedelta(days=10),
        "merge_until": now + timedelta(days=5),
        "closes_at": now + timedelta(days=10),
        "image_count": COUNT,
        "image_width": SIDE,
        "image_height": SIDE,
        "image_formats": ["png"],
        "daily_limit": 3,
        "final_count": 2,
        "maximum_upload_bytes": 100_000,
    }
    made = Competition.objects.create(slug=slug, **fields | changes)
    for kind, tau in (("public", 0.1), ("private", 0.25)):
        Split.objects.create(
            competition=made, kind=kind, version=1, backbone="pixels", train="/train", tau=tau
        )
    return made


def a_user(name: str = "", **fields) -> User:
    name = name or f"person{next(_number)}"
    return User.objects.create_user(f"{name}@example.org", "sesame-9", display_name=name, **fields)


def a_team(competition: Competition, name: str = "", people: int = 1) -> Team:
    team = Team.objects.create(competition=competition, name=name or f"team {next(_number)}")
    for place in range(people):
        Membership.objects.create(team=team, user=a_user(), captain=place == 0)
    return team


def member(team: Team, place: int = 0) -> User:
    return Membership.objects.filter(team=team).order_by("pk")[place].user


def captain(team: Team) -> User:
    return Membership.objects.get(team=team, captain=True).user


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def send(team: Team, path: Path, **changes) -> Submission:
    fields = {
        "team": team,
        "author": captain(team),
        "kind": "images",
        "original_name": "dogs.zip",
    }
    return receive(path, **fields | changes)


def scored(team: Team, public: float | None, private: float | None = None, **changes) -> Submission:
    fields = {
        "team": team,
        "author": captain(team),
        "kind": "images",
        "received_at": clock.now(),
        "size": 1,
        "sha256": "0" * 64,
        "original_name": "dogs.zip",
        "state": "scored",
        "file": "x",
    }
    made = Submission.objects.create(**fields | changes)
    for name in STEPS:
        Step.objects.create(submission=made, name=name, state="done", log=f"log of {name}")
    for kind, score in (("public", public), ("private", private)):
        split = Split.objects.filter(competition=team.competition, kind=kind).latest("version")
        add_score(made, split, Scores(fd=score, distance=0.5, score=score))
    return made
