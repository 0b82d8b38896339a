"""The evidence of `genmem.audit` for its verdict: flags, distances and yardstick, gathered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from genmem.arrays import take_rows
from genmem.auditing.augment_option import UNCHANGED
from genmem.auditing.exact_copies import equal_images
from genmem.auditing.feature_spaces import SpaceSearch
from genmem.auditing.groups import HonestUnits
from genmem.auditing.results import Audit, copied_images
from genmem.auditing.search import Matches
from genmem.auditing.searches import Searches
from genmem.auditing.space_results import Bools, Ints
from genmem.formatting import in_space, join_words, percent, printable, share
from genmem.metrics.copied_fraction import (
    copied_fraction_from,
    relative_distances,
    snap_to_zero,
)
from genmem.metrics.intervals import clopper_pearson
from genmem.neighbors import Nearest
from genmem.reference.description import SEED
from genmem.results import Interval, Result, Verdict, Yardstick
from genmem.scoring.evidence import CHANCE, Evidence, NearCopies
from genmem.scoring.exact_copies import NO_DISTANCE, ExactCopies, count_exact_copies
from genmem.scoring.feature_sets import FeatureSet, FeatureSets
from genmem.scoring.held_out import FEWEST_IMAGES, same_inputs
from genmem.scoring.missed_kinds import missed_kinds
from genmem.scoring.verdict_rule import decide
from genmem.yardstick import Precomputed, check_yardstick, merge_yardsticks
from genmem.yardstick.generator_shape import GeneratorShape, generator_shape
from genmem.yardstick.series import count_repeats, repeats_of, series_of

LOCAL = "local"
"""The name of local evidence among the spaces: regions that images share."""

NEAR = 1 / 3
"""Near-copies are more than three times nearer to one training image than to any other."""


def add_verdict(audit: Audit, searches: Searches, honest: HonestUnits, *, seed: int) -> Audit:
    """The audit with its yardstick and its verdict.

    Args:
        audit: without them.
        searches: the sets and the searches in every feature space.
        honest: the honest images that the null keeps.
        seed: of samples and permutations.
    """
    spaces, by_space = searches.spaces, searches.by_space
    evidence = _evidence(audit)
    yardsticks: list[Yardstick] = []
    if _held_out(audit) and _enough(audit):
        yardsticks = [_check(searches, place, honest, seed=seed) for place in range(len(spaces))]
        evidence = replace(evidence, shape=_shape(spaces[0], by_space[0], seed))
    yardstick = merge_yardsticks(yardsticks, [search.name for search in by_space])
    exact = _exact_copies(audit, searches, yardsticks, seed)
    of_left_out, where_left_out = _of_left_out(by_space, yardsticks)
    evidence = replace(
        evidence,
        yardstick=yardstick,
        of_left_out=of_left_out,
        where_left_out=where_left_out,
        exact=exact,
        near=_near_copies(audit, by_space),
    )
    return replace(audit, yardstick=yardstick, verdict=decide(evidence))


def _exact_copies(
    audit: Audit, searches: Searches, yardsticks: Sequence[Yardstick], seed: int
) -> ExactCopies | None:
    """Exact copies, beside repeats among held-out and among all training images."""
    sets, by_space = searches.spaces[0], searches.by_space
    equal = equal_images(sets, by_space)
    train = sets.by_role["train"]
    every = len(searches.duplicates.unique_rows) == len(train.ids)
    repeats = repeats_of(yardsticks[0]) if yardsticks and every else None
    if repeats is None and not equal.generated.all():
        others = _stored_others(train, by_space[0])
        repeats = count_repeats(train.array, metric=by_space[0].metric, seed=seed, others=others)
    by_role = {"generated": equal.generated}
    if equal.test is not None:
        by_role["test"] = equal.test
    return count_exact_copies(
        by_role,
        held_out=_held_out(audit),
        comparable=all(one.holds for one in yardsticks),
        repeats=repeats,
        what="to the pixel" if equal.to_the_pixel else "in all features",
    )


def judge(audit: Audit) -> Verdict:
    """What the numbers of an audit say, without a look at the sets."""
    return decide(replace(_evidence(audit), yardstick=audit.yardstick))


def flagged_sentence(audit: Audit) -> str:
    """How many images are flagged, at which rate."""
    flagged, total = int(audit.flagged.sum()), len(audit.p_values)
    rate = f"at a false-discovery rate of {percent(audit.level)}"
    if flagged:
        images = "generated image" if total == 1 else "generated images"
        are_copies = "is flagged as a copy" if flagged == 1 else "are flagged as copies"
        return f"{flagged:,} of {total:,} {images} {are_copies} {rate}."
    if total == 1:
        return f"The one generated image is not flagged as a copy {rate}."
    return f"None of the {total:,} generated images is flagged as a copy {rate}."


def _evidence(audit: Audit) -> Evidence:
    """What the numbers of an audit say, before the sets are looked at."""
    images = len(audit.p_values)
    return Evidence(
        images=images,
        same_as_train=same_inputs(audit.inputs, "generated", "train"),
        finding=flagged_sentence(audit),
        flagged=int(audit.flagged.sum()),
        matched=len(copied_images(audit)),
        bound=audit.power.bound("planted") if audit.power else "",
        fraction=_fraction(audit),
        missing=_missing(audit),
        too_few=_too_few(audit),
        missed=missed_kinds(
            [space.name for space in audit.spaces if space.name != LOCAL],
            parts=any(space.name == LOCAL for space in audit.spaces),
            augmentations=[augmentation.name for augmentation in audit.augmentations],
        ),
        shares=_shares(audit),
        where=_where(audit),
        where_shape=in_space(audit.spaces[0].name),
    )


def _where(audit: Audit) -> str:
    """The spaces of `_fraction`, as a clause."""
    fraction = audit.copied_fraction
    if fraction is None or fraction.interval is None or len(audit.spaces) == 1:
        return in_space(audit.spaces[0].name)
    return f"in {join_words([printable(space.name) for space in audit.spaces], last='or')}"


def _shares(audit: Audit) -> str:
    """The share of copies in each space, where they differ, as a sentence; else empty."""
    shares = [
        (space.name, share(space.copied_fraction.value))
        for space in audit.spaces
        if space.copied_fraction is not None and not np.isnan(space.copied_fraction.value)
    ]
    whole = audit.copied_fraction
    excludes_zero = whole is not None and whole.interval is not None and whole.interval.low > 0
    if not excludes_zero or len({value for _, value in shares}) < 2:
        return ""
    listed = join_words([f"{value} in {name}" for name, value in shares])
    return (
        f"Share of copies by feature space: {listed}. Each recognizes copies that another misses; "
        "a score gives the share of its own space only."
    )


def _held_out(audit: Audit) -> bool:
    return audit.spaces[0].null.source == "test" and not _missing(audit)


def _enough(audit: Audit) -> bool:
    return min(len(audit.p_values), len(audit.spaces[0].null.statistic)) >= FEWEST_IMAGES


def _too_few(audit: Audit) -> str:
    """Why there are too few images, as a clause; flags count whatever their number."""
    honest, images = len(audit.spaces[0].null.statistic), len(audit.p_values)
    if min(honest, images) >= FEWEST_IMAGES or audit.flagged.any():
        return ""
    ones = "ones" if audit.spaces[0].null.images is None else "groups"
    return (
        f"too few images ({images:,} generated and {honest:,} honest {ones}; {FEWEST_IMAGES} of "
        "each kind are needed)"
    )


def _missing(audit: Audit) -> str:
    """Why the honest images say nothing, as a clause; empty if they do."""
    for role, name in (("train", "training"), ("generated", "generated")):
        if same_inputs(audit.inputs, "test", role):
            return f"the held-out images are the {name} images, so this says nothing"
    null = audit.spaces[0].null
    if float(np.median(null.statistic)) == 0:
        if null.source == "test":
            return "most held-out images are also training images, so this says nothing"
        return "most training images occur twice or more, so this says nothing"
    return ""


def _fraction(audit: Audit) -> Result | None:
    """The copied fraction; where it has no interval, with the upper end of one in the first space.

    Where training images stand for honest ones they come in pairs that are each other's nearest,
    and where held-out images were left out for their distance the others are farther off: the lower
    end of an interval would not hold, and is 0. The upper end asks nothing of honest images.
    """
    estimate = audit.copied_fraction
    if estimate is not None and (estimate.interval is not None or np.isnan(estimate.value)):
        return estimate
    space = audit.spaces[0]
    result = copied_fraction_from(
        generated=space.statistic, test=space.null.statistic, train_rows=len(audit.train_ids)
    )
    below = result.parts.get("below")
    if result.interval is None or not isinstance(below, int):
        return None
    high = clopper_pearson(below, len(space.statistic))[1]
    return replace(result, interval=replace(result.interval, low=0.0, high=high))


def _check(searches: Searches, place: int, honest: HonestUnits, *, seed: int) -> Yardstick:
    """The yardstick in one space, of the rows that are compared; files are looked at once."""
    by_role, search = searches.spaces[place].by_role, searches.by_space[place]
    sources = {role: rows.stored_images for role, rows in by_role.items()} if place == 0 else None
    rows = {"train": searches.duplicates.unique_rows, "test": np.flatnonzero(honest.kept)}
    groups = None
    if searches.groups is not None:
        of_role = searches.groups.by_role
        groups = np.concatenate([of_role[role][rows[role]] for role in rows]).tolist()
    return check_yardstick(
        train=_take(by_role["train"].array, rows["train"]),
        test=_take(by_role["test"].array, rows["test"]),
        sources=sources,
        groups=groups,
        metric=search.metric,
        precomputed=_precomputed(searches, place, rows, seed),
        seed=seed,
    )


def _precomputed(
    searches: Searches, place: int, rows: Mapping[str, Ints], seed: int
) -> Precomputed:
    """What the searches and a reference say of the rows that are compared."""
    by_role, search = searches.spaces[place].by_role, searches.by_space[place]
    test_distances = search.honest[UNCHANGED].distances[rows["test"], 0]
    train, test = by_role["train"], by_role["test"]
    if len(rows["train"]) < len(train.ids):
        return Precomputed(test_distances=test_distances)
    two_sample = None
    if seed == SEED and test.stored is not None and len(rows["test"]) == len(test.ids):
        two_sample = test.stored.space and test.stored.space.two_sample
    return Precomputed(
        test_distances=test_distances,
        others=_stored_others(train, search),
        two_sample=two_sample,
    )


def _stored_others(train: FeatureSet, search: SpaceSearch) -> Nearest | None:
    """The nearest other training rows of each, where a reference lists them."""
    if train.stored is None or train.stored.space is None or search.metric == "euclidean":
        return None
    return train.stored.space.cosine


def _take(array: Any, rows: Ints) -> Any:
    """Some of the rows, ascending; all of them without a copy."""
    return array if len(rows) == int(array.shape[0]) else take_rows(array, rows)


def _of_left_out(
    searches: Sequence[SpaceSearch], yardsticks: Sequence[Yardstick]
) -> tuple[Result | None, str]:
    """The copied fraction against training images left out, in the space that shows most."""
    results: list[tuple[Result, str]] = []
    for search, yardstick in zip(searches, yardsticks, strict=False):
        series, matches = series_of(yardstick), search.generated[UNCHANGED]
        if series is None:
            continue
        result = copied_fraction_from(
            generated=relative_distances(matches.distances),
            test=series.left_out_closeness,
            nearest_train=matches.train[:, 0],
            train_rows=series.train,
        )
        p_value = result.parts.get("p_value")
        if isinstance(p_value, float) and p_value <= CHANCE / len(yardsticks):
            results.append((result, in_space(search.name)))
    return max(results, key=lambda item: _low(item[0].interval), default=(None, ""))


def _low(interval: Interval | None) -> float:
    return interval.low if interval is not None else 0.0


def _shape(sets: FeatureSets, search: SpaceSearch, seed: int) -> GeneratorShape:
    return generator_shape(
        generated=sets.by_role["generated"].array,
        test=sets.by_role["test"].array,
        generated_distances=search.generated[UNCHANGED].distances[:, 0],
        test_distances=search.honest[UNCHANGED].distances[:, 0],
        metric=search.metric,
        seed=seed,
    )


def _near_copies(audit: Audit, searches: Sequence[SpaceSearch]) -> NearCopies | None:
    """Near-copies in the space where they are most unusual; None in the others."""
    counted = []
    for search in searches:
        matches = search.generated[UNCHANGED]
        near, exact = _is_near(matches, search), np.zeros(len(matches.distances), dtype=bool)
        honest = search.honest if _held_out(audit) else {}
        test_near = _is_near(honest[UNCHANGED], search) if UNCHANGED in honest else np.zeros(0)
        if not len(test_near):  # repeats inside train explain exact copies only
            exact = near & (matches.distances[:, 0] <= NO_DISTANCE)
            near = near & ~exact
        counted.append(
            NearCopies(
                near=int(near.sum()),
                images=len(near),
                test_near=int(test_near.sum()),
                test_images=len(test_near),
                low=clopper_pearson(int(near.sum()), len(near))[0],
                where=in_space(search.name),
                chance=CHANCE / len(searches),
                exact=int(exact.sum()),
            )
        )
    return min(counted, key=lambda near: (near.p_value, -near.low))


def _is_near(matches: Matches, search: SpaceSearch) -> Bools:
    """bool [n]: d₁/d₂ < 1/3 as lengths; √(1 − cos) is one."""
    if matches.distances.shape[1] < 2:
        return np.zeros(len(matches.distances), dtype=bool)
    first, second = (snap_to_zero(matches.distances[:, column]) for column in (0, 1))
    if search.metric != "euclidean":
        first, second = np.sqrt(first), np.sqrt(second)
    return first < NEAR * second
