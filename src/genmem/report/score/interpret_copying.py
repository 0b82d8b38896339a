"""Interpretations of the metrics of copying. Each says what its value cannot show."""

from __future__ import annotations

from genmem.formatting import capitalize, in_space, number, percent, share
from genmem.metrics.mifid import REPLAY
from genmem.report.score.interpretation import (
    CLEAR_Z,
    Evidence,
    Interpretation,
    part,
)
from genmem.results import Result, Score
from genmem.scoring.evidence import NEAR_COPIES
from genmem.scoring.exact_copies import ExactCopies, count_exact_copies
from genmem.scoring.held_out import (
    FEWEST_IMAGES,
    has_held_out,
    too_small_sets,
    why_no_held_out,
)
from genmem.scoring.verdict_rule import STRONG_CHANCE, closer_images

SAME_DIRECTION = (
    "The distance compares directions: an image whose features are a multiple of another's counts "
    "as its copy."
)


def exact_copies(score: Score) -> ExactCopies | None:
    """The generated images that are exact copies; None if there are none."""
    return count_exact_copies(
        score.nearest,
        held_out=has_held_out(score),
        comparable=score.yardstick is None or score.yardstick.holds,
        repeats=score.repeats,
        what=in_space(str(score.backbone.get("name", "features"))),
    )


def _evidence(exact: ExactCopies) -> Evidence:
    if exact.strong:
        return "copying"
    return "doubt" if exact.weak else "none"


WEAK_Z = 2.0
"""On one side, an honest comparison exceeds this z-score by chance about once in 44."""

ENOUGH_IN_TAIL = 20
"""Images that a tail must be expected to hold before its share is evaluated."""

TAIL_EXCESS = 3.0
"""A tail of 20 images is this many times too full by chance less than once in 1,000."""

HIGHEST_TAIL = 0.05
"""The largest share of the images that still counts as the closest ones."""

RARE = 0.001
"""A smaller probability is not mentioned."""


def c_t(result: Result, score: Score) -> Interpretation:
    """The z-score of Meehan et al.: are generated images closer to train than held-out ones?"""
    z = result.value
    if not has_held_out(score):
        return Interpretation(
            finding=f"{number(z)} standard deviations, but the held-out images are the same as one "
            "of the other sets, so this says nothing.",
        )
    if small := too_small_sets(result):
        return Interpretation(
            finding=f"{number(z)} standard deviations, but there are too few images: {small}, and "
            f"{FEWEST_IMAGES} of each kind are needed.",
        )
    limits = (
        "It compares whole distributions: it misses a few per cent of copies among honest images."
    )
    if z <= -CLEAR_Z:
        return Interpretation(
            finding=f"Nearer to the training set as a whole than held-out images are "
            f"({number(z)} standard deviations): a sign, but no proof of copying.",
            limits="A narrower generator, a codec or a year that only the training images share "
            "has the same effect. Copying takes single images closer than honest ones ever are.",
            evidence="doubt",
        )
    if z <= -WEAK_Z:
        return Interpretation(
            finding=f"Somewhat closer to the training set than held-out images are "
            f"({number(z)} standard deviations): no proof of anything.",
            limits=limits,
            evidence="none",
        )
    if z < CLEAR_Z:
        return Interpretation(
            finding=f"On the whole about as close to the training set as held-out images are "
            f"({number(z)} standard deviations).",
            limits=limits,
            evidence="clear",
        )
    return Interpretation(
        finding=f"On the whole farther from the training set than held-out images are "
        f"({number(z)} standard deviations): underfitting or poor images, not wholesale copying.",
        limits="Poor images can hide copies among them: look at the closest pairs.",
        evidence="clear",
    )


def copied_fraction(result: Result, score: Score) -> Interpretation:
    """The share of images closer to train than held-out ones ever are, with its interval."""
    interval, chance = result.interval, part(result, "p_value")
    if not has_held_out(score):
        return Interpretation(
            finding=f"{share(result.value)}, but the held-out images are the same as one of the "
            "other sets, so this says nothing.",
        )
    small = too_small_sets(result)
    if small or interval is None:
        reason = f": {small}, and {FEWEST_IMAGES} of each kind are needed" if small else ""
        return Interpretation(finding=f"Too few images to distinguish copies from chance{reason}.")
    if interval.low > 0:
        limits = "Copies farther away than the closest held-out images are not counted."
        accused = score.verdict is None or score.verdict.label == "copying"
        sure = accused and (chance is None or chance <= STRONG_CHANCE)
        if chance is not None and chance > RARE:
            limits = (
                f"An honest generator reaches this in {share(chance)} of cases, by chance. {limits}"
            )
        closer = closer_images(result, interval)
        if score.verdict is not None and closer in score.verdict.sentence:
            closer = "The share that the verdict names is closer to training images"
        return Interpretation(
            finding=f"{closer} than held-out images ever are: copies"
            f"{'' if sure else ', or chance'}.",
            limits=limits,
            evidence="copying" if sure else "doubt",
        )
    if score.verdict is not None and score.verdict.label == "open":
        return Interpretation(
            finding="Close matches are no more frequent among generated than among held-out "
            "images, which says little of so few images.",
            limits="The verdict says how large a share of copies would have been told from none.",
        )
    return Interpretation(
        finding=f"Close matches are no more frequent among generated than among held-out images; "
        f"at most {share(interval.high)} of the generated images are copies.",
        limits="Copies that this backbone does not recognize are not counted.",
        evidence="clear",
    )


