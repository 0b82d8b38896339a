"""One arena for all tests that ask for `database`: rows are rolled back, the clock stands still."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from genmem.arena import load
from genmem.arena.core.configuration import write_new

from .live_server import arena_folder as arena_folder
from .live_server import arena_url as arena_url

MIDDAY = datetime(2026, 5, 20, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def arena(tmp_path_factory) -> Iterator[Path]:
    """The folder of an arena with an empty database, of the kind $GENMEM_TEST_DATABASE names."""
    folder = tmp_path_factory.mktemp("arena")
    write_new(folder)
    if database := os.environ.get("GENMEM_TEST_DATABASE"):
        (folder / "arena.toml").write_text(f'database = "{database}"')
    before = {name: os.environ.get(name) for name in ("GENMEM_ARENA", "DJANGO_SETTINGS_MODULE")}
    load(folder)
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connections
    from django.test.utils import setup_test_environment, teardown_test_environment

    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.ACCOUNT_RATE_LIMITS = False
    setup_test_environment()
    call_command("migrate", verbosity=0)
    yield folder
    connections.close_all()
    teardown_test_environment()
    for name, value in before.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value


@pytest.fixture
def database(arena, time) -> Iterator[None]:
    """Whatever a test writes is gone after it."""
    from django.core.cache import caches
    from django.db import transaction

    for cache in caches.all():
        cache.clear()
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
    for name in ("submissions", "incoming/uploads"):
        shutil.rmtree(arena / "storage" / name, ignore_errors=True)


class Clock:
    """The server's clock, which stands still until a test moves it."""

    def __init__(self) -> None:
        self.at = MIDDAY

    def set(self, at: datetime) -> None:
        self.at = at

    def pass_(self, **length: float) -> None:
        self.at += timedelta(**length)

    def now(self) -> datetime:
        return self.at


@pytest.fixture
def time(monkeypatch) -> Clock:
    """The server's clock, at midday of 20 May 2026."""
    stopped = Clock()
    monkeypatch.setattr("django.utils.timezone.now", stopped.now)
    return stopped


@pytest.fixture
def competition(database):
    """Open from ten days ago to ten days from now; teams merge for five more days."""
    from .factories import a_competition

    return a_competition()
