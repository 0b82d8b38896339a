"""Arenas in processes of their own, on SQLite and on a PostgreSQL made for these tests."""

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


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The address of an empty database."""
    with cluster() as address:
        yield address


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=needs_postgresql)])
def database_address(request) -> Iterator[str]:
    """ "" for SQLite; then the address of an empty database on PostgreSQL."""
    if request.param == "sqlite":
        yield ""
        return
    with cluster() as address:
        yield address
