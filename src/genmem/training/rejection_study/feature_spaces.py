"""A feature space with all that a study's runs are compared with in it: made once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genmem.features.extractor import FeatureExtractor, load_backbone
from genmem.images import Progress
from genmem.metrics.moments import Moments, moments
from genmem.neighbors import nearest
from genmem.training.common.dataset import TrainingImages, in_classes_of, load_shared_images
from genmem.training.gan.build import training_images
from genmem.training.gan.evaluation import extract_features
from genmem.training.rejection.embedding import find_backbone_at_side
from genmem.training.rejection_study.grid import LEAVE_ONE_OUT, TEST, Plan

METRIC = "absolute_cosine"

LEFT_OUT_ROWS = 10_000
"""Training rows whose leave-one-out distances are taken; a seeded sample of a larger set."""


@dataclass(frozen=True)
class Sets:
    """The images of a study: training, held-out, and the other references by name."""

    train: TrainingImages
    test: TrainingImages
    references: Mapping[str, TrainingImages]


@dataclass(frozen=True)
class Space:
    """One backbone, and the study's sets in it.

    Attributes:
        name: of the backbone.
        extractor: to embed samples with.
        train, test: features float32 [n, d], [m, d].
        train_moments, test_moments: of the training and the held-out rows, for FD.
        nearest_train: int64 [m], the training row nearest to each held-out row.
        references: distance of each image of a reference to its nearest training row, float64, by
            name; the training images themselves leave one out.
    """

    name: str
    extractor: FeatureExtractor
    train: NDArray[np.float32]
    test: NDArray[np.float32]
    train_moments: Moments
    test_moments: Moments
    nearest_train: NDArray[np.int64]
    references: Mapping[str, NDArray[np.float64]]


def read_sets(plan: Plan, progress: Progress | None = None) -> Sets:
    """Read every set of a study, at the size of its models.

    Raises:
        InputError: images that cannot be read, or held-out ones of a class that was not trained on.
    """
    settings = plan.cases[0].settings
    train = training_images(settings, progress)

    def read(where: str) -> TrainingImages:
        return load_shared_images(where, size=settings.size, progress=progress)

    return Sets(
        train=train,
        test=in_classes_of(read(plan.test), train),
        references={name: read(where) for name, where in plan.references.items()},
    )


def open_space(name: str, sets: Sets, *, device: str, progress: Progress | None = None) -> Space:
    """Embed a study's sets; features are kept in the cache by content.

    Args:
        name: a backbone, or `NAME@SIDE`.
        sets: from `read_sets`.
        device: "cpu" or "cuda".
        progress: told about every set.

    Raises:
        UsageError: no such backbone.
        WeightsError: its weights are missing.
    """
    extractor = load_backbone(
        find_backbone_at_side(name), device="cuda" if device == "cuda" else "cpu", progress=progress
    )
    rows = {
        key: extract_features(extractor, images.pixels, progress, cached=True)
        for key, images in {"": sets.train, TEST: sets.test, **sets.references}.items()
    }
    train = rows.pop("")
    found = {key: nearest(some, train, metric=METRIC) for key, some in rows.items()}
    distances = {key: some.distances[:, 0] for key, some in found.items()}
    return Space(
        name=name,
        extractor=extractor,
        train=train,
        test=rows[TEST],
        train_moments=moments(train),
        test_moments=moments(rows[TEST]),
        nearest_train=found[TEST].indices[:, 0],
        references={LEAVE_ONE_OUT: _left_out(train), **distances},
    )


def _left_out(train: NDArray[np.float32]) -> NDArray[np.float64]:
    if len(train) <= LEFT_OUT_ROWS:
        return nearest(train, train, metric=METRIC, exclude_self=True).distances[:, 0]
    some = np.sort(np.random.default_rng(0).choice(len(train), LEFT_OUT_ROWS, replace=False))
    # Of two nearest rows one is the row itself, or an equal one: the second is the other's.
    return nearest(np.asarray(train[some]), train, k=2, metric=METRIC).distances[:, 1]
