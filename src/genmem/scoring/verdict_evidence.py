"""The evidence of `genmem.score` for its verdict: metrics, distances and yardstick, gathered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from genmem.formatting import in_space
from genmem.metrics.copied_fraction import copied_fraction_from
from genmem.metrics.intervals import clopper_pearson, hypergeometric_tail
from genmem.metrics.memorization_ratio import distance_ratios
from genmem.results import Result, Score, Verdict, Yardstick
from genmem.scoring.evidence import CHANCE, Evidence, NearCopies
from genmem.scoring.exact_copies import NO_DISTANCE, count_exact_copies
from genmem.scoring.feature_sets import FeatureSets
from genmem.scoring.held_out import (
    FEWEST_IMAGES,
    has_held_out,
    same_set,
    too_small_sets,
    why_no_held_out,
)
from genmem.scoring.metric_inputs import MetricInputs
from genmem.scoring.missed_kinds import missed_kinds
from genmem.scoring.verdict_over_spaces import decide_over_spaces
from genmem.scoring.verdict_rule import decide
from genmem.yardstick import Precomputed, check_yardstick, merge_yardsticks
from genmem.yardstick.generator_shape import GeneratorShape, generator_shape
from genmem.yardstick.series import count_repeats, repeats_of, series_of

METRIC = "absolute_cosine"
"""The distance of `Score.nearest`."""


@dataclass(frozen=True, kw_only=True)
class Closeness:
    """What `copied_fraction` compares.

    Attributes:
        generated, test: d1 / d5 of the images, float64 [n] and [m].
        matches: int64 [n], the training row nearest to each generated image.
        train_rows: size of the training set.
    """

    generated: NDArray[np.float64]
    test: NDArray[np.float64]
    matches: NDArray[np.int64]
    train_rows: int

    def fraction(self, honest: NDArray[np.float64]) -> Result:
        """The copied fraction against honest images."""
        return copied_fraction_from(
            generated=self.generated,
            test=honest,
            nearest_train=self.matches,
            train_rows=self.train_rows,
        )


@dataclass(frozen=True, kw_only=True)
class Gathered:
    """What one feature space shows beside the metrics of its score.

    Attributes:
        score: with its yardstick and its repeats, without a verdict.
        shape: how the generated images lie as a whole; None if not tested.
        test_near: held-out images that are near-copies; None if not counted.
        closeness: what `copied_fraction` compares; None: only that metric itself counts.
    """

    score: Score
    shape: GeneratorShape | None = None
    test_near: int | None = None
    closeness: Closeness | None = None


def add_verdict(
    score: Score,
    sets: FeatureSets,
    inputs: MetricInputs,
    *,
    yardstick: Yardstick | None = None,
) -> Score:
    """The score with its yardstick and its verdict.

    Args:
        score: without them.
        sets: the sets.
        inputs: what the metrics were computed from; its searches are used again.
        yardstick: of the same train and test, where it is known.
    """
    gathered = gather(score, sets, inputs, yardstick=yardstick)
    verdict = judge(
        gathered.score,
        yardstick=gathered.score.yardstick,
        shape=gathered.shape,
        test_near=gathered.test_near,
        closeness=gathered.closeness,
    )
    return replace(gathered.score, verdict=verdict)


def gather(
    score: Score,
    sets: FeatureSets,
    inputs: MetricInputs,
    *,
    yardstick: Yardstick | None = None,
    files: bool = True,
) -> Gathered:
    """Check the yardstick, and count what the metrics do not, in one feature space.

    Args:
        score: without yardstick and verdict.
        sets: the sets.
        inputs: what the metrics were computed from; its searches are used again.
        yardstick: of the same train and test, where it is known.
        files: look at the stored images; of several spaces the first does.
    """
    shape = test_near = None
    if inputs.train is not None and has_held_out(score) and _enough(score):
        with inputs.timed("yardstick"):
            if yardstick is None:
                sources = {role: rows.stored_images for role, rows in sets.by_role.items()}
                yardstick = check_yardstick(
                    train=inputs.train,
                    test=inputs.test,
                    sources=sources if files else None,
                    metric=METRIC,
                    precomputed=Precomputed(
                        test_distances=score.nearest["test"],
                        others=inputs.train_others,
                        two_sample=inputs.two_sample,
                    ),
                    seed=inputs.seed,
                )
            shape = generator_shape(
                generated=inputs.generated,
                test=inputs.test,
                generated_distances=score.nearest["generated"],
                test_distances=score.nearest["test"],
                metric=METRIC,
                seed=inputs.seed,
            )
        test_near = _test_near(score, inputs)
    repeats = repeats_of(yardstick)
    if repeats is None and inputs.train is not None and _has_exact_copies(score):
        repeats = count_repeats(
            inputs.train, metric=METRIC, seed=inputs.seed, others=inputs.train_others
        )
    return Gathered(
        score=replace(score, yardstick=yardstick, repeats=repeats),
        shape=shape,
        test_near=test_near,
        closeness=_closeness(score, inputs),
    )


def judge(
    score: Score,
    *,
    yardstick: Yardstick | None = None,
    shape: GeneratorShape | None = None,
    test_near: int | None = None,
    closeness: Closeness | None = None,
) -> Verdict:
    """What a score's metrics and distances say together; exact copies count whatever was chosen.

    Args:
        score: the metrics and distances.
        yardstick: whether its held-out images can be compared with; None if not tested.
        shape: how the generated images lie as a whole.
        test_near: held-out images that are near-copies; None if not counted.
        closeness: what `copied_fraction` compares; None: only that metric itself counts.
    """
    score = replace(score, yardstick=yardstick)
    return decide(
        evidence_of(Gathered(score=score, shape=shape, test_near=test_near, closeness=closeness))
    )


def judge_over_spaces(gathered: Sequence[Gathered]) -> tuple[Verdict, Yardstick | None]:
    """One verdict and one yardstick of the same images in several feature spaces."""
    names = [_name(one.score) for one in gathered]
    checked = [
        (one.score.yardstick, name)
        for one, name in zip(gathered, names, strict=True)
        if one.score.yardstick is not None
    ]
    yardstick = merge_yardsticks([one for one, _ in checked], [name for _, name in checked])
    by_space = {
        name: evidence_of(one, yardstick=yardstick, spaces=len(names))
        for one, name in zip(gathered, names, strict=True)
    }
    return decide_over_spaces(by_space), yardstick


def evidence_of(
    gathered: Gathered, *, yardstick: Yardstick | None = None, spaces: int = 1
) -> Evidence:
    """The evidence of one feature space.

    Args:
        gathered: what it shows.
        yardstick: of all spaces, where there are several; None: that of its score.
        spaces: feature spaces that are compared in.
    """
    score, closeness = gathered.score, gathered.closeness
    own = score.yardstick
    yardstick = own if yardstick is None else yardstick
    held_out = has_held_out(score)
    name = _name(score)
    where = in_space(name)
    fraction = of_left_out = None
    if held_out and closeness is not None:
        fraction = closeness.fraction(closeness.test)
        series = series_of(own)
        of_left_out = closeness.fraction(series.left_out_closeness) if series else None
    elif held_out:
        fraction = score.metrics.get("copied_fraction")
    near = _near(score, gathered.test_near, where)
    return Evidence(
        images=_images(score),
        same_as_train=same_set(score, "generated", "train"),
        fraction=fraction,
        of_left_out=of_left_out,
        closer=_closer(closeness) if closeness and held_out else (0, 1.0),
        exact=count_exact_copies(
            score.nearest,
            held_out=held_out,
            comparable=yardstick is None or yardstick.holds,
            repeats=score.repeats,
            what=where,
        ),
        near=near and replace(near, chance=CHANCE / spaces),
        shape=gathered.shape,
        yardstick=yardstick,
        missing=_missing(score) or _nothing_compared(fraction, score),
        too_few="" if fraction is None else _too_few(fraction),
        missed=missed_kinds([name]),
        shares=_lower_bound(name) if fraction is not None and fraction.value > 0 else "",
        where=where,
        where_shape=where,
        where_left_out=where,
    )


def _name(score: Score) -> str:
    """The feature space of a score."""
    return str(score.backbone.get("name", "features"))


def _lower_bound(name: str) -> str:
    return (
        f"The share is a lower bound: copies that {name} does not recognize are not in it. An "
        "audit in several feature spaces finds more of them, image by image."
    )


def _images(score: Score) -> int:
    return len(score.nearest["generated"]) if "generated" in score.nearest else 0


def _has_exact_copies(score: Score) -> bool:
    return bool((score.nearest["generated"] <= NO_DISTANCE).any())


def _enough(score: Score) -> bool:
    return min(len(distances) for distances in score.nearest.values()) >= FEWEST_IMAGES


def _closeness(score: Score, inputs: MetricInputs) -> Closeness | None:
    """Of the generated and the held-out images; None where one of them is missing."""
    if inputs.train is None or not has_held_out(score) or inputs.test_closeness is None:
        return None
    return Closeness(
        generated=inputs.generated_closeness,
        test=inputs.test_closeness,
        matches=inputs.generated_matches,
        train_rows=inputs.train_rows,
    )


def _closer(closeness: Closeness) -> tuple[int, float]:
    """Training images copied more closely than by every held-out image, and how probable that is.

    C(n, k) / C(n + m, k): the k closest of all n + m images are generated ones. Images that are
    closest to one training image count once, as in `copied_fraction`.
    """
    below = closeness.generated < closeness.test.min()
    closer = len(np.unique(closeness.matches[below]))
    n, m = len(closeness.generated), len(closeness.test)
    return closer, hypergeometric_tail(closer, draws=closer, marked=n, total=n + m)


def _near(score: Score, test_near: int | None, where: str) -> NearCopies | None:
    """Near-copies among the generated images, beside those among the held-out ones."""
    ratio = score.metrics.get("memorization_ratio")
    if ratio is None or ratio.interval is None:
        return None
    images = ratio.n["generated"]
    near, low, exact = round(ratio.value * images), ratio.interval.low, 0
    if not has_held_out(score):  # repeats inside train explain exact copies only
        exact = min(near, int((score.nearest["generated"] <= NO_DISTANCE).sum()))
        near -= exact
        low = clopper_pearson(near, images)[0]
    return NearCopies(
        near=near,
        images=images,
        test_near=test_near or 0,
        test_images=0 if test_near is None else len(score.nearest["test"]),
        low=low,
        where=where,
        exact=exact,
    )


def _test_near(score: Score, inputs: MetricInputs) -> int | None:
    """Held-out images that are near-copies; None where no generated image is one."""
    ratio = score.metrics.get("memorization_ratio")
    if ratio is None or not ratio.value or inputs.test_two_nearest is None:
        return None
    threshold = float(ratio.parts["threshold"])
    return int((distance_ratios(inputs.test_two_nearest) < threshold).sum())


def _too_few(fraction: Result) -> str:
    small = too_small_sets(fraction)
    return small and f"too few images ({small}; {FEWEST_IMAGES} of each kind are needed)"


def _nothing_compared(fraction: Result | None, score: Score) -> str:
    if fraction is not None or not has_held_out(score):
        return ""
    return "no metric of this run compares with the held-out images"


def _missing(score: Score) -> str:
    """Why nothing defines how close is too close, as a clause; empty if something does."""
    if score.inputs["train"].kind == "statistics":
        return "the training set is given as statistics, so no image is compared with another"
    if has_held_out(score):
        return ""
    reason = why_no_held_out(score)
    return (
        reason if "test" in score.inputs else f"{reason}, so nothing defines how close is too close"
    )
