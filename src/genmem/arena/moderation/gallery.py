"""The images of a submission that are nearest to training images, each beside the nearest one."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
from django.core.cache import caches
from numpy.typing import NDArray
from PIL import Image

from genmem.arena.leaderboards.models import ScoreVersion
from genmem.arena.submissions import storage
from genmem.arena.submissions.models import Submission
from genmem.arena.submissions.zip_index import files_in, normalized_name
from genmem.errors import GenmemError
from genmem.images import ImageSource, decode
from genmem.reference.stored_images import open_training_pictures

SHOWN = 24
_MAX_SIDE = 256
"""Pixels; larger images are shown reduced to it."""
_CACHE_SECONDS = 1800

_NamedImage = tuple[str, bytes | None]
"""A file name, and the image as PNG; None where it could not be read."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A submitted image and the training image nearest to it.

    Attributes:
        distance: between the two, in the split's feature space.
        name, train_name: file names.
        submitted, training: PNG; None where the file could not be read.
    """

    distance: float
    name: str
    train_name: str
    submitted: bytes | None
    training: bytes | None


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """The pairs with the smallest distance.

    Attributes:
        pairs: at most `SHOWN`, nearest first.
        images: how many images the submission has.
        sources: how many training images are the nearest one of at least one of them.
        median: of the distances.
        problem: why images are missing; "" where none are.
    """

    pairs: Sequence[Pair]
    images: int
    sources: int
    median: float
    problem: str = ""


def gallery(version: ScoreVersion) -> Gallery | None:
    """The gallery of one score; None where its distances were not stored."""
    if not version.distances:
        return None
    key, cache = f"gallery-{version.pk}", caches["galleries"]
    content = cache.get(key)
    if content is None:
        content = _gallery(version)
        if content is not None:
            cache.set(key, content, _CACHE_SECONDS)
    return content


def _gallery(version: ScoreVersion) -> Gallery | None:
    try:
        with storage.local(version.distances) as path, np.load(path) as arrays:
            distance, train = arrays["distance"], arrays["train"]
            names = arrays["names"].tolist() if "names" in arrays else []
    except (OSError, KeyError, ValueError):
        return None
    nearest = np.argsort(distance, kind="stable")[:SHOWN].tolist()
    submitted, problem = _submitted(version.submission, names, nearest)
    training, train_problem = _training(
        version.split.train, train[nearest].tolist(), _train_names(version)
    )
    return Gallery(
        pairs=[
            Pair(
                distance=float(distance[row]),
                name=name,
                submitted=image,
                train_name=train_name,
                training=train_image,
            )
            for row, (name, image), (train_name, train_image) in zip(
                nearest, submitted, training, strict=True
            )
        ],
        images=len(distance),
        sources=len(np.unique(train)),
        median=float(np.median(distance)),
        problem=problem or train_problem,
    )


def _submitted(
    submission: Submission, names: list[str], rows: list[int]
) -> tuple[list[_NamedImage], str]:
    """Some of a submission's images, and what went wrong."""
    try:
        with storage.local(submission.images_zip) as path, zipfile.ZipFile(path) as archive:
            members = files_in(archive)
            by_name = {normalized_name(member): member for member in members}
            images: list[_NamedImage] = []
            for row in rows:
                name = names[row] if names else normalized_name(members[row])
                member = by_name.get(name)
                images.append((name, _png(archive.read(member)) if member else None))
            return images, ""
    except (OSError, zipfile.BadZipFile, IndexError, RuntimeError) as error:
        missing: list[_NamedImage] = [
            (names[row] if names else f"image {row + 1}", None) for row in rows
        ]
        return missing, f"The submitted images cannot be read: {error}."


def _train_names(version: ScoreVersion) -> list[str]:
    """Names of the training images when distances were computed; [] where they are not stored."""
    try:
        space = PurePosixPath(version.distances).stem
        with storage.open_read(f"splits/{space}/train.json") as file:
            return json.load(file)
    except (OSError, ValueError):
        return []


def _training(train: str, rows: list[int], names: list[str]) -> tuple[list[_NamedImage], str]:
    """Some training images, and what went wrong.

    Images are found by name, since positions differ when the set has changed or has broken files.
    """
    try:
        with ExitStack() as stack:
            source = stack.enter_context(open_training_pictures(train))
            positions = _positions(source, rows, names)
            images: list[_NamedImage] = [
                (names[row], None)
                if position is None
                else (source.id(position), _png(source.content(position)))
                for row, position in zip(rows, positions, strict=True)
            ]
            changed = None in positions
            return (
                images,
                "The training images have changed since it was scored." if changed else "",
            )
    except (OSError, GenmemError, IndexError) as error:
        missing: list[_NamedImage] = [(f"image {row + 1}", None) for row in rows]
        return missing, f"The training images cannot be read: {error}."


def _positions(source: ImageSource, rows: list[int], names: list[str]) -> list[int | None]:
    """The present position of each row of the training features; None where it is missing."""
    if not names or all(row < len(source) and source.id(row) == names[row] for row in rows):
        return list(rows)
    by_name = {source.id(position): position for position in range(len(source))}
    return [by_name.get(names[row]) for row in rows]


def _png(content: bytes | NDArray[np.uint8]) -> bytes | None:
    """Encode the pixels of an image as a new PNG; nothing else of the submitted file is shown."""
    try:
        image = Image.fromarray(decode(content, name=""))
    except GenmemError:
        return None
    image.thumbnail((_MAX_SIDE, _MAX_SIDE))
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()
