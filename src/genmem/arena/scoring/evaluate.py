"""From a zip of images to its features, its distances and its score, in one split's space.

    features/<submission>/<space>.npy    float32 [n, d]
    distances/<submission>/<space>.npz   distance float32 [n], train int64 [n]: of each image, how
                                         far the nearest training image is and which; names [n]

Everything is computed by genmem's own layers. Rows are in the order of `names`: the images of the
zip, by path. What is in storage is complete, so that nothing is computed twice.
"""

from __future__ import annotations

import functools
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from genmem.arena.competitions.models import Split
from genmem.arena.scoring.reference_features import (
    Space,
    SplitError,
    Told,
    check_dimension,
    extractor_of,
    keep_array,
    opened,
    scratch_folder,
)
from genmem.arena.submissions import storage
from genmem.errors import InputError, WeightsError
from genmem.features import extract
from genmem.images import open_images
from genmem.metrics.frechet import fd
from genmem.metrics.memorization_distance import memorization_distance_from, zero_rows
from genmem.metrics.mifid import mifid_from
from genmem.metrics.moments import moments
from genmem.neighbors import nearest
from genmem.results import Result


@dataclass(frozen=True, kw_only=True)
class Scored:
    """A score and its parts; None is N/A.

    Attributes:
        note: why there is no score; "" where there is one.
    """

    fd: float | None
    distance: float | None
    score: float | None
    note: str = ""


def features_name(submission: object, space: Space) -> str:
    """Where a submission's features in a space are."""
    return f"features/{submission}/{space.name}.npy"


def distances_name(submission: object, space: Space) -> str:
    """Where its distances to the training images are."""
    return f"distances/{submission}/{space.name}.npz"


def make_features(
    submission: object, zip_name: str, split: Split, space: Space, *, count: int, told: Told | None
) -> None:
    """Make and keep a submission's features and distances, as far as they are missing.

    Raises:
        InputError: the images cannot be used.
        SplitError: the split cannot be used.
    """
    name, distances = features_name(submission, space), distances_name(submission, space)
    if storage.exists(name) and storage.exists(distances):
        return
    work = scratch_folder("submissions", str(submission), space.name)
    with storage.local(zip_name) as path, open_images(_as_zip(path, work)) as source:
        try:
            found = extract(source, extractor=extractor_of(split), cache=work, progress=told)
        except WeightsError as error:
            raise SplitError(str(error)) from error
        if len(found.array) != count:
            raise InputError(f"expected {count:,} images, found {len(found.array):,}")
        train = opened(space.train)
        check_dimension(found.array, train)
        if told:
            told("nearest training images", 0, None)
        try:
            near = nearest(found.array, train, metric="absolute_cosine")
        except InputError as error:
            raise SplitError(f"no distances in this space: {error}") from error
        keep_array(found.array, name)
        _keep_distances(near.distances[:, 0], near.indices[:, 0], list(found.ids), distances)
    shutil.rmtree(work, ignore_errors=True)


def _as_zip(path: Path, work: Path) -> Path:
    """A path whose suffix says that it is a zip."""
    if path.suffix == ".zip":
        return path
    work.mkdir(parents=True, exist_ok=True)
    link = work / "images.zip"
    link.unlink(missing_ok=True)
    link.symlink_to(path)
    return link


def _keep_distances(distance: Any, train: Any, names: list[str], name: str) -> None:
    with storage.scratch() as folder:
        np.savez(
            folder / "distances.npz",
            distance=np.asarray(distance, np.float32),
            train=np.asarray(train, np.int64),
            names=np.asarray(names, dtype=np.str_),
        )
        storage.keep(folder / "distances.npz", name)


def score_in(submission: object, split: Split, space: Space) -> Scored:
    """The score of a submission whose features are kept."""
    with storage.local(features_name(submission, space)) as path:
        features = np.load(path, allow_pickle=False)
    with storage.local(distances_name(submission, space)) as path, np.load(path) as kept:
        distances = kept["distance"].astype(np.float64)
    reference = opened(space.reference)
    check_dimension(features, reference)
    try:
        frechet = fd(generated=_summary(features), train=_reference(space.reference))
    except InputError as error:
        return Scored(fd=None, distance=None, score=None, note=f"N/A: {error}")
    try:
        distance = memorization_distance_from(
            distances=distances,
            zero_rows=zero_rows(features),
            train_rows=int(opened(space.train).shape[0]),
        )
    except InputError as error:
        return Scored(fd=frechet.value, distance=None, score=None, note=f"N/A: {error}")
    return penalised(frechet.value, distance.value, tau=split.tau, epsilon=split.epsilon)


def penalised(fd: float | None, distance: float | None, *, tau: float, epsilon: float) -> Scored:
    """The score from its two parts under τ and ε, by `genmem.metrics.mifid`."""
    if fd is None or distance is None:
        return Scored(fd=fd, distance=distance, score=None, note="N/A")
    found = mifid_from(
        fd=Result(name="fd", value=fd, n={}),
        distance=Result(name="memorization_distance", value=distance, n={}),
        tau=tau,
        epsilon=epsilon,
    )
    return Scored(fd=fd, distance=distance, score=found.value)


def _reference(name: str) -> Any:
    return _reference_of(settings.ARENA.folder, name)


@functools.lru_cache(maxsize=8)
def _reference_of(folder: Path, name: str) -> Any:
    del folder
    return _summary(opened(name))


def _summary(features: NDArray[np.float32]) -> Any:
    """Mean and covariance; the rows themselves where they are no more than the columns."""
    return moments(features) if features.shape[0] > features.shape[1] else features
