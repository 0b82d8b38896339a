"""Somebody about to send a file."""

from datetime import timedelta

import pytest

from ...images import a_zip


@pytest.fixture
def world(database, time):
    """A competition that takes many a day until tomorrow, and a team of two."""
    from ...factories import a_competition, a_team

    tomorrow = time.at + timedelta(days=1)
    return a_team(a_competition(daily_limit=1000, closes_at=tomorrow), people=2)


@pytest.fixture
def sender(world):
    from ...factories import captain, signed_in
    from .client import Sender

    return Sender(signed_in(captain(world)))


@pytest.fixture
def content(tmp_path):
    return a_zip(tmp_path / "dogs.zip").read_bytes()
