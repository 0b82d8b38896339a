"""From a zip of images to its features, its distances and its score, in the space of one split.

Everything is computed by genmem's own layers. Rows are in the order of the images in the zip, by
path. What is in storage is complete, so nothing is computed twice (names: `stored_names`).
"""

from __future__ import annotations

import functools
import shutil
import uuid
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from genmem.arena.competitions.models import Split
from genmem.arena.leaderboards.scores import Scores
from genmem.arena.scoring.errors import SetupError, SubmissionError
from genmem.arena.scoring.reference_features import (
    Space,
    check_dimension,
    extractor_of,
    load,
    scratch_folder,
    store_array,
)
from genmem.arena.scoring.stored_names import distances_name, features_name
from genmem.arena.submissions import storage
from genmem.arena.submissions.models import Submission
from genmem.errors import InputError, WeightsError
from genmem.features import extract
from genmem.images import Progress, open_images
from genmem.metrics.frechet import fd
from genmem.metrics.memorization_distance import memorization_distance_from, zero_rows
from genmem.metrics.mifid import mifid_from
from genmem.metrics.moments import moments
from genmem.neighbors import nearest


def compute_features(
    submission: Submission, split: Split, space: Space, *, progress: Progress | None = None
) -> None:
    """Compute and store the features and distances of a submission, unless they are stored.

    Args:
        submission: whose images are evaluated.
        split: whose backbone and training images are used.
        space: the split's space.
        progress: called with (stage, done, total).

    Raises:
        SubmissionError: there are more or fewer images than the competition asks for.
        SetupError: the split cannot be used.
        InputError: valid images cannot be read or their features not be kept on this machine.
    """
    names = features_name(submission.pk, space.name), distances_name(submission.pk, space.name)
    if all(map(storage.exists, names)):
        return
    scratch = scratch_folder("submissions", str(submission.pk), space.name)
    count = submission.team.competition.image_count
    with (
        storage.local(submission.images_zip) as path,
        open_images(_zip_path(path, scratch)) as source,
    ):
        try:
            features = extract(
                source, extractor=extractor_of(split), cache=scratch, progress=progress
            )
        except WeightsError as error:
            raise SetupError(str(error)) from error
        if len(features.array) != count:
            raise SubmissionError(f"Expected {count:,} images, got {len(features.array):,}.")
        train = load(space.train)
        check_dimension(features.array, train)
        if progress:
            progress("nearest training images", 0, None)
        try:
            neighbors = nearest(features.array, train, metric="absolute_cosine")
        except InputError as error:
            raise SetupError(f"cannot compute distances in this space: {error}") from error
        store_array(features.array, names[0])
        with storage.scratch_folder() as folder:
            np.savez(
                folder / "distances.npz",
                distance=np.asarray(neighbors.distances[:, 0], np.float32),
                train=np.asarray(neighbors.indices[:, 0], np.int64),
                names=np.asarray(list(features.ids), dtype=np.str_),
            )
            storage.store_file(folder / "distances.npz", names[1])
    shutil.rmtree(scratch, ignore_errors=True)


def _zip_path(path: Path, scratch: Path) -> Path:
    """The path, or a link to it, with the suffix .zip that `open_images` goes by."""
    if path.suffix == ".zip":
        return path
    scratch.mkdir(parents=True, exist_ok=True)
    link = scratch / "images.zip"
    link.unlink(missing_ok=True)
    link.symlink_to(path)
    return link


def score_in(submission_id: uuid.UUID, split: Split, space: Space) -> Scores:
    """Compute the score of a submission from its stored features and distances.

    Args:
        submission_id: the submission.
        split: gives τ and ε.
        space: the split's space.
    """
    with storage.local(features_name(submission_id, space.name)) as path:
        features = np.load(path, allow_pickle=False)
    with storage.local(distances_name(submission_id, space.name)) as path, np.load(path) as file:
        distances = file["distance"].astype(np.float64)
    check_dimension(features, load(space.reference))
    reference = _reference_moments(settings.ARENA.folder, space.reference)
    try:
        frechet = fd(generated=_moments_or_rows(features), train=reference)
    except InputError as error:
        return Scores(note=f"N/A: {error}")
    try:
        distance = memorization_distance_from(
            distances=distances,
            zero_rows=zero_rows(features),
            train_rows=int(load(space.train).shape[0]),
        )
    except InputError as error:
        return Scores(fd=frechet.value, note=f"N/A: {error}")
    mifid = mifid_from(fd=frechet, distance=distance, tau=split.tau, epsilon=split.epsilon)
    return Scores(
        fd=frechet.value,
        distance=distance.value,
        fd_floor=mifid.parts["fd_floor"],
        score=mifid.value,
    )


@functools.lru_cache(maxsize=8)
def _reference_moments(folder: Path, name: str) -> Any:
    del folder  # part of the key: names are unique in one arena only
    return _moments_or_rows(load(name))


def _moments_or_rows(features: NDArray[np.float32]) -> Any:
    """Mean and covariance; the rows themselves if there are no more rows than columns."""
    return moments(features) if features.shape[0] > features.shape[1] else features
