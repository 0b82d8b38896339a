"""Small labelled tables, and the public results table where it is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

HEADER = "submission_id,public_score,private_score,FID_public,FID_private,distance_public"
HEADER += ",distance_private,labels"


@pytest.fixture
def write_table(tmp_path):
    """A factory: a table of the public one's columns from rows of text, with its path."""

    def write(*rows: str, header: str = HEADER, name: str = "results.csv") -> Path:
        path = tmp_path / name
        path.write_text("\n".join([header, *rows, ""]), encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def public_table() -> Path:
    """The public results table of the Generative Dog Images competition."""
    folder = ROOT / os.environ.get("GENMEM_TEST_DATA", "../shared/data")
    path = folder / "competition_results.csv"
    if not path.exists():
        pytest.skip(f"needs {path.name} in $GENMEM_TEST_DATA")
    return path
