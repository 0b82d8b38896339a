"""The images of a submission nearest to training images, each beside the one it is nearest to."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from django.core.cache import caches
from numpy.typing import NDArray
from PIL import Image

from genmem.arena.leaderboards.models import ScoreVersion
from genmem.arena.submissions import storage
from genmem.arena.submissions.models import Submission
from genmem.arena.submissions.zip_index import files_in, plain_name
from genmem.errors import GenmemError
from genmem.images import ImageSource, decode, open_images

SHOWN = 24
_SIDE = 256
"""Pixels; larger images are shown reduced to it."""
_SECONDS = 1800


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A submitted image and the training image nearest to it.

    Attributes:
        distance: between the two, in the split's feature space.
        name, train_name: of the two files.
        submitted, training: PNG; None where the file could not be read.
    """

    distance: float
    name: str
    train_name: str
    submitted: bytes | None
    training: bytes | None


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """The nearest pairs, nearest first.

    Attributes:
        pairs: at most `SHOWN`.
        images: how many images the submission has.
        sources: how many training images are nearest to at least one of them.
        median: of the distances.
        trouble: why images are missing; "" where none are.
    """

    pairs: Sequence[Pair]
    images: int
    sources: int
    median: float
    trouble: str = ""


def gallery(version: ScoreVersion) -> Gallery | None:
    """The suspects of one score; None where its distances are not kept."""
    if not version.distances:
        return None
    key, cache = f"gallery-{version.pk}", caches["galleries"]
    found = cache.get(key)
    if found is None:
        found = _gallery(version)
        if found is not None:
            cache.set(key, found, _SECONDS)
    return found


def _gallery(version: ScoreVersion) -> Gallery | None:
    try:
        with storage.local(version.distances) as path, np.load(path) as kept:
            distance, train = kept["distance"], kept["train"]
            names = kept["names"].tolist() if "names" in kept else []
    except (OSError, KeyError, ValueError):
        return None
    nearest = np.argsort(distance, kind="stable")[:SHOWN].tolist()
    pictures, trouble = _submitted(version.submission, names, nearest)
    sources, more = _training(version.split.train, train[nearest], _train_names(version))
    return Gallery(
        pairs=[
            Pair(
                distance=float(distance[row]),
                name=pictures[place][0],
                submitted=pictures[place][1],
                train_name=sources[place][0],
                training=sources[place][1],
            )
            for place, row in enumerate(nearest)
        ],
        images=len(distance),
        sources=len(np.unique(train)),
        median=float(np.median(distance)),
        trouble=trouble or more,
    )


def _submitted(
    submission: Submission, names: list[str], rows: list[int]
) -> tuple[list[tuple[str, bytes | None]], str]:
    """Name and picture of some of a submission's images, and what went wrong."""
    try:
        with storage.local(submission.images_zip) as path, zipfile.ZipFile(path) as archive:
            entries = files_in(archive)
            by_name = {plain_name(entry): entry for entry in entries}
            found: list[tuple[str, bytes | None]] = []
            for row in rows:
                name = names[row] if names else plain_name(entries[row])
                entry = by_name.get(name)
                found.append((name, _png(archive.read(entry)) if entry else None))
            return found, ""
    except (OSError, zipfile.BadZipFile, IndexError, RuntimeError) as error:
        blank: list[tuple[str, bytes | None]] = [
            (names[row] if names else f"image {row + 1}", None) for row in rows
        ]
        return blank, f"The submitted images cannot be read: {error}."


def _train_names(version: ScoreVersion) -> list[str]:
    """The names of the training images as they were when distances were taken; none: not kept."""
    try:
        space = PurePosixPath(version.distances).stem
        with storage.open_read(f"splits/{space}/train.json") as kept:
            return json.load(kept)
    except (OSError, ValueError):
        return []


def _training(
    train: str, rows: NDArray[np.int64], names: list[str]
) -> tuple[list[tuple[str, bytes | None]], str]:
    """Name and picture of some training images, and what went wrong.

    Images are found by name: a set that holds broken ones, or has changed, has other positions.
    """
    try:
        with ExitStack() as stack:
            source = stack.enter_context(
                open_images(train if train.startswith("hf:") else Path(train))
            )
            places = _places(source, rows.tolist(), names)
            found = [
                (source.id(place), _png(source.content(place)))
                if place is not None
                else (names[row], None)
                for row, place in zip(rows.tolist(), places, strict=True)
            ]
            gone = None in places
            return found, "The training images have changed since it was scored." if gone else ""
    except (OSError, GenmemError, IndexError) as error:
        blank: list[tuple[str, bytes | None]] = [(f"image {int(row) + 1}", None) for row in rows]
        return blank, f"The training images cannot be read: {error}."


def _places(source: ImageSource, rows: list[int], names: list[str]) -> list[int | None]:
    """Where rows of the training features are in the set as it is now; None: nowhere."""
    if not names or all(row < len(source) and source.id(row) == names[row] for row in rows):
        return list(rows)
    by_name = {source.id(place): place for place in range(len(source))}
    return [by_name.get(names[row]) for row in rows]


def _png(content: bytes | NDArray[np.uint8]) -> bytes | None:
    """An image as PNG, made anew from its pixels: nothing of the submitted file is passed on."""
    try:
        picture = Image.fromarray(decode(content, name=""))
    except GenmemError:
        return None
    picture.thumbnail((_SIDE, _SIDE))
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    return buffer.getvalue()
