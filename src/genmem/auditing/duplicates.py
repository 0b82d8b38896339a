"""Near-duplicates among the given images: they distort every null, so they are found first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from genmem.arrays import check_at_least, take_rows, to_numpy
from genmem.auditing.augmentations import AS_THEY_ARE
from genmem.auditing.results import Bools, Duplicates, Floats, Ints
from genmem.auditing.search import Matches, Queries, nearest_over_forms
from genmem.auditing.significance import REFERENCE, SpaceSearch, metric_of
from genmem.images import hash_images
from genmem.metrics.copied_fraction import NO_DISTANCE
from genmem.neighbors import Metric
from genmem.scoring.feature_sets import FeatureSet, FeatureSets

MOST_QUERIES = 100_000
"""Training images that are compared with all others; a seeded sample where there are more."""

RELATIVE: dict[Metric, float] = {"absolute_cosine": 2 / 3, "euclidean": 1 / 3}
"""Near-duplicates lie within this part of the tenth neighbour's distance, as lengths.

Judged by eye on CIFAR-10, test against train: below it practically every pair is one picture
recompressed, recoloured, mirrored or slightly cropped (`docs/detection.md` shows them). For pixels
it is the third of Yoon et al. 2023.
"""


@dataclass(frozen=True, kw_only=True)
class TrainDuplicates:
    """Repetitions inside the training set.

    Attributes:
        found: the pairs.
        kept: int64, rows without those that repeat an earlier one.
    """

    found: Duplicates
    kept: Ints


CERTAIN = 1 / 3
"""Only pairs within this part are dropped, and equal files: `dropped_rule` in words.

