"""The nearest training images in one space, and the held-out distances to compare with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genmem.auditing.feature_spaces import distance_metric
from genmem.neighbors import Metric, nearest
from genmem.reference.reference import ReferenceSpace
from genmem.scoring.feature_sets import FeatureSet
from genmem.yardstick.file_properties import compare_files

COMPARED = 10
"""Neighbors that are searched at least: what is near is near beside the tenth."""


@dataclass(frozen=True, kw_only=True)
class SpaceSearch:
    """The neighbors of all images in one space.

    Attributes:
        space: its name.
        metric: of the distances.
        distances: float64 [n, k], nearest first, k at least `COMPARED` where there are as many.
        rows: int64 [n, k], training rows.
        null: distances of held-out images to their nearest training image, ascending, float64 [m];
            None where there are none, or where they are no yardstick.
        doubts: why they are none, a clause each.
    """

    space: str
    metric: Metric
    distances: NDArray[np.float64]
    rows: NDArray[np.int64]
    null: NDArray[np.float64] | None
    doubts: tuple[str, ...]


def search_space(by_role: dict[str, FeatureSet], neighbors: int) -> SpaceSearch:
    """Search the training images nearest to each image, exactly.

    Args:
        by_role: features of the images ("query"), and of the reference ("train").
        neighbors: that will be listed.
    """
    stored = by_role["train"].stored
    if stored is None or stored.space is None:
        raise AssertionError("the training set is a reference")
    space = stored.space
    metric = distance_metric(space.entry.name)
    k = min(max(neighbors, COMPARED), len(stored.reference))
    search = nearest(by_role["query"].array, by_role["train"].array, k=k, metric=metric)
    doubts = _doubts(space)
    return SpaceSearch(
        space=space.entry.name,
        metric=metric,
        distances=search.distances,
        rows=search.indices,
        null=_null(space, metric) if stored.reference.has_test and not doubts else None,
        doubts=doubts,
    )


def _null(space: ReferenceSpace, metric: Metric) -> NDArray[np.float64]:
    """Distances of held-out images to their nearest training image, ascending, float64 [m]."""
    search = space.test_euclidean if metric == "euclidean" else space.test_cosine
    return np.sort(search.distances[:, 0])


def _doubts(space: ReferenceSpace) -> tuple[str, ...]:
    """Why held-out images do not say how close honest images come, a clause each."""
    reference = space.reference
    if not reference.has_test:
        return ()
    doubts = []
    if space.two_sample is not None and space.two_sample.differs:
        doubts.append("their features differ from those of the training images")
    train, test = reference.properties("train"), reference.properties("test")
    if train is not None and test is not None:
        doubts += compare_files(train, test).clauses
    return tuple(doubts)
