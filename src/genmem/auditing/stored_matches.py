"""Matches that a reference holds: of its training rows, each left out, and of its held-out rows.

They are what the same search would find, to the bit, since searches are exact.
"""

from __future__ import annotations

import numpy as np

from genmem.auditing.search import Ints, Matches, Queries
from genmem.neighbors import Metric, Nearest
from genmem.scoring.feature_sets import FeatureSet, FeatureSets


def stored_others(train: FeatureSet, rows: Ints, *, k: int, metric: Metric) -> Matches | None:
    """The training rows nearest to some training rows, each left out; None where unknown.

    Args:
        train: the training set.
        rows: int64 [q], of it.
        k: neighbors to list.
        metric: the distance.
    """
    if train.stored is None or train.stored.space is None or metric != "absolute_cosine":
        return None
    return _first(train.stored.space.cosine, rows, k)


def stored_honest(
    sets: FeatureSets, honest: Queries, *, train_rows: Ints, k: int, metric: Metric
) -> Matches | None:
    """The training rows nearest to the images that stand for an honest generator; None if unknown.

    Args:
        sets: the sets.
        honest: rows of "test", or of "train", each left out.
        train_rows: int64, the training rows that are compared with.
        k: neighbors to list.
        metric: the distance.
    """
    train, test = sets.by_role["train"], sets.by_role.get("test")
    if len(train_rows) < len(train.ids) or honest.train_groups is not None:
        return None
    if honest.train_rows is not None:
        return stored_others(train, honest.train_rows, k=k, metric=metric)
    stored = None if test is None else test.stored
    if stored is None or stored.space is None or metric != "absolute_cosine":
        return None
    return _first(stored.space.test_cosine, slice(None), k)


def _first(search: Nearest, rows: Ints | slice, k: int) -> Matches | None:
    """The k nearest of some rows; None where fewer are listed."""
    if search.distances.shape[1] < k:
        return None
    train = search.indices[rows, :k]
    return Matches(
        distances=search.distances[rows, :k], train=train, augmentations=np.zeros_like(train)
    )
