"""Competitions, workers, and databases on SQLite and on a temporary PostgreSQL."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))  # for what tests share with studies/

from studies.clusters import cluster, programs

needs_postgresql = pytest.mark.skipif(
    programs() is None and not os.environ.get("CI"), reason="needs PostgreSQL (Debian: postgresql)"
)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=needs_postgresql)])
def database_address(request) -> Iterator[str]:
    """ "" for SQLite; then the address of an empty database on PostgreSQL."""
    if request.param == "sqlite":
        yield ""
        return
    with cluster() as address:
        yield address


@pytest.fixture
def competition(database, tmp_path):
    """A competition with real images, scored by pixels."""
    from .factories import competition_with_images

    return competition_with_images(tmp_path)


@pytest.fixture
def code_competition(competition, tmp_path):
    """A competition that accepts code, whose images every user can read."""
    competition.accepts_code, competition.wall_seconds = True, 60
    competition.memory_bytes, competition.maximum_upload_bytes = 2**28, 10_000_000
    competition.save()
    for path in (tmp_path / "dogs", *(tmp_path / "dogs").rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return competition


@pytest.fixture
def worker(arena):
    """The row of a worker in this process."""
    from genmem.arena.scoring.queue import register

    return register(os.getpid())
