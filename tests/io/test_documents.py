"""Dataclasses as JSON files: what comes back, and what is refused."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field

from genmem.errors import InputError
from genmem.io.documents import Document


@dataclass(frozen=True, kw_only=True)
class Point:
    x: float
    label: str | None = None


@dataclass(frozen=True, kw_only=True)
class Drawing(Document):
    points: tuple[Point, ...]
    folder: Path
    share: Annotated[float, Field(ge=0, le=1)] = 0.5


DRAWING = Drawing(points=(Point(x=0.1), Point(x=2.0, label="b")), folder=Path("a/b"))


def test_a_document_comes_back_from_its_json_and_from_its_file(tmp_path):
    document = DRAWING.to_dict()
    assert Drawing.from_dict(json.loads(json.dumps(document))) == DRAWING
    DRAWING.save(tmp_path / "drawing.json")
    assert Drawing.load(tmp_path / "drawing.json") == DRAWING


@pytest.mark.parametrize(
    "change", [{"points": 3}, {"points": [{}]}, {"share": 2.5}, {"share": float("nan")}]
)
def test_fields_of_another_type_or_out_of_range_are_refused(change):
    with pytest.raises(ValueError, match="validation error"):
        Drawing.from_dict(DRAWING.to_dict() | change)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", "[" * 100_000])
def test_a_file_that_holds_no_such_document_is_refused_in_one_line(tmp_path, content):
    path = tmp_path / "drawing.json"
    path.write_text(content)
    with pytest.raises(InputError, match=r"drawing\.json: cannot be read \(") as error:
        Drawing.load(path)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be read: no such file"):
        Drawing.load(tmp_path / "none.json")
