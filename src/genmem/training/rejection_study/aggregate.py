"""A study's numbers put together: per model and τ, means over seeds and differences to τ = 0."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from operator import sub, truediv

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from genmem.study_results.rejection import (
    METRICS,
    Cell,
    CellLog,
    CellMetrics,
    ClassMeans,
    LogSummary,
    PairedMean,
    PlanInfo,
    ReferenceInfo,
    RunMetrics,
    RunResult,
    SeedMean,
    SetInfo,
    SpaceInfo,
    StudyResults,
    Tau,
    Values,
)
from genmem.training.common.dataset import TrainingImages
from genmem.training.common.run_log import LOG_FILE, read_log
from genmem.training.rejection_study.evaluation import Evaluation
from genmem.training.rejection_study.examples import build_maps
from genmem.training.rejection_study.feature_spaces import FeatureSpace, ImageSets
from genmem.training.rejection_study.grid import GridRun, Plan
from genmem.training.rejection_study.runs import ended_early

LEVEL = 0.95

BINS = 60
"""Of the histograms of nearest distances."""

VARIED = ("model", "tau", "seed", "train", "test", "width", "discriminator_width", "z_dim")
"""Fields of a run's configuration that are not the same for all runs, or are shown elsewhere."""

Evaluations = Mapping[tuple[str, str], Evaluation]
"""By the run's name and the feature space's."""


def mean_over_seeds(values: Sequence[float]) -> SeedMean:
    """mean ± t·s/√n, s the sample deviation and t Student's quantile at n − 1 degrees of freedom.

    Args:
        values: one of each seed.
    """
    count = len(values)
    if not count:
        return SeedMean(mean=None, low=None, high=None, n=0)
    mean = math.fsum(values) / count
    if count == 1:
        return SeedMean(mean=mean, low=None, high=None, n=1)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (count - 1))
    half = float(stdtrit(count - 1, 0.5 + LEVEL / 2)) * deviation / math.sqrt(count)
    return SeedMean(mean=mean, low=mean - half, high=mean + half, n=count)


def paired_difference(values: Values, base: Values) -> SeedMean:
    """`mean_over_seeds` of value − base, over the seeds that have both."""
    return mean_over_seeds(_pairs(values, base, sub))


def paired_ratio(values: Values, base: Values) -> SeedMean:
    """`mean_over_seeds` of value / base, over the seeds that have both, base above 0."""
    base = {seed: value for seed, value in base.items() if value}
    return mean_over_seeds(_pairs(values, base, truediv))


def _pairs(values: Values, base: Values, combine: Callable[[float, float], float]) -> list[float]:
    pairs = ((value, base.get(seed)) for seed, value in sorted(values.items()))
    return [
        combine(value, other) for value, other in pairs if value is not None and other is not None
    ]


def _known_mean(values: Values) -> SeedMean:
    """Over the seeds that have a value."""
    return mean_over_seeds([value for value in values.values() if value is not None])


def _paired_mean(values: Values, base: Values) -> PairedMean:
    mean = _known_mean(values)
    return PairedMean(
        mean=mean.mean,
        low=mean.low,
        high=mean.high,
        n=mean.n,
        difference=paired_difference(values, base),
    )


def summarize_log(run: GridRun) -> LogSummary:
    """What a run's log says of its cost and of its rejection.

    Raises:
        InputError: the log cannot be read.
    """
    lines = read_log(run.folder / LOG_FILE)
    seconds = [line["seconds_per_step"] for line in lines if "seconds_per_step" in line]
    records = [line["rejection"] for line in lines if line.get("rejection")]
    records = [record for record in records if record["acceptance"] is not None]
    images = sum(record["images"] for record in records)
    accepted = sum(record["acceptance"] * record["images"] for record in records)
    return LogSummary(
        seconds_per_step=float(np.median(seconds)) if seconds else None,
        acceptance=accepted / images if images else None,
        tau=records[-1]["tau"] if records else (0.0 if run.tau == 0 else None),
    )


def aggregate(
    plan: Plan, sets: ImageSets, spaces: Sequence[FeatureSpace], evaluations: Evaluations
) -> StudyResults:
    """Everything that a page or a reader needs.

    Args:
        plan: the study.
        sets: its images.
        spaces: the feature spaces evaluated in; maps are of the first.
        evaluations: of the runs that are finished.

    Raises:
        InputError: a run's log cannot be read.
    """
    runs = tuple(_run_result(run, spaces, evaluations) for run in plan.runs)
    edges = {space.name: _bin_edges(space, evaluations) for space in spaces}
    return StudyResults(
        plan=_plan_info(plan, sets),
        spaces={space.name: _space_info(space, edges[space.name]) for space in spaces},
        runs=runs,
        cells=tuple(
            _cell(runs, model, tau, edges, evaluations)
            for model in plan.models
            for tau in plan.taus
        ),
        maps=build_maps(plan, spaces[0], evaluations),
        versions={name: version(name) for name in ("genmem", "torch", "numpy", "scipy")},
    )


def _set_info(images: TrainingImages) -> SetInfo:
    return SetInfo(name=images.name, count=len(images), digest=images.digest)


