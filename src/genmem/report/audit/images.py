"""The picture files beside the audit's page: which images, under which names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genmem.auditing.results import Audit, CopiedImage

ROWS = 10_000
"""Rows on the page, the most suspicious first."""

COPIED = 24
"""Copied training images on the page, the most often copied first."""

PAIRS = 200
"""Pairs of duplicates on the page, of each kind, nearest first."""

FOLDER = "pictures"


@dataclass(frozen=True, kw_only=True)
class Album:
    """The picture files: the suffix (".png" or ".webp") by row, for each set."""

    generated: dict[int, str] = field(default_factory=dict)
    train: dict[int, str] = field(default_factory=dict)
    test: dict[int, str] = field(default_factory=dict)

    def path(self, role: str, row: int) -> str | None:
        """A picture's path relative to the page; None if there is no picture."""
        suffix = {"generated": self.generated, "train": self.train, "test": self.test}[role]
        return f"{FOLDER}/{role}/{row:06d}{suffix[row]}" if row in suffix else None


def page_rows(audit: Audit) -> NDArray[np.int64]:
    """The rows on the page, smallest p-value first, ties in input order: int64 [at most ROWS]."""
    return np.argsort(audit.p_values, kind="stable")[:ROWS].astype(np.int64)


def write_pictures(
    audit: Audit, rows: NDArray[np.int64], copied_images: Sequence[CopiedImage], folder: Path
) -> Album:
    """Write the pictures of these rows, of their matches and of the other images on the page.

    Args:
        audit: the result of `genmem.audit`.
        rows: `page_rows(audit)`.
        copied_images: `copied_images(audit)`.
        folder: gets the folders `generated`, `train` and `test`, if they have pictures.

    Returns:
        The files written.
    """
    if audit.thumbnails is None:
        return Album()
    train = {audit.nearest(int(row))[1] for row in rows}
    train.update(image.train for image in copied_images[:COPIED])
    test: set[int] = set()
    for duplicates in audit.duplicates:
        train.update(duplicates.second[:PAIRS].tolist())
        first = test if duplicates.between.startswith("test") else train
        first.update(duplicates.first[:PAIRS].tolist())
    return Album(
        generated=_write(audit.thumbnails.generated, rows.tolist(), folder / "generated"),
        train=_write(audit.thumbnails.train, train, folder / "train"),
        test=_write(audit.thumbnails.test, test, folder / "test"),
    )


def _write(
    picture: Callable[[int], bytes | None], rows: Iterable[int], folder: Path
) -> dict[int, str]:
    """Write the pictures of some rows, in row order; returns the suffixes of those that exist."""
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
    """The suffix for a PNG or WebP image; None for anything else."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return ".png"
    return ".webp" if content[:4] == b"RIFF" and content[8:12] == b"WEBP" else None
