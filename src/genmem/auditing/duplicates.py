"""Near-duplicates among the given images, found first since they distort every null."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genmem.arrays import check_at_least, take_rows, to_numpy
from genmem.auditing.augment_option import UNCHANGED
from genmem.auditing.feature_spaces import REFERENCE, SpaceSearch, distance_metric
from genmem.auditing.same_picture import CALIBRATION_IMAGES, find_same_pictures
from genmem.auditing.search import Matches, Queries, nearest_over_augmentations
from genmem.auditing.space_results import Bools, Duplicates, Floats, Ints
from genmem.auditing.stored_matches import stored_others
from genmem.metrics.copied_fraction import NO_DISTANCE
from genmem.neighbors import Metric
from genmem.scoring.feature_sets import FeatureSet, FeatureSets

MOST_QUERIES = 100_000
"""Training images that are compared with all others; a seeded sample where there are more."""

NEAR: dict[Metric, float] = {"absolute_cosine": 2 / 3, "euclidean": 1 / 3}
"""Pairs within this part of the tenth neighbor's distance, as lengths, are listed.

On CIFAR-10, test against train, practically every pair below it is one picture recompressed,
recolored, mirrored or slightly cropped (`docs/detection.md` shows them); among photographs most are
merely alike, which `same_picture` tells apart. For pixels it is the third of Yoon et al. 2023.
"""

CERTAIN = 1 / 3
"""Only pairs within this part that show the same picture, and equal files, are dropped.

