"""The score of sets whose features are extracted, in one feature space."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from genmem.arrays import as_feature_sets, check_at_least, check_same_dimension
from genmem.images import Progress
from genmem.metrics.registry import metrics as all_metrics
from genmem.provenance import provenance
from genmem.results import Result, Score, Yardstick
from genmem.scoring.closest import closest_pairs
from genmem.scoring.compute import compute_metrics
from genmem.scoring.feature_sets import SPATIAL, FeatureSet, FeatureSets, left_out_notes
from genmem.scoring.metric_inputs import MetricInputs
from genmem.scoring.plan import Plan
from genmem.scoring.searches import Remembered
from genmem.scoring.stored_sets import reference_notes, reference_provenance
from genmem.scoring.verdict_evidence import add_verdict
from genmem.set_statistics import Statistics

_SAME_SETS = (
    ("generated", "train", "every image is its own nearest training image, at distance 0."),
    ("generated", "test", "these numbers are those of the held-out images, not of a model."),
    ("test", "train", "there is nothing to compare with; give images that were not trained on."),
)
"""Two roles that can hold the same set, and what follows."""


def score_feature_sets(
    sets: FeatureSets,
    plan: Plan,
    *,
    yardstick: Yardstick | None = None,
    remembered: Remembered | None = None,
    progress: Progress | None = None,
) -> Score:
    """`score` on sets whose features are extracted.

    Args:
        sets: the features by role.
        plan: which metrics to compute.
        yardstick: of the same train and test, where it is known.
        remembered: of earlier scores against the same train and test; it is added to.
        progress: as for `score`.
    """
    result, inputs = compute_score(sets, plan, remembered=remembered, progress=progress)
    return add_verdict(result, sets, inputs, yardstick=yardstick)


def compute_score(
    sets: FeatureSets,
    plan: Plan,
    *,
    remembered: Remembered | None = None,
    progress: Progress | None = None,
) -> tuple[Score, MetricInputs]:
    """The score without yardstick and verdict, and what its metrics were computed from.

    Args:
        sets: the features by role.
        plan: which metrics to compute.
        remembered: as for `score_feature_sets`.
        progress: as for `score`.
    """
    by_role = sets.by_role
    generated, train, test = by_role["generated"], by_role["train"], by_role.get("test")
    statistics = _statistics_of_train(train, backbone=sets.backbone)
    _check_sets(by_role, plan, statistics)
    inputs = MetricInputs(
        generated=generated.array,
        train=train.array,
        test=None if test is None else test.array,
        logits=generated.logits,
        tau=plan.tau,
        seed=plan.seed,
        statistics=statistics,
        space=None if train.stored is None else train.stored.space,
        is_held_out=test is not None and test.stored is not None,
        settings=plan.settings,
        both="two_nearest" in plan.inputs,
        remembered=remembered,
        progress=progress,
    )
    results, left_out = compute_metrics(inputs, plan)
    results = _with_second_names(results, sets.backbone)
    result = Score(
        metrics=results,
        inputs={role: features.summary for role, features in by_role.items()},
        backbone=sets.describe_backbone(),
        provenance={
            **provenance(seed=plan.seed),
            **({"train_moments": _statistics_source(train)} if statistics is not None else {}),
            **reference_provenance(train.stored),
        },
        seconds=inputs.seconds,
        nearest=inputs.nearest_distances(),
        closest=()
        if train.array is None
        else closest_pairs(inputs.generated_nearest, generated=generated, train=train),
        notes=(*_notes(sets), *plan.left_out, *left_out.values()),
        left_out={**plan.reasons, **left_out},
        aliases=_aliases(results),
    )
    return result, inputs


def _aliases(results: Mapping[str, Result]) -> dict[str, str]:
    """The names that metrics can be asked for by, and that are not their own."""
    return {
        alias: name
        for name, metric in all_metrics().items()
        for alias in metric.aliases
        if name in results and alias not in results
    }


def _notes(sets: FeatureSets) -> tuple[str, ...]:
    """Notes on the sets, whatever the metrics."""
    train, test = sets.by_role["train"], sets.by_role.get("test")
    return (
        *set_notes(sets.by_role),
        *_statistics_notes(sets.by_role, backbone=sets.backbone),
        *reference_notes(
            train.stored,
            None if test is None else test.stored,
            pictures=sets.by_role["generated"].source is not None,
        ),
        *sets.notes(),
    )


def _check_sets(
    by_role: Mapping[str, FeatureSet], plan: Plan, statistics: Statistics | None
) -> None:
    """Raise InputError unless the sets have one dimension, and images enough for the plan."""
    rows = {role: features.array for role, features in by_role.items()}
    as_feature_sets(**{role: array for role, array in rows.items() if array is not None})
    if statistics is not None:
        check_same_dimension(generated=rows["generated"], train=statistics.sigma)
    if not plan.chosen:
        for role in ("generated", "train"):
            summary = by_role[role].summary
            why = f"one image is no set to compare. Give more in {summary.source}."
            if summary.count is not None:
                check_at_least(summary.count, 2, role=role, why=why)


_OF_STATISTICS = ("inception", SPATIAL)
"""Feature spaces of the statistics that lie beside images: ADM's batches hold Inception's."""


def _statistics_of_train(train: FeatureSet, *, backbone: str) -> Statistics | None:
    """The statistics that take the place of the training rows in FD; None where there are none."""
    return train.statistics if train.array is None or backbone in _OF_STATISTICS else None


def _statistics_source(train: FeatureSet) -> str:
    return f"mu and sigma of {train.summary.source}"


def _statistics_notes(by_role: Mapping[str, FeatureSet], *, backbone: str) -> Iterator[str]:
    """Sentences on files that hold statistics: what is computed from them and what is not."""
    for role, features in by_role.items():
        if features.statistics is None:
            continue
        if features.array is None:
            yield (
                f"fd is computed from the {_statistics_source(features)}. The file does not say "
                f"which backbone they are of; they are taken as those of {backbone}."
            )
        elif role == "train" and backbone in _OF_STATISTICS:
            yield (
                f"fd is computed from the {_statistics_source(features)}, which describe the whole "
                f"data set; everything else from its {len(features.array):,} images."
            )
        else:
            why = "FD takes them of train" if role != "train" else f"FD is of {backbone} features"
            yield f"the {_statistics_source(features)} ({_OF_STATISTICS[0]}) are not used: {why}."


def _with_second_names(results: Mapping[str, Result], backbone: str) -> dict[str, Result]:
    """In some features a result has a second name: on Inception's FD is FID."""
    known = all_metrics()
    named: dict[str, Result] = {}
    for name, result in results.items():
        named[name] = result
        if second := known[name].second_names.get(backbone):
            named[second[0]] = replace(result, name=second[0])
    return named


def set_notes(by_role: Mapping[str, FeatureSet]) -> list[str]:
    """Sentences on sets that are the same, and on images and side files that were left out."""
    same = [
        f"{first} and {second} are the same set, byte for byte: {meaning}"
        for first, second, meaning in _SAME_SETS
        if first in by_role
        and second in by_role
        and by_role[first].summary.digest == by_role[second].summary.digest
    ]
    return [*same, *left_out_notes(by_role)]
