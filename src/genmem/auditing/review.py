"""Reviewers' marks of flagged pairs, and the share of false flags that they show."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from genmem.errors import InputError, UsageError, os_reason
from genmem.io.paths import to_path
from genmem.metrics.intervals import LEVEL, clopper_pearson

KIND = "genmem audit marks"
"""The "kind" of a file of marks, as the audit's page exports it."""

COPY, NOT_A_COPY, UNSURE = MARKS = ("copy", "not-a-copy", "unsure")


@dataclass(frozen=True, kw_only=True)
class Review:
    """The marks of an audit's flagged pairs.

    Attributes:
        flagged: flagged images.
        copies, not_copies, unsure: how many of them have this mark.
        rate: not copies among copies and not copies: the reviewed false-discovery rate; None
            where there is neither.
        low, high: its exact interval. Pairs marked unsure count as copies at its lower end and as
            no copies at its upper end.
        level: coverage of the interval.
    """

    flagged: int
    copies: int
    not_copies: int
    unsure: int
    rate: float | None
    low: float
    high: float
    level: float = LEVEL

    @property
    def marked(self) -> int:
        """Flagged images with a mark."""
        return self.copies + self.not_copies + self.unsure


def review_flags(marks: Mapping[int, str], flagged: Collection[int]) -> Review:
    """The share of false flags among the marked ones: Clopper and Pearson 1934.

    The interval is for flags drawn at random: it holds for the flagged images without a mark only
    if those to mark were not chosen by what they show.

    Args:
        marks: a mark of `MARKS` by row of the generated image; rows that are not flagged are
            ignored.
        flagged: rows of the flagged images.
    """
    given = [marks[row] for row in flagged if row in marks]
    copies, not_copies, unsure = (given.count(mark) for mark in MARKS)
    decided = copies + not_copies
    return Review(
        flagged=len(flagged),
        copies=copies,
        not_copies=not_copies,
        unsure=unsure,
        rate=not_copies / decided if decided else None,
        low=clopper_pearson(not_copies, len(given))[0] if given else 0.0,
        high=clopper_pearson(not_copies + unsure, len(given))[1] if given else 1.0,
    )


def read_marks(path: str | Path, *, digest: str) -> dict[int, str]:
    """Read the marks that the page of an audit exported.

    Args:
        path: the JSON file.
        digest: of the audit that they must belong to.

    Returns:
        A mark of `MARKS` by row of the generated image.

    Raises:
        InputError: the file cannot be read or is damaged.
        UsageError: the marks belong to another audit.
    """
    path = to_path(path, name="the file of marks")
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"cannot read {path}: {os_reason(error)}.") from error
    except ValueError as error:
        raise InputError(f"{path}: expected marks as JSON, exported by an audit's page.") from error
    if not isinstance(document, dict) or document.get("kind") != KIND:
        raise InputError(f"{path}: expected marks that an audit's page exported.")
    if document.get("audit") != digest:
        raise UsageError(
            f"{path} has the marks of another audit ({document.get('audit')}, expected {digest}); "
            "export them from this audit's page."
        )
    entries = document.get("marks")
    if not isinstance(entries, list):
        raise InputError(f"{path}: expected a list of marks, got {json.dumps(entries)[:80]}.")
    marks = {}
    for entry in entries:
        fields = entry if isinstance(entry, dict) else {}
        row, mark = fields.get("row"), fields.get("mark")
        is_row = isinstance(row, int) and not isinstance(row, bool) and row >= 0
        if not is_row or not isinstance(mark, str) or mark not in MARKS:
            raise InputError(
                f"{path}: expected a row and a mark ({', '.join(MARKS)}) in each entry, got "
                f"{json.dumps(entry)[:80]}."
            )
        marks[row] = mark
    return marks
