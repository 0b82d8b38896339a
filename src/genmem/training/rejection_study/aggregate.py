"""A study's numbers put together: per model and τ, means over seeds and differences to τ = 0."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.special import stdtrit

from genmem.results import Json
from genmem.training.common.run_log import LOG_FILE, read_log
from genmem.training.rejection_study.evaluation import Measured
from genmem.training.rejection_study.feature_spaces import Sets, Space
from genmem.training.rejection_study.grid import Case, Plan, Tau
from genmem.training.sweep.runner import ended_early

LEVEL = 0.95


def mean_over_seeds(values: Sequence[float]) -> dict[str, Any]:
    """mean ± t·s/√n, s the sample deviation and t Student's quantile at n − 1 degrees of freedom.

    Args:
        values: one of each seed.

    Returns:
        `mean`, `n`, and `low` and `high` at 95 %: None below two seeds, which leave no spread to go
        by. `mean` is None without a value.
    """
    count = len(values)
    if not count:
        return {"mean": None, "low": None, "high": None, "n": 0}
    mean = math.fsum(values) / count
    if count == 1:
        return {"mean": mean, "low": None, "high": None, "n": 1}
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (count - 1))
    half = float(stdtrit(count - 1, 0.5 + LEVEL / 2)) * deviation / math.sqrt(count)
    return {"mean": mean, "low": mean - half, "high": mean + half, "n": count}


def paired_difference(
    values: Mapping[int, float | None], base: Mapping[int, float | None]
) -> dict[str, Any]:
    """`mean_over_seeds` of value − base, over the seeds that have both."""
    return mean_over_seeds(_pairs(values, base, lambda one, other: one - other))


def paired_ratio(
    values: Mapping[int, float | None], base: Mapping[int, float | None]
) -> dict[str, Any]:
    """`mean_over_seeds` of value / base, over the seeds that have both, base above 0."""
    base = {seed: value for seed, value in base.items() if value}
    return mean_over_seeds(_pairs(values, base, lambda one, other: one / other))


def _pairs(
    values: Mapping[int, float | None], base: Mapping[int, float | None], join: Any
) -> list[float]:
    out = []
    for seed, value in sorted(values.items()):
        other = base.get(seed)
        if value is not None and other is not None:
            out.append(join(value, other))
    return out


METRICS = (
    "fd",
    "fd_test",
    "memorization_distance",
    "copied_fraction",
    "c_t",
    "c_t_cells",
    "c_t_by_class",
)
"""Of one run in one space; each gets a mean and a paired difference."""

BINS = 60
"""Of the histograms of nearest distances."""

Found = Mapping[tuple[str, str], Measured]
"""By the run's name and the space's."""


def training_log(case: Case) -> dict[str, float | None]:
    """What a run's log says of its cost and of what was rejected.

    Returns:
        `seconds_per_step`, the median of the log's lines; `acceptance`, of all images judged;
        `tau`, the last one in force; None where the log does not say.
    """
    lines = read_log(case.folder / LOG_FILE)
    seconds = [line["seconds_per_step"] for line in lines if "seconds_per_step" in line]
    judged = [line["rejection"] for line in lines if line.get("rejection")]
    judged = [one for one in judged if one["acceptance"] is not None]
    images = sum(one["images"] for one in judged)
    kept = sum(one["acceptance"] * one["images"] for one in judged)
    return {
        "seconds_per_step": float(np.median(seconds)) if seconds else None,
        "acceptance": kept / images if images else None,
        "tau": judged[-1]["tau"] if judged else (0.0 if case.tau == 0 else None),
    }


def summarise(plan: Plan, sets: Sets, spaces: Sequence[Space], found: Found) -> dict[str, Json]:
    """Everything a page or a reader needs, as plain JSON.

    Args:
        plan: the study.
        sets: its images.
        spaces: the backbones measured in.
        found: what was measured; runs that ended early are not in it.

    Returns:
        `plan` (sources' names, counts, settings), `runs` (a line each: model, tau, seed, log,
        values by space, or why it ended), `spaces` (references' distances, bin edges), and `cells`:
        a line for each model and τ with `seeds`, `log`, and by space `metrics`, `differences`,
        `references`, `classes` and `histogram`, each number a `mean_over_seeds`.
    """
    runs = [_run(case, spaces, found) for case in plan.cases]
    edges = {space.name: _edges(space, found) for space in spaces}
    return {
        "plan": _described(plan, sets),
        "spaces": {space.name: _space(space, edges[space.name]) for space in spaces},
        "runs": runs,
        "cells": [
            _cell(runs, model, tau, spaces, found, edges)
            for model in plan.models
            for tau in plan.taus
        ],
    }


def _described(plan: Plan, sets: Sets) -> dict[str, Json]:
    def source(images: Any) -> dict[str, Json]:
        return {"name": images.name, "count": len(images), "digest": images.digest}

    varied = ("model", "tau", "seed", "train", "test", "width", "discriminator_width", "z_dim")
    settings = plan.cases[0].settings.to_dict()
    return {
        "train": source(sets.train),
        "test": source(sets.test),
        "references": {name: source(images) for name, images in sets.references.items()},
        "classes": list(sets.train.classes),
        "models": list(plan.models),
        "taus": list(plan.taus),
        "seeds": list(plan.seeds),
        "embedding": settings["backbone"],
        "measure_with": list(plan.measure_with),
        "images": plan.images,
        "training": {name: value for name, value in settings.items() if name not in varied},
        "widths": {
            case.model: [
                case.settings.width,
                case.settings.discriminator_width,
                case.settings.z_dim,
            ]
            for case in plan.cases
        },
    }


def _run(case: Case, spaces: Sequence[Space], found: Found) -> dict[str, Any]:
    out: dict[str, Any] = {
        "name": case.name,
        "model": case.model,
        "tau": case.tau,
        "seed": case.seed,
        "log": training_log(case),
        "values": {
            space.name: dict(found[case.name, space.name].values)
            for space in spaces
            if (case.name, space.name) in found
        },
    }
    reason = ended_early(case)
    return out if reason is None else out | {"ended": reason}


def _edges(space: Space, found: Found) -> list[float]:
    """Edges of equal bins that hold nearly all distances of a space."""
    parts = [one.distances for (_, name), one in found.items() if name == space.name]
    joined = np.concatenate([*parts, *space.references.values()])
    top = float(np.quantile(joined, 0.999)) or 1.0
    return np.linspace(0, top, BINS + 1).tolist()


def _histogram(distances: Any, edges: list[float]) -> list[float]:
    """The share of distances in each bin; those beyond the last edge count in the last bin."""
    inside = np.minimum(np.asarray(distances, dtype=np.float64), edges[-1])
    return (np.histogram(inside, bins=edges)[0] / len(inside)).tolist()


def _space(space: Space, edges: list[float]) -> dict[str, Json]:
    return {
        "backbone": space.extractor.describe(),
        "edges": edges,
        "references": {
            name: {
                "count": len(distances),
                "mean_distance": float(distances.mean()),
                "histogram": _histogram(distances, edges),
            }
            for name, distances in space.references.items()
        },
    }


def _cell(
    runs: Sequence[Mapping[str, Any]],
    model: str,
    tau: Tau,
    spaces: Sequence[Space],
    found: Found,
    edges: Mapping[str, list[float]],
) -> dict[str, Any]:
    """One model at one τ."""
    own = {run["seed"]: run for run in runs if (run["model"], run["tau"]) == (model, tau)}
    base = {run["seed"]: run for run in runs if (run["model"], run["tau"]) == (model, 0)}

    def logged(of: Mapping[int, Any], name: str) -> dict[int, float | None]:
        return {seed: run["log"][name] for seed, run in of.items()}

    def mean(values: Mapping[int, float | None]) -> dict[str, Any]:
        return mean_over_seeds([value for value in values.values() if value is not None])

    seconds = logged(own, "seconds_per_step")
    return {
        "model": model,
        "tau": tau,
        "seeds": [seed for seed, run in own.items() if run["values"]],
        "ended": {str(seed): run["ended"] for seed, run in own.items() if "ended" in run},
        "log": {
            "tau": mean(logged(own, "tau")),
            "acceptance": mean(logged(own, "acceptance")),
            "seconds_per_step": mean(seconds),
            "cost_ratio": paired_ratio(seconds, logged(base, "seconds_per_step")),
        },
        "spaces": {
            space.name: _in_space(own, base, space.name, found, edges[space.name])
            for space in spaces
        },
    }


def _in_space(
    own: Mapping[int, Any], base: Mapping[int, Any], space: str, found: Found, edges: list[float]
) -> dict[str, Any]:
    def of(runs: Mapping[int, Any], *path: str) -> dict[int, float | None]:
        """A number of each seed's run, by the names that lead to it."""
        out: dict[int, float | None] = {}
        for seed, run in runs.items():
            value: Any = run["values"].get(space)
            for name in path:
                value = None if value is None else value.get(name)
            out[seed] = value
        return out

    def both(*path: str) -> dict[str, Any]:
        values = of(own, *path)
        known = [value for value in values.values() if value is not None]
        return {
            **mean_over_seeds(known),
            "difference": paired_difference(values, of(base, *path)),
        }

    some = next((run["values"][space] for run in own.values() if space in run["values"]), {})
    distances = [
        found[run["name"], space].distances for run in own.values() if space in run["values"]
    ]
    return {
        "metrics": {name: both(name) for name in METRICS},
        "references": {name: both("references", name) for name in some.get("references", {})},
        "classes": {
            name: {
                metric: both("classes", name, metric) for metric in ("c_t", "memorization_distance")
            }
            for name in some.get("classes", {})
        },
        "histogram": _histogram(np.concatenate(distances), edges) if distances else None,
    }
