"""Readings of the metrics that look for copies. Each says what its value cannot show."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from genmem.formatting import capitalize, number, share
from genmem.report.score.interpretation_types import (
    CLEAR_Z,
    FEWEST_IMAGES,
    Reading,
    Sign,
    has_yardstick,
    no_yardstick,
    part,
    too_few,
)
from genmem.report.score.tables import share_range
from genmem.results import Interval, Result, Score

NO_DISTANCE = 1e-12
"""The search decides in float64, where equal rows come out at 0 up to this rounding."""

LARGE_SHARE = 0.01
"""From this part of the images on, exact copies are the generator's habit."""

SAME_DIRECTION = (
    "The distance is one of direction: an image whose features are a multiple of another's counts "
    "as its copy."
)


@dataclass(frozen=True, kw_only=True)
class ExactCopies:
    """How many images of a set are exact copies of training images, and what that says.

    Attributes:
        sentence: one sentence, whole.
        sign: what it says about copying; "none" where held-out images are copies as often.
    """

    sentence: str
    sign: Sign


def exact_copies(score: Score) -> ExactCopies | None:
    """The generated images that are exact copies; None where there are none.

    Held-out images that are training images too tell of a data set that repeats itself; the
    generator is suspected where it repeats more than they do.
    """
    copies, images = _count(score, "generated")
    if not copies:
        return None
    said = _said(copies, images, "generated")
    known, held_out = _count(score, "test") if has_yardstick(score) else (0, 0)
    if known:
        others = _said(known, held_out, "held-out")
        if _as_often(copies, images, known, held_out):
            return ExactCopies(
                sentence=f"{said} in this feature space, but {others} too, about as often: the "
                "data repeat themselves.",
                sign="none",
            )
        said = f"{said} in this feature space, and only {others}"
    elif held_out:
        said = f"{said} in this feature space, and no held-out image is"
    else:
        said = f"{said} in this feature space"
    large = copies == images or copies / images >= LARGE_SHARE
    return ExactCopies(sentence=f"{said}.", sign="copying" if large else "doubt")


def _count(score: Score, role: str) -> tuple[int, int]:
    """Exact copies of training images in a set, and its images; (0, 0) where it was not given."""
    distances = score.nearest.get(role)
    if distances is None:
        return 0, 0
    return int(np.count_nonzero(distances <= NO_DISTANCE)), len(distances)


def _said(copies: int, images: int, role: str) -> str:
    """`3 of 400 generated images are exact copies of training images`."""
    if copies == images == 1:
        return f"the one {role} image is an exact copy of a training image"
    if copies == images:
        return f"all {images:,} {role} images are exact copies of training images"
    is_copy = (
        "is an exact copy of a training image"
        if copies == 1
        else ("are exact copies of training images")
    )
    return f"{copies:,} of {images:,} {role} images {is_copy}"


def _as_often(copies: int, images: int, known: int, held_out: int) -> bool:
    """Whether two shares differ by no more than chance: the pooled z-test of two proportions."""
    pooled = (copies + known) / (images + held_out)
    spread = math.sqrt(pooled * (1 - pooled) * (1 / images + 1 / held_out))
    return copies / images - known / held_out <= CLEAR_Z * spread


WEAK_Z = 2.0
"""A z-score this far from 0 is chance in about one honest comparison in 44, on one side."""

ENOUGH_IN_TAIL = 20
"""Images expected in a tail before its share is judged."""

TAIL_EXCESS = 3.0
"""A tail of 20 images this many times too full is chance in fewer than one comparison in 1,000."""

HIGHEST_TAIL = 0.05
"""The largest part of the images that still counts as the closest ones."""

NEAR_COPIES = 0.01
"""A share of near-copies above this is suspicious where no held-out images tell what is usual; of
CIFAR-10's held-out images 0.1 % are such, by duplicates in the data set."""

RARE = 0.001
"""A chance below this is not worth a sentence."""