In features, between it and `NEAR`, lie ordinary neighbors too where images are much alike
(handwritten digits): a null without its closest images would accuse honest ones.
"""


@dataclass(frozen=True, kw_only=True)
class TrainDuplicates:
    """Near-duplicates inside the training set.

    Attributes:
        pairs: for the audit.
        unique_rows: int64, training rows without those that certainly repeat an earlier one.
    """

    pairs: Duplicates
    unique_rows: Ints


@dataclass(frozen=True, kw_only=True)
class NullExclusions:
    """Held-out images that the null leaves out.

    Attributes:
        duplicates: near-duplicates between held-out and training images; empty without a test set.
        rows: bool [m], honest images that are left out.
        biased: some of them were left out for their distance alone.
    """

    duplicates: tuple[Duplicates, ...]
    rows: Bools
    biased: bool


def relative_distance(distances: Floats, metric: Metric) -> Floats:
    """d1 / d10 as lengths, float64 [n]: 1 − cos is half a squared length, so its root is taken."""
    reference = distances[:, min(REFERENCE, distances.shape[1]) - 1]
    relative = np.divide(
        distances[:, 0], reference, out=np.zeros(len(distances)), where=reference > 0
    )
    return relative if metric == "euclidean" else np.sqrt(relative)


def describe_rule(metric: Metric) -> str:
    """When two images count as near-duplicates, in words."""
    if metric == "euclidean":
        return "the distance is at most a third of that to the tenth nearest image"
    return "the distance, as a length √(1 − cos), is at most 2/3 of that to the tenth nearest image"


def find_train_duplicates(sets: FeatureSets, *, seed: int, drop: bool) -> TrainDuplicates:
    """Find training images that nearly repeat an earlier training image.

    Args:
        sets: the sets in one space.
        seed: of the sample, where there are more than `MOST_QUERIES` images.
        drop: the certain ones will be left out; only counted in the result.
    """
    train = sets.by_role["train"]
    metric = distance_metric(sets.backbone)
    count = int(train.array.shape[0])
    rows = np.arange(count)
    if count > MOST_QUERIES:
        rows = np.sort(np.random.default_rng(seed).choice(count, MOST_QUERIES, replace=False))
    k = min(REFERENCE, count - 1)
    matches = stored_others(train, rows, k=k, metric=metric)
    if matches is None:
        array = train.array if len(rows) == count else take_rows(train.array, rows)
        matches = nearest_over_augmentations(
            {"train": Queries(array=array, train_rows=rows)},
            [iter([train.array])],
            train_rows=np.arange(count),
            k=k,
            metric=metric,
        )["train"]
    first, second, distances = _near_pairs(rows, matches, metric)
    # Each pair once: the later image repeats the earlier one.
    later, earlier = np.maximum(first, second), np.minimum(first, second)
    _, once = np.unique(later * count + earlier, return_index=True)
    later, earlier, distances = later[once], earlier[once], distances[once]
    order = np.argsort(distances, kind="stable")
    later, earlier = later[order], earlier[order]
    exact = _same_content(train, later, train, earlier)
    same = _same_pictures(train, train, (later, earlier), exact, rows, matches)
    certain = exact | _is_certain(later, earlier, rows, matches, metric)
    if train.has_pictures:
        certain &= same
    pairs = _duplicates(
        sets,
        "train",
        (later, earlier, distances[order]),
        exact=exact,
        same=same,
        examined=len(rows),
        dropped=int(certain.sum()) if drop else 0,
    )
    unique_rows = _representatives(count, later[certain], earlier[certain])
    return TrainDuplicates(pairs=pairs, unique_rows=unique_rows)


def exclude_duplicates(sets: FeatureSets, search: SpaceSearch, *, drop: bool) -> NullExclusions:
    """Find held-out images that nearly repeat training images, and those the null leaves out.

    Args:
        sets: the sets in the space where they are searched.
        search: the search in that space.
        drop: the certain ones are left out.

    Raises:
        InputError: none would be left.
    """
    matches = search.honest[UNCHANGED]
    examined = len(matches.distances)
    none = np.zeros(examined, dtype=bool)
    if "test" not in sets.by_role:
        return NullExclusions(duplicates=(), rows=none, biased=False)
    first, second, distances = _near_pairs(np.arange(examined), matches, search.metric)
    order = np.argsort(distances, kind="stable")
    first, second = first[order], second[order]
    test, train = sets.by_role["test"], sets.by_role["train"]
    exact = _same_content(test, first, train, second)
    same = _same_pictures(test, train, (first, second), exact, np.arange(examined), matches)
    copies, repeats = none.copy(), none.copy()
    copies[first[exact]] = True
    repeats[first[same]] = True
    has_pictures = test.has_pictures and train.has_pictures
    certain = (_relative(matches, search.metric) <= CERTAIN) & (repeats if has_pictures else True)
    certain |= copies
    duplicates = _duplicates(
        sets,
        "test",
        (first, second, distances[order]),
        exact=exact,
        same=same,
        examined=examined,
        dropped=int(certain.sum()) if drop else 0,
    )
    if not drop:
        return NullExclusions(duplicates=(duplicates,), rows=none, biased=False)
    why = "all held-out images nearly repeat training images, so none is left to compare with."
    check_at_least(int((~certain).sum()), 1, role="test", why=why)
    return NullExclusions(
        duplicates=(duplicates,), rows=certain, biased=bool((certain & ~copies).any())
    )


def _duplicates(
    sets: FeatureSets,
    role: str,
    pairs: tuple[Ints, Ints, Floats],
    *,
    exact: Bools,
    same: Bools,
    examined: int,
    dropped: int,
) -> Duplicates:
    """Pairs of an image of one role with a training image, and their distances, with their ids."""
    first, second, distances = pairs
    ids, train_ids = sets.by_role[role].ids, sets.by_role["train"].ids
    return Duplicates(
        between=f"{role} and train",
        space=sets.backbone,
        rule=describe_rule(distance_metric(sets.backbone)),
        first_ids=[str(ids[int(row)]) for row in first],
        second_ids=[str(train_ids[int(row)]) for row in second],
        first=first,
        second=second,
        distances=distances,
        exact=exact,
        same=same,
        examined=examined,
        of=len(ids),
        dropped=dropped,
    )


def _same_pictures(
    first: FeatureSet,
    second: FeatureSet,
    pairs: tuple[Ints, Ints],
    exact: Bools,
    rows: Ints,
    matches: Matches,
) -> Bools:
    """bool [p]: pairs that show the same picture: equal files, and those that agree in details.

    What different pictures reach is seen on the images between the middle and the last of the
    listed neighbors, which are near, but rarely repeat an image.
    """
    last = matches.train.shape[1] - 1
    chosen = np.unique(np.linspace(0, len(rows) - 1, CALIBRATION_IMAGES).astype(np.int64))
    columns = sorted({last, last // 2} - {0})
    different = (
        np.tile(rows[chosen], len(columns)),
        np.concatenate([matches.train[chosen, column] for column in columns] or [chosen[:0]]),
    )
    same = exact.copy()
    left = np.flatnonzero(~exact)
    same[left] = find_same_pictures(
        first, second, (pairs[0][left], pairs[1][left]), (different[0], different[1])
    )
    return same


def _is_certain(later: Ints, earlier: Ints, rows: Ints, matches: Matches, metric: Metric) -> Bools:
    """bool [p]: pairs of training images that lie within `CERTAIN`, seen from either of them."""
    certain = _relative(matches, metric) <= CERTAIN
    links = set(zip(rows[certain].tolist(), matches.train[certain, 0].tolist(), strict=True))
    pairs = zip(later.tolist(), earlier.tolist(), strict=True)
    return np.array([(a, b) in links or (b, a) in links for a, b in pairs], dtype=bool)


def _near_pairs(rows: Ints, matches: Matches, metric: Metric) -> tuple[Ints, Ints, Floats]:
    """The rows that repeat their nearest training image, that image, and the distance."""
    close = _relative(matches, metric) <= NEAR[metric]
    return rows[close], matches.train[close, 0], matches.distances[close, 0]


def _relative(matches: Matches, metric: Metric) -> Floats:
    """d1/d10; where there is but one neighbor, 0 for an equal image and ∞ for any other."""
    if matches.distances.shape[1] < 2:
        return np.where(np.abs(matches.distances[:, 0]) <= NO_DISTANCE, 0.0, np.inf)
    return relative_distance(matches.distances, metric)


def _same_content(
    first: FeatureSet, first_rows: Ints, second: FeatureSet, second_rows: Ints
) -> Bools:
    """bool [p]: whether the stored images (or, for features, the rows) are the same to the byte."""
    hashes, second_hashes = first.content_hashes, second.content_hashes
    if hashes is not None and second_hashes is not None:
        return np.asarray((hashes[first_rows] == second_hashes[second_rows]).all(axis=1))
    if not len(first_rows):
        return np.zeros(0, dtype=bool)
    arrays = (
        to_numpy(take_rows(one.array, rows))
        for one, rows in ((first, first_rows), (second, second_rows))
    )
    return np.asarray(np.equal(*arrays).all(axis=1))


def _representatives(count: int, later: Ints, earlier: Ints) -> Ints:
    """Rows of which none repeats an earlier one, directly or through others; ascending."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = coo_array((np.ones(len(later)), (later, earlier)), shape=(count, count))
    _, groups = connected_components(links, directed=False)
    return np.sort(np.unique(groups, return_index=True)[1]).astype(np.int64)