In features, between it and `RELATIVE`, lie ordinary neighbours too where images are much alike
(handwritten digits): a null without its closest images would accuse honest ones.
"""


def relative_distance(distances: Floats, metric: Metric) -> Floats:
    """d1 / d10 as lengths, float64 [n]: 1 − cos is half a squared length, so its root is taken."""
    reference = distances[:, min(REFERENCE, distances.shape[1]) - 1]
    relative = np.divide(
        distances[:, 0], reference, out=np.zeros(len(distances)), where=reference > 0
    )
    return relative if metric == "euclidean" else np.sqrt(relative)


def rule(metric: Metric) -> str:
    """When two images count as near-duplicates, in words."""
    if metric == "euclidean":
        return "the distance is at most a third of that to the tenth nearest image"
    return "the distance, as a length √(1 − cos), is at most 2/3 of that to the tenth nearest image"


def train_duplicates(inputs: FeatureSets, *, seed: int, dropped: bool) -> TrainDuplicates:
    """Training images that nearly repeat an earlier training image.

    Args:
        inputs: the sets in one space.
        seed: of the sample, where there are more than `MOST_QUERIES` images.
        dropped: the certain ones will be left out; only counted in the result.
    """
    train = inputs.by_role["train"]
    metric = metric_of(inputs.backbone)
    count = int(train.array.shape[0])
    asked = np.arange(count)
    if count > MOST_QUERIES:
        asked = np.sort(np.random.default_rng(seed).choice(count, MOST_QUERIES, replace=False))
    array = train.array if len(asked) == count else take_rows(train.array, asked)
    matches = nearest_over_forms(
        {"train": Queries(array=array, own=asked)},
        [iter([train.array])],
        kept=np.arange(count),
        k=min(REFERENCE, count - 1),
        metric=metric,
    )["train"]
    first, second, distances = _pairs(asked, matches, metric)
    # Each pair once: the later image repeats the earlier one.
    later, earlier = np.maximum(first, second), np.minimum(first, second)
    _, once = np.unique(later * count + earlier, return_index=True)
    later, earlier, distances = later[once], earlier[once], distances[once]
    order = np.argsort(distances, kind="stable")
    later, earlier = later[order], earlier[order]
    exact = _same_content(train, later, train, earlier)
    certain = exact | _is_certain(later, earlier, asked, matches, metric)
    out = int(certain.sum()) if dropped else 0
    found = _found(inputs, "train", later, earlier, distances[order], exact, len(asked), out)
    kept = _representatives(count, later[certain], earlier[certain])
    return TrainDuplicates(found=found, kept=kept)


@dataclass(frozen=True, kw_only=True)
class TestDuplicates:
    """Held-out images that repeat training images.

    Attributes:
        found: the pairs.
        certain: bool [m], those that surely do.
        exact: bool [m], those that do to the byte.
    """

    found: Duplicates
    certain: Bools
    exact: Bools


def test_duplicates(inputs: FeatureSets, matches: Matches, *, dropped: bool) -> TestDuplicates:
    """Held-out images that nearly repeat a training image.

    Args:
        inputs: the sets in one space.
        matches: the held-out images' nearest training images, as they are or in any form.
        dropped: the certain ones are left out of the null; only counted in the result.
    """
    test, train = inputs.by_role["test"], inputs.by_role["train"]
    metric = metric_of(inputs.backbone)
    first, second, distances = _pairs(np.arange(len(matches.distances)), matches, metric)
    order = np.argsort(distances, kind="stable")
    first, second = first[order], second[order]
    exact = _same_content(test, first, train, second)
    examined = len(matches.distances)
    same = np.zeros(examined, dtype=bool)
    same[first[exact]] = True
    certain = same | (_relative(matches, metric) <= CERTAIN)
    out = int(certain.sum()) if dropped else 0
    found = _found(inputs, "test", first, second, distances[order], exact, examined, out)
    return TestDuplicates(found=found, certain=certain, exact=same)


@dataclass(frozen=True, kw_only=True)
class Spared:
    """What the null leaves out.

    Attributes:
        found: near-duplicates between held-out and training images; empty without the former.
        rows: bool [m], honest images that are left out.
        thinned: some of them for their distance alone.
    """

    found: tuple[Duplicates, ...]
    rows: Bools
    thinned: bool


def spared_images(inputs: FeatureSets, search: SpaceSearch, *, dropped: bool) -> Spared:
    """Held-out images that repeat training images, and which of them the null leaves out.

    Args:
        inputs: the sets in the space where they are looked for.
        search: what was found there.
        dropped: the certain ones are left out.

    Raises:
        InputError: none would be left.
    """
    matches = search.honest[AS_THEY_ARE]
    none = np.zeros(len(matches.distances), dtype=bool)
    if "test" not in inputs.by_role:
        return Spared(found=(), rows=none, thinned=False)
    again = test_duplicates(inputs, matches, dropped=dropped)
    if not dropped:
        return Spared(found=(again.found,), rows=none, thinned=False)
    why = "all held-out images nearly repeat training images, so none is left to compare with."
    check_at_least(int((~again.certain).sum()), 1, role="test", why=why)
    thinned = bool((again.certain & ~again.exact).any())
    return Spared(found=(again.found,), rows=again.certain, thinned=thinned)


def _found(
    inputs: FeatureSets,
    role: str,
    first: Ints,
    second: Ints,
    distances: Floats,
    exact: Bools,
    examined: int,
    dropped: int,
) -> Duplicates:
    """The pairs of images of one role with training images, with their names."""
    ids = inputs.by_role[role].ids
    train_ids = inputs.by_role["train"].ids
    return Duplicates(
        between=f"{role} and train",
        space=inputs.backbone,
        rule=rule(metric_of(inputs.backbone)),
        first_ids=[str(ids[int(row)]) for row in first],
        second_ids=[str(train_ids[int(row)]) for row in second],
        first=first,
        second=second,
        distances=distances,
        exact=exact,
        examined=examined,
        of=len(ids),
        dropped=dropped,
    )


def _is_certain(later: Ints, earlier: Ints, asked: Ints, matches: Matches, metric: Metric) -> Bools:
    """bool [p]: pairs of training images that lie within `CERTAIN`, seen from either of them."""
    sure = _relative(matches, metric) <= CERTAIN
    links = set(zip(asked[sure].tolist(), matches.train[sure, 0].tolist(), strict=True))
    pairs = zip(later.tolist(), earlier.tolist(), strict=True)
    return np.array([(a, b) in links or (b, a) in links for a, b in pairs], dtype=bool)


def _pairs(rows: Ints, matches: Matches, metric: Metric) -> tuple[Ints, Ints, Floats]:
    """The rows that repeat their nearest training image, that image, and the distance."""
    close = _relative(matches, metric) <= RELATIVE[metric]
    return rows[close], matches.train[close, 0], matches.distances[close, 0]


def _relative(matches: Matches, metric: Metric) -> Floats:
    """d1/d10; where there is but one neighbour, 0 for an equal image and ∞ for any other."""
    if matches.distances.shape[1] < 2:
        return np.where(np.abs(matches.distances[:, 0]) <= NO_DISTANCE, 0.0, np.inf)
    return relative_distance(matches.distances, metric)


def _same_content(one: FeatureSet, rows: Ints, other: FeatureSet, others: Ints) -> Bools:
    """bool [p]: whether the stored images (or, for features, the rows) are the same to the byte."""
    if one.source is not None and other.source is not None:
        first = hash_images(one.source).per_image[one.positions[rows]]
        second = hash_images(other.source).per_image[other.positions[others]]
        return np.asarray((first == second).all(axis=1))
    if not len(rows):
        return np.zeros(0, dtype=bool)
    return np.asarray((_rows_of(one.array, rows) == _rows_of(other.array, others)).all(axis=1))


def _rows_of(array: Any, rows: Ints) -> Any:
    return to_numpy(take_rows(array, rows))


def _representatives(count: int, later: Ints, earlier: Ints) -> Ints:
    """Rows of which none repeats an earlier one, directly or through others; ascending."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = coo_array((np.ones(len(later)), (later, earlier)), shape=(count, count))
    _, groups = connected_components(links, directed=False)
    return np.sort(np.unique(groups, return_index=True)[1]).astype(np.int64)