def c_t(result: Result, score: Score) -> Reading:
    """Meehan et al.'s z-score: are generated images nearer to train than held-out images are?"""
    z = result.value
    if not has_yardstick(score):
        return Reading(
            finding=f"{number(z)} standard deviations, but the held-out images are among the sets "
            "they should judge, so this says nothing.",
        )
    if few := too_few(result):
        return Reading(
            finding=f"{number(z)} standard deviations, but too few images to tell: {few}, and "
            f"{FEWEST_IMAGES} of each kind are needed.",
        )
    limits = (
        "It compares whole distributions: a few per cent of copies among honest images pass it."
    )
    if z <= -CLEAR_Z:
        return Reading(
            finding=f"Closer to the training set than held-out images are: copying "
            f"({number(z)} standard deviations).",
            sign="copying",
        )
    if z <= -WEAK_Z:
        return Reading(
            finding=f"Somewhat closer to the training set than held-out images are "
            f"({number(z)} standard deviations): a hint of copying, not proof.",
            limits=limits,
            sign="doubt",
        )
    if z < CLEAR_Z:
        return Reading(
            finding=f"On the whole about as close to the training set as held-out images are "
            f"({number(z)} standard deviations).",
            limits=limits,
            sign="clear",
        )
    return Reading(
        finding=f"On the whole farther from the training set than held-out images are "
        f"({number(z)} standard deviations): underfitting or poor images, not wholesale copying.",
        limits="Poor images can hide copies among them: look at the closest pairs.",
        sign="clear",
    )


def copied_fraction(result: Result, score: Score) -> Reading:
    """The share of images closer to train than held-out ones ever are, and how sure that is."""
    interval, chance = result.interval, part(result, "p_value")
    if not has_yardstick(score):
        return Reading(
            finding=f"{share(result.value)}, but the held-out images are among the sets they "
            "should judge, so this says nothing.",
        )
    few = too_few(result)
    if few or interval is None:
        why = f": {few}, and {FEWEST_IMAGES} of each kind are needed" if few else ""
        return Reading(finding=f"Too few images to tell copies from chance{why}.")
    if interval.low > 0:
        limits = "Copies farther off than the closest held-out images are not counted."
        if chance is not None and chance > RARE:
            once = f"An honest generator shows as much in {share(chance)} of cases, by chance."
            limits = f"{once} {limits}"
        return Reading(
            finding=f"{copied_images(result, interval)} are closer to training images than "
            "held-out images ever are: copies.",
            limits=limits,
            sign="copying",
        )
    return Reading(
        finding=f"No more of the generated images than of the held-out ones are as close to a "
        f"training image as copies are; at most {share(interval.high)} of the generated images are "
        "copies.",
        limits="Copies that this backbone takes for new images are not counted.",
        sign="clear",
    )


def copied_images(result: Result, interval: Interval) -> str:
    """`About 1.2 % of the generated images (0.85 to 1.7 %), some 120 of 10,000,`."""
    images = result.n["generated"]
    if result.value == 1:
        return f"All {images:,} generated images ({share_range(interval)})"
    return (
        f"About {share(result.value)} of the generated images ({share_range(interval)}), some "
        f"{max(1, round(result.value * images)):,} of {images:,},"
    )


def memorization_distance(result: Result, score: Score) -> Reading:
    """Mean over generated images of the distance to the nearest training image."""
    limits = "A mean hides dilution: copies mixed with far-off images give an ordinary value."
    return _with_exact_copies(
        Reading(
            finding=f"A generated image is on average {number(result.value)} away from its "
            "nearest training image; 0 would be exact copies.",
            limits=limits if has_yardstick(score) else f"{limits} {_no_telling(score)}",
        ),
        score,
    )


def mifid(result: Result, score: Score) -> Reading:
    """FD, divided by the memorization distance when that mean falls below τ."""
    distance, tau = part(result, "memorization_distance"), part(result, "tau")
    hides = (
        "The mean hides dilution: copies mixed with far-off images escape the penalty. τ holds for "
        "one backbone and one data set only."
    )
    if distance is None or tau is None:
        return Reading(finding="The Fréchet distance with its penalty for copying.", limits=hides)
    if distance < tau:
        return Reading(
            finding=f"Penalised for copying: the mean distance {number(distance)} is below the "
            f"limit τ = {number(tau)}, so the Fréchet distance is divided by it.",
            limits=hides,
            sign="doubt",
        )
    return Reading(
        finding=f"Not penalised, so equal to the Fréchet distance: the mean distance "
        f"{number(distance)} is not below the limit τ = {number(tau)}.",
        limits=hides,
    )


