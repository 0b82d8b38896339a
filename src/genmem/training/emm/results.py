"""What a study found, from its outcomes: ratios by size, every seed's EMM, means, intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.stats import t as student_t

from genmem.results import Interval, Json, to_json
from genmem.training.emm.bisection import bracket, crossing
from genmem.training.emm.study import BASE, Study

LEVEL = 0.95

SAME = 1e-9
"""Values of several seeds that lie this close are the same, but for rounding."""

T_METHOD = "Student's t over seeds"
LOG_T_METHOD = "Student's t over seeds, of log |D|"


def findings(study: Study, *, notes: Sequence[str] = ()) -> dict[str, Json]:
    """Everything that the finished trainings say, as plain JSON.

    Args:
        study: finished or not; only finished trainings count.
        notes: sentences about the images.

    Returns:
        `curves`, one a configuration: `factor`, `value`, `trainings` (each with its `size`, `seed`,
        `ratio`, `step`, `snapshots`), `means` (ratio over seeds by size, and the difference to the
        first configuration of the factor, seed by seed; no interval where all seeds agree),
        `searches` (each seed's bracket and EMM),
        `emm` and `exhibits`; with the request, `trainings` in all, and `notes`.
    """
    request = study.request
    curves, firsts = [], {}
    for name in study.configurations:
        outcomes = {seed: study.outcomes(name, seed) for seed in range(request.seeds)}
        curve = _curve(study, name, outcomes, firsts.setdefault(name[0], outcomes))
        curves.append(curve)
    return to_json(
        {
            "source": request.source.name,
            "second_source": request.second.name if request.second else None,
            "images": request.source.count,
            "epsilon": request.epsilon,
            "threshold": request.threshold,
            "sizes": request.sizes,
            "every_size": request.every_size,
            "seeds": request.seeds,
            "base": request.base.to_dict(),
            "curves": curves,
            "trainings": len(
                {
                    study.trial(name, count, seed).key
                    for name in study.configurations
                    for seed in range(request.seeds)
                    for count in study.outcomes(name, seed)
                }
            ),
            "finished": not any(True for _ in study.wanted()),
            "notes": [*notes, *_seed_notes(request.seeds, curves)],
        }
    )


def _curve(
    study: Study,
    name: tuple[str, str],
    outcomes: dict[int, dict[int, dict[str, Any]]],
    first: dict[int, dict[int, dict[str, Any]]],
) -> dict[str, Json]:
    request, ratios = study.request, _ratios(outcomes)
    searches = [
        _search(request.sizes, found, request.threshold, seed) for seed, found in ratios.items()
    ]
    best = [
        {**exhibit, "size": size, "seed": seed}
        for seed, by_size in outcomes.items()
        for size, one in by_size.items()
        for exhibit in one["exhibits"]
    ]
    return {
        "factor": name[0],
        "value": name[1] if name != BASE else "",
        "trainings": [
            {
                "size": size,
                "seed": seed,
                **{key: one[key] for key in ("ratio", "step", "snapshots", "duplicates")},
            }
            for seed, by_size in outcomes.items()
            for size, one in by_size.items()
        ],
        "means": [
            mean
            for size in request.sizes
            if (mean := _mean(size, ratios, _ratios(first))) is not None
        ],
        "searches": searches,
        "emm": _emm(searches, request.sizes, request.source.count),
        "exhibits": best,
    }


def _ratios(outcomes: dict[int, dict[int, dict[str, Any]]]) -> dict[int, dict[int, float]]:
    return {
        seed: {size: one["ratio"] for size, one in by_size.items()}
        for seed, by_size in outcomes.items()
    }


def _mean(
    size: int, ratios: dict[int, dict[int, float]], first: dict[int, dict[int, float]]
) -> dict[str, Json] | None:
    """Over the seeds that were trained at this size; None where there is none."""
    found = [by_size[size] for by_size in ratios.values() if size in by_size]
    if not found:
        return None
    paired = [
        by_size[size] - first[seed][size]
        for seed, by_size in ratios.items()
        if size in by_size and size in first[seed]
    ]
    shares, differences = t_interval(found), t_interval(paired)
    return {
        "size": size,
        "ratio": float(np.mean(found)),
        "interval": None if shares is None else within(shares, 0.0, 1.0).to_dict(),
        "seeds": len(found),
        "difference": None if not paired else float(np.mean(paired)),
        "difference_interval": None
        if differences is None
        else within(differences, -1.0, 1.0).to_dict(),
        "difference_seeds": len(paired),
    }


def within(interval: Interval, low: float, high: float) -> Interval:
    """What of an interval can be: Student's t knows no bounds."""
    return replace(interval, low=max(low, interval.low), high=min(high, interval.high))


def t_interval(values: Sequence[float]) -> Interval | None:
    """mean ± t·s/√n at 95 %; None for fewer than two values, or where all are the same.

    A few seeds that agree show no spread, which does not mean that there is none.
    """
    count = len(values)
    if count < 2 or max(values) - min(values) <= SAME:
        return None
    mean = float(np.mean(values))
    half = float(student_t.ppf((1 + LEVEL) / 2, count - 1) * np.std(values, ddof=1)) / count**0.5
    return Interval(low=mean - half, high=mean + half, level=LEVEL, method=T_METHOD)


def _search(
    sizes: Sequence[int], ratios: dict[int, float], threshold: float, seed: int
) -> dict[str, Json]:
    found = bracket(sizes, ratios, threshold=threshold)
    measured = sorted(ratios)
    rises = any(ratios[b] > ratios[a] for a, b in pairwise(measured))
    return {
        "seed": seed,
        "low": found.low,
        "high": found.high,
        "done": found.done,
        "emm": crossing(found, threshold=threshold) if found.done else None,
        "trainings": len(ratios),
        "monotone": not rises,
    }


def _emm(searches: list[dict[str, Json]], sizes: Sequence[int], images: int) -> dict[str, Json]:
    """The geometric mean over seeds with its interval; where a seed has none, what is known."""
    values = [one["emm"] for one in searches]
    if all(value is not None for value in values):
        span = t_interval([math.log(value) for value in values])
        return {
            "value": math.exp(float(np.mean(np.log(values)))),
            "interval": None
            if span is None
            else Interval(
                low=math.exp(span.low), high=math.exp(span.high), level=LEVEL, method=LOG_T_METHOD
            ).to_dict(),
            "words": f"all {len(values)} seeds" if span is None and len(values) > 1 else None,
        }
    words = "not measured to its end"
    if all(one["done"] for one in searches):
        limit = "larger than the data set" if sizes[-1] >= images else "the largest size"
        ends = {
            f"at least {sizes[-1]:,} ({limit})": sum(one["high"] is None for one in searches),
            f"below {sizes[0]:,} (the smallest size)": sum(one["low"] is None for one in searches),
        }
        words = ", ".join(
            said if found == len(searches) else f"{said} in {found} of {len(searches)} seeds"
            for said, found in ends.items()
            if found
        )
    return {"value": None, "interval": None, "words": words}


def _seed_notes(seeds: int, curves: Sequence[dict[str, Json]]) -> list[str]:
    if seeds == 1:
        return ["One seed gives no interval; ask for more."]
    means = [mean for curve in curves for mean in curve["means"]]
    if any(mean["interval"] is None and mean["seeds"] > 1 for mean in means):
        return [
            "Where all seeds give the same number there is no interval: so few seeds cannot tell "
            "how much it varies."
        ]
    return []
