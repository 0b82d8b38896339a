"""The pictures beside the audit's page: which ones, and in which files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genmem.auditing.results import Audit, CopiedImage

ROWS = 10_000
"""Rows on the page: the most suspicious ones."""

COPIED = 24
"""Copied training images on the page: those copied most often."""

PAIRS = 200
"""Duplicates on the page, of each kind: the nearest pairs."""

FOLDER = "pictures"


@dataclass(frozen=True, kw_only=True)
class Album:
    """The pictures there are, by row: the ending of each one's file, ".png" or ".webp"."""

    generated: dict[int, str] = field(default_factory=dict)
    train: dict[int, str] = field(default_factory=dict)
    test: dict[int, str] = field(default_factory=dict)

    def path(self, role: str, row: int) -> str | None:
        """Where the page finds a picture; None where there is none."""
        suffix = {"generated": self.generated, "train": self.train, "test": self.test}[role]
        return f"{FOLDER}/{role}/{row:06d}{suffix[row]}" if row in suffix else None


def page_rows(audit: Audit) -> NDArray[np.int64]:
    """The rows on the page, the smallest p-value first, then in input order: int64 [≤ ROWS]."""
    return np.argsort(audit.p_values, kind="stable")[:ROWS].astype(np.int64)


def write_pictures(
    audit: Audit, rows: NDArray[np.int64], found: Sequence[CopiedImage], folder: Path
) -> Album:
    """Write the pictures of these rows, of their matches and of the other images on the page.

    Args:
        audit: what was found.
        rows: `page_rows(audit)`.
        found: `copied(audit)`.
        folder: `generated`, `train` and `test` are made in it, where there is something to show.
    """
    if audit.pictures is None:
        return Album()
    train = {audit.nearest(int(row))[1] for row in rows}
    train.update(one.train for one in found[:COPIED])
    test: set[int] = set()
    for one in audit.duplicates:
        first, second = (side[:PAIRS].tolist() for side in (one.first, one.second))
        train.update(second)
        (test if one.between.startswith("test") else train).update(first)
    return Album(
        generated=_write(audit.pictures.generated, rows.tolist(), folder / "generated"),
        train=_write(audit.pictures.train, train, folder / "train"),
        test=_write(audit.pictures.test, test, folder / "test"),
    )


def _write(
    picture: Callable[[int], bytes | None], rows: Iterable[int], folder: Path
) -> dict[int, str]:
    """Write the pictures of some rows, in row order; the endings of those there were."""
    suffixes: dict[int, str] = {}
    for row in sorted(rows):
        content = picture(row)
        suffix = _suffix(content) if content else None
        if content and suffix:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{row:06d}{suffix}").write_bytes(content)
            suffixes[row] = suffix
    return suffixes


def _suffix(content: bytes) -> str | None:
    """The file ending of a PNG or WebP image; None for anything else."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return ".png"
    return ".webp" if content[:4] == b"RIFF" and content[8:12] == b"WEBP" else None