def memorization_ratio(result: Result, score: Score) -> Reading:
    """Share of generated images at less than a third of the distance to the second nearest.

    How many honest images are that near depends on the data. Held-out images tell, by
    `copied_fraction`; without them a share that surely passes `NEAR_COPIES` is suspicious.
    """
    interval = result.interval
    many = interval is not None and interval.low > NEAR_COPIES
    return Reading(
        finding=f"{share(result.value)} of the generated images are more than three times nearer "
        "to one training image than to any other: near-copies.",
        limits="Where the training set holds duplicates, a copy of them has two near neighbours. "
        "Honest images are caught now and then, and flips and crops are missed.",
        sign="doubt" if many and not _counted(score) else "none",
    )


def authpct(result: Result, score: Score) -> Reading:
    """Share of generated images farther from their nearest training image than its neighbour."""
    authentic = share(result.value / 100)
    return Reading(
        finding=f"{authentic} of the generated images are farther from their nearest "
        "training image than that one is from its own nearest neighbour.",
        limits="An honest generator does not reach 100 % either, and one of poor images does.",
    )


def nn_quantiles(result: Result, score: Score) -> Reading:
    """The closest images: how many generated ones are nearer than the nearest held-out ones."""
    return _with_exact_copies(_quantiles(result, score), score)


def _quantiles(result: Result, score: Score) -> Reading:
    median = f"Half of the generated images are within {number(result.value)} of a training image"
    tail = _tail(result) if has_yardstick(score) else None
    if tail is None:
        few = "There are too few images to judge the closest ones."
        return Reading(
            finding=f"{median}.", limits=few if has_yardstick(score) else _no_telling(score)
        )
    level, closer = tail
    finding = (
        f"{share(closer)} of the generated images are closer to a training image than the closest "
        f"{100 * level:g} % of the held-out images are; about {100 * level:g} % is expected."
    )
    if closer >= TAIL_EXCESS * level and not _counted(score):
        return Reading(
            finding=finding,
            limits="Copies look like this, but so do images of a kind common in the training set.",
            sign="doubt",
        )
    return Reading(
        finding=finding, limits=f"{median}. Copies this backbone does not recognise are missed."
    )


def _counted(score: Score) -> bool:
    """Whether `copied_fraction` judges the closest images, so that nothing else needs to."""
    result = score.metrics.get("copied_fraction")
    return result is not None and result.interval is not None and has_yardstick(score)


def _with_exact_copies(reading: Reading, score: Score) -> Reading:
    """The reading with the exact copies named first, where there are any."""
    exact = exact_copies(score)
    if exact is None:
        return reading
    return Reading(
        finding=f"{capitalize(exact.sentence)} {reading.finding}",
        limits=f"{reading.limits} {SAME_DIRECTION}".strip(),
        sign=reading.sign if exact.sign == "none" else exact.sign,
    )


def _no_telling(score: Score) -> str:
    """Why a distance cannot be judged, as a sentence."""
    why = capitalize(no_yardstick(score))
    return f"{why}: there is no telling which value an honest generator has."


def _tail(result: Result) -> tuple[float, float] | None:
    """The lowest level at which both sets have enough images, and the share of generated ones.

    Returns:
        (level, share of generated images closer than the held-out quantile at that level), or
        None when even the lowest 5 % are too few.
    """
    fewest = min(result.n["generated"], result.n["test"])
    for level, closer in zip(result.parts["levels"], result.parts["below_test"], strict=True):
        if 0 < level <= HIGHEST_TAIL and fewest * level >= ENOUGH_IN_TAIL:
            return level, closer
    return None
