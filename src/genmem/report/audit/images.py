"""The picture files beside the audit's page: which images, at which sizes, under which names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genmem.auditing.results import Audit, CopiedImage, most_suspicious_first
from genmem.auditing.thumbnails import FULL_SIDE
from genmem.images.prefetch import map_in_order, usable_cores

ROWS = 10_000
"""Rows on the page, the most suspicious first."""

COPIED = 24
"""Copied training images on the page, the most often copied first."""

PAIRS = 200
"""Pairs of duplicates on the page, of each kind, nearest first."""

FULL_ROWS = 100
"""Rows whose images are there in full size too, the most suspicious first."""

FULL_PAIRS = 50
"""Pairs of duplicates, of each kind, whose images are there in full size too, nearest first."""

NEIGHBOR_ROWS = 200
"""Rows whose lists of nearest training images have pictures, the most suspicious first."""

NEIGHBOR_PICTURES = 5
"""Pictures in such a list, of each space."""

FOLDER = "pictures"
FULL = "full"

ROLES = ("generated", "train", "test")
"""The sets, and their folders."""

Suffixes = dict[int, str]
"""The suffix of a picture file (".png", ".jpg" or ".webp") by row."""


@dataclass(frozen=True, kw_only=True)
class Album:
    """The picture files: the suffix by row, for each set.

    Attributes:
        generated, train, test: of the thumbnails; of small images they are the whole picture.
        full: by set, of the images that are also there in full size (at most `FULL_SIDE`).
    """

    generated: Suffixes = field(default_factory=dict)
    train: Suffixes = field(default_factory=dict)
    test: Suffixes = field(default_factory=dict)
    full: dict[str, Suffixes] = field(default_factory=dict)

    def path(self, role: str, row: int) -> str | None:
        """A picture's path relative to the page; None if there is no picture."""
        suffix = {"generated": self.generated, "train": self.train, "test": self.test}[role]
        return f"{FOLDER}/{role}/{row:06d}{suffix[row]}" if row in suffix else None

    def full_path(self, role: str, row: int) -> str | None:
        """The path of the largest picture of an image; None if there is no picture."""
        suffix = self.full.get(role, {})
        if row not in suffix:
            return self.path(role, row)
        return f"{FOLDER}/{role}/{FULL}/{row:06d}{suffix[row]}"


def page_rows(audit: Audit) -> NDArray[np.int64]:
    """The rows on the page, most suspicious first: int64 [at most ROWS]."""
    return most_suspicious_first(audit)[:ROWS].astype(np.int64)


def write_pictures(
    audit: Audit, rows: NDArray[np.int64], copied_images: Sequence[CopiedImage], folder: Path
) -> Album:
    """Write the pictures of these rows, of their matches and of the other images on the page.

    Args:
        audit: the result of `genmem.audit`.
        rows: `page_rows(audit)`.
        copied_images: `copied_images(audit)`.
        folder: gets the folders `generated`, `train` and `test`, if they have pictures, each with a
            folder `full` if some are larger than thumbnails.

    Returns:
        The files written.
    """
    if audit.thumbnails is None:
        return Album()
    shown = _images(audit, rows, copied_images, pairs=PAIRS)
    for space in audit.spaces:
        near = space.train[rows[:NEIGHBOR_ROWS], :NEIGHBOR_PICTURES]
        shown["train"].update(near.ravel().tolist())
    large = _images(audit, rows[:FULL_ROWS], copied_images, pairs=FULL_PAIRS)
    pictures = dict(
        zip(
            ROLES,
            (audit.thumbnails.generated, audit.thumbnails.train, audit.thumbnails.test),
            strict=True,
        )
    )
    small = {role: _write(pictures[role], shown[role], folder / role) for role in ROLES}
    full = {
        role: _write_larger(pictures[role], large[role], folder / role, small[role])
        for role in ROLES
    }
    return Album(**small, full=full)


def _images(
    audit: Audit, rows: NDArray[np.int64], copied_images: Sequence[CopiedImage], *, pairs: int
) -> dict[str, set[int]]:
    """The rows of each set that belong to these rows, the copied images and some duplicates."""
    train = {audit.nearest(int(row))[1] for row in rows}
    train.update(image.train for image in copied_images[:COPIED])
    test: set[int] = set()
    for duplicates in audit.duplicates:
        train.update(duplicates.second[:pairs].tolist())
        first = test if duplicates.between.startswith("test") else train
        first.update(duplicates.first[:pairs].tolist())
    return {"generated": set(rows.tolist()), "train": train, "test": test}


def _write(picture: Callable[[int], bytes | None], rows: Iterable[int], folder: Path) -> Suffixes:
    """Write the pictures of some rows, in row order; returns the suffixes of those that exist."""
    suffixes: Suffixes = {}
    workers = usable_cores()
    ordered = sorted(rows)
    contents = map_in_order(picture, ordered, workers=workers, ahead=4 * workers)
    for row, content in zip(ordered, contents, strict=True):
        suffix = _suffix(content) if content else None
        if content and suffix:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{row:06d}{suffix}").write_bytes(content)
            suffixes[row] = suffix
    return suffixes


def _write_larger(
    picture: Callable[[int, int | None], bytes | None],
    rows: Iterable[int],
    folder: Path,
    thumbnails: Suffixes,
) -> Suffixes:
    """`_write` to the folder's folder `full`, of the images that are larger than thumbnails."""

    def larger(row: int) -> bytes | None:
        content = picture(row, FULL_SIDE)
        same = content == (folder / f"{row:06d}{thumbnails[row]}").read_bytes()
        return None if same else content

    return _write(larger, (row for row in rows if row in thumbnails), folder / FULL)


def _suffix(content: bytes) -> str | None:
    """The suffix for a PNG, JPEG or WebP image; None for anything else."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return ".png"
    if content.startswith(b"\xff\xd8\xff"):
        return ".jpg"
    return ".webp" if content[:4] == b"RIFF" and content[8:12] == b"WEBP" else None
