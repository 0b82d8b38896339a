"""A feature space with everything that a study's runs are compared with in it: computed once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genmem.features.extractor import FeatureExtractor, load_backbone
from genmem.images import Progress
from genmem.metrics.copied_fraction import NEIGHBORS, relative_distances
from genmem.metrics.moments import Moments, moments
from genmem.neighbors import nearest
from genmem.training.common.dataset import TrainingImages, in_classes_of, load_shared_images
from genmem.training.gan.build import training_images
from genmem.training.gan.evaluation import extract_features
from genmem.training.rejection.threshold import leave_one_out_distances
from genmem.training.rejection_study.grid import LEAVE_ONE_OUT, TEST, Plan

METRIC = "absolute_cosine"


@dataclass(frozen=True)
class ImageSets:
    """The images of a study: training, held-out, and the other references by name."""

    train: TrainingImages
    test: TrainingImages
    references: Mapping[str, TrainingImages]


@dataclass(frozen=True)
class FeatureSpace:
    """One backbone, and the study's sets in it.

    Attributes:
        name: of the backbone.
        extractor: of the features of samples.
        train, test: features float32 [n, d], [m, d].
        train_moments, test_moments: of the training and the held-out rows, for FD.
        nearest_train: int64 [m], the training row nearest to each held-out row.
        test_closeness: `relative_distances` of each held-out row, float64 [m].
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
    test_closeness: NDArray[np.float64]
    references: Mapping[str, NDArray[np.float64]]


def load_image_sets(plan: Plan, progress: Progress | None = None) -> ImageSets:
    """Read every set of a study, at the size of its models.

    Args:
        plan: the study.
        progress: told how many images are read.

    Raises:
        InputError: images that cannot be read, or held-out ones of a class that was not trained on.
    """
    config = plan.runs[0].config
    train = training_images(config, progress)

    def load(source: str) -> TrainingImages:
        return load_shared_images(source, size=config.size, progress=progress)

    return ImageSets(
        train=train,
        test=in_classes_of(load(plan.test), train),
        references={name: load(source) for name, source in plan.references.items()},
    )


def build_feature_space(
    name: str, sets: ImageSets, *, device: str, progress: Progress | None = None
) -> FeatureSpace:
    """Extract the features of a study's sets; they are cached by content.

    Args:
        name: a backbone, or `NAME@SIDE`.
        sets: from `load_image_sets`.
        device: "cpu" or "cuda".
        progress: told about every set.

    Raises:
        UsageError: no such backbone.
        WeightsError: its weights are missing.
    """
    extractor = load_backbone(name, device="cuda" if device == "cuda" else "cpu", progress=progress)
    rows = {
        key: extract_features(extractor, images.pixels, progress, cached=True)
        for key, images in {"": sets.train, TEST: sets.test, **sets.references}.items()
    }
    train = rows.pop("")
    k = min(NEIGHBORS, len(train))
    neighbors = {
        key: nearest(features, train, k=k, metric=METRIC) for key, features in rows.items()
    }
    distances = {key: result.distances[:, 0] for key, result in neighbors.items()}
    return FeatureSpace(
        name=name,
        extractor=extractor,
        train=train,
        test=rows[TEST],
        train_moments=moments(train),
        test_moments=moments(rows[TEST]),
        nearest_train=neighbors[TEST].indices[:, 0],
        test_closeness=relative_distances(neighbors[TEST].distances),
        references={LEAVE_ONE_OUT: leave_one_out_distances(train, metric=METRIC), **distances},
    )