def _plan_info(plan: Plan, sets: ImageSets) -> PlanInfo:
    config = plan.runs[0].config.to_dict()
    return PlanInfo(
        train=_set_info(sets.train),
        test=_set_info(sets.test),
        references={name: _set_info(images) for name, images in sets.references.items()},
        classes=tuple(sets.train.classes),
        models=tuple(plan.models),
        taus=tuple(plan.taus),
        seeds=tuple(range(plan.seeds)),
        backbone=config["backbone"],
        evaluate_with=tuple(plan.evaluate_with),
        samples=plan.samples,
        training={name: value for name, value in config.items() if name not in VARIED},
        widths={
            run.model: (run.config.width, run.config.discriminator_width, run.config.z_dim)
            for run in plan.runs
        },
    )


def _run_result(
    run: GridRun, spaces: Sequence[FeatureSpace], evaluations: Evaluations
) -> RunResult:
    return RunResult(
        name=run.name,
        model=run.model,
        tau=run.tau,
        seed=run.seed,
        log=summarize_log(run),
        metrics={
            space.name: evaluations[run.name, space.name].metrics
            for space in spaces
            if (run.name, space.name) in evaluations
        },
        ended=ended_early(run),
    )


def _bin_edges(space: FeatureSpace, evaluations: Evaluations) -> tuple[float, ...]:
    """Edges of equal bins that hold nearly all distances of a feature space."""
    distances = [
        evaluation.distances for (_, name), evaluation in evaluations.items() if name == space.name
    ]
    joined = np.concatenate([*distances, *space.references.values()])
    top = float(np.quantile(joined, 0.999)) or 1.0
    return tuple(np.linspace(0, top, BINS + 1).tolist())


def _histogram(distances: ArrayLike, edges: Sequence[float]) -> tuple[float, ...]:
    """The share of distances in each bin; those beyond the last edge count in the last bin."""
    inside = np.minimum(np.asarray(distances, dtype=np.float64), edges[-1])
    return tuple((np.histogram(inside, bins=edges)[0] / len(inside)).tolist())


def _space_info(space: FeatureSpace, edges: tuple[float, ...]) -> SpaceInfo:
    return SpaceInfo(
        backbone=dict(space.extractor.describe()),
        edges=edges,
        references={
            name: ReferenceInfo(
                count=len(distances),
                mean_distance=float(distances.mean()),
                histogram=_histogram(distances, edges),
            )
            for name, distances in space.references.items()
        },
    )


def _cell(
    runs: Sequence[RunResult],
    model: str,
    tau: Tau,
    edges: Mapping[str, tuple[float, ...]],
    evaluations: Evaluations,
) -> Cell:
    """One model at one τ."""
    own = {run.seed: run for run in runs if (run.model, run.tau) == (model, tau)}
    base = {run.seed: run for run in runs if (run.model, run.tau) == (model, 0)}
    seconds = {seed: run.log.seconds_per_step for seed, run in own.items()}
    base_seconds = {seed: run.log.seconds_per_step for seed, run in base.items()}
    return Cell(
        model=model,
        tau=tau,
        seeds=tuple(seed for seed, run in own.items() if run.metrics),
        ended={seed: run.ended for seed, run in own.items() if run.ended is not None},
        log=CellLog(
            tau=_known_mean({seed: run.log.tau for seed, run in own.items()}),
            acceptance=_known_mean({seed: run.log.acceptance for seed, run in own.items()}),
            seconds_per_step=_known_mean(seconds),
            cost_ratio=paired_ratio(seconds, base_seconds),
        ),
        spaces={
            space: _cell_metrics(own, base, space, bins, evaluations)
            for space, bins in edges.items()
        },
    )


def _cell_metrics(
    own: Mapping[int, RunResult],
    base: Mapping[int, RunResult],
    space: str,
    edges: tuple[float, ...],
    evaluations: Evaluations,
) -> CellMetrics:
    def paired(value: Callable[[RunMetrics], float | None]) -> PairedMean:
        """Of a number of each run's metrics."""
        values, base_values = (
            {seed: value(run.metrics[space]) for seed, run in runs.items() if space in run.metrics}
            for runs in (own, base)
        )
        return _paired_mean(values, base_values)

    evaluated = [run for run in own.values() if space in run.metrics]
    example = evaluated[0].metrics[space] if evaluated else None
    distances = [evaluations[run.name, space].distances for run in evaluated]
    return CellMetrics(
        metrics={
            name: paired(lambda metrics, name=name: getattr(metrics, name)) for name in METRICS
        },
        references={
            name: paired(lambda metrics, name=name: metrics.references.get(name))
            for name in (example.references if example else ())
        },
        classes={
            name: ClassMeans(
                c_t=paired(lambda metrics, name=name: metrics.classes[name].c_t),
                memorization_distance=paired(
                    lambda metrics, name=name: metrics.classes[name].memorization_distance
                ),
            )
            for name in (example.classes if example else ())
        },
        histogram=_histogram(np.concatenate(distances), edges) if distances else None,
    )