def memorization_distance(result: Result, score: Score) -> Interpretation:
    """Mean over generated images of the distance to the nearest training image."""
    limits = "A mean hides dilution: copies mixed with distant images give an ordinary value."
    return _with_exact_copies(
        Interpretation(
            finding=f"A generated image is on average {number(result.value)} away from its "
            "nearest training image; 0 means exact copies only.",
            limits=limits if has_held_out(score) else f"{limits} {_no_reference(score)}",
        ),
        score,
    )


def mifid(result: Result, score: Score) -> Interpretation:
    """FD, divided by the memorization distance if that mean is below τ."""
    distance, tau = part(result, "memorization_distance"), part(result, "tau")
    hides = (
        "The mean hides dilution: copies mixed with distant images escape the penalty. τ is valid "
        "for one backbone and one data set only."
    )
    if distance is None or tau is None:
        return Interpretation(
            finding="The Fréchet distance with its penalty for copying.", limits=hides
        )
    if result.parts.get("replay"):
        return Interpretation(
            finding=f"A {REPLAY}: the two sets' features have the same mean and covariance, and "
            f"the mean distance {number(distance)} is below τ = {number(tau)}. This value means "
            "nothing, however low: in a ranking the set is last.",
            limits=hides,
            evidence="doubt",
        )
    if distance < tau:
        return Interpretation(
            finding=f"Penalized for copying: the mean distance {number(distance)} is below the "
            f"limit τ = {number(tau)}, so the Fréchet distance is divided by it.",
            limits=hides,
            evidence="doubt",
        )
    return Interpretation(
        finding=f"Not penalized, so equal to the Fréchet distance: the mean distance "
        f"{number(distance)} is not below the limit τ = {number(tau)}.",
        limits=hides,
    )


def memorization_ratio(result: Result, score: Score) -> Interpretation:
    """Share of generated images with d₁/d₂ < 1/3.

    How many honest images are that close depends on the data. With held-out images,
    `copied_fraction` takes that into account; without them, a share significantly above
    `NEAR_COPIES` is suspicious.
    """
    interval = result.interval
    many = interval is not None and interval.low > NEAR_COPIES
    return Interpretation(
        finding=f"{share(result.value)} of the generated images are more than three times nearer "
        "to one training image than to any other: near-copies.",
        limits="A copy of a duplicated training image has two near neighbors and is missed, as "
        "are flips and crops. Some honest images are counted.",
        evidence="doubt" if many and not _has_copied_fraction(score) else "none",
    )


def authpct(result: Result, score: Score) -> Interpretation:
    """Share of generated images farther from their nearest training image than its neighbor is."""
    authentic = share(result.value / 100)
    return Interpretation(
        finding=f"{authentic} of the generated images are farther from their nearest "
        "training image than that one is from its own nearest neighbor.",
        limits="An honest generator does not reach 100 % either; a generator of poor images does.",
    )


def nn_quantiles(result: Result, score: Score) -> Interpretation:
    """The closest images: how many generated ones are nearer than the nearest held-out ones."""
    return _with_exact_copies(_quantiles(result, score), score)


def _quantiles(result: Result, score: Score) -> Interpretation:
    median = f"Half of the generated images are within {number(result.value)} of a training image"
    tail = _tail(result) if has_held_out(score) else None
    if tail is None:
        few = "There are too few images to evaluate the closest ones."
        return Interpretation(
            finding=f"{median}.", limits=few if has_held_out(score) else _no_reference(score)
        )
    level, closer = tail
    finding = (
        f"{share(closer)} of the generated images are closer to a training image than the closest "
        f"{percent(level)} of the held-out images are; about {percent(level)} is expected."
    )
    if closer >= TAIL_EXCESS * level and not _has_copied_fraction(score):
        return Interpretation(
            finding=finding,
            limits="Copies look like this, but so do images of a kind that is common in the "
            "training set.",
            evidence="doubt",
        )
    return Interpretation(
        finding=finding, limits=f"{median}. Copies this backbone does not recognize are missed."
    )


def _has_copied_fraction(score: Score) -> bool:
    """Whether `copied_fraction` evaluates the closest images, so that nothing else needs to."""
    result = score.metrics.get("copied_fraction")
    return result is not None and result.interval is not None and has_held_out(score)


def _with_exact_copies(interpretation: Interpretation, score: Score) -> Interpretation:
    """The interpretation, after the exact copies if there are any."""
    exact = exact_copies(score)
    if exact is None:
        return interpretation
    return Interpretation(
        finding=f"{capitalize(exact.sentence)} {interpretation.finding}",
        limits=f"{interpretation.limits} {SAME_DIRECTION}".strip(),
        evidence=interpretation.evidence if exact.explanation else _evidence(exact),
    )


def _no_reference(score: Score) -> str:
    """Why a distance cannot be interpreted, as a sentence."""
    reason = capitalize(why_no_held_out(score))
    return f"{reason}: the value of an honest generator is unknown."


def _tail(result: Result) -> tuple[float, float] | None:
    """The lowest level at which both sets have enough images, and the share of generated ones.

    Returns:
        (level, share of generated images closer than the held-out quantile at that level), or
        None if even the lowest 5 % are too few.
    """
    fewest = min(result.n["generated"], result.n["test"])
    for level, closer in zip(result.parts["levels"], result.parts["below_test"], strict=True):
        if 0 < level <= HIGHEST_TAIL and fewest * level >= ENOUGH_IN_TAIL:
            return level, closer
    return None
