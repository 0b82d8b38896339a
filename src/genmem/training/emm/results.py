"""What a study found, from its finished trials: ratios by size, EMM by seed, means, intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from scipy.stats import t as student_t

from genmem.results import Interval
from genmem.study_results.emm import (
    Curve,
    CurveTrial,
    Emm,
    EmmResults,
    MeanRatio,
    Search,
    TrialResult,
)
from genmem.training.emm.bisection import find_bracket, interpolate_emm
from genmem.training.emm.factors import FACTORS, NO_FACTOR
from genmem.training.emm.study import EmmStudy, Setting

LEVEL = 0.95

ROUNDING = 1e-9
"""Values of several seeds that differ by no more are the same, but for rounding."""

T_METHOD = "Student's t over seeds"
LOG_T_METHOD = "Student's t over seeds, of log |D|"

Ratios = Mapping[int, Mapping[int, float]]
"""Memorization ratios by seed and |D|."""


def summarize_study(study: EmmStudy, *, notes: Sequence[str] = ()) -> EmmResults:
    """Everything that the finished trials say.

    Args:
        study: finished or not; only finished trials count.
        notes: sentences about the images.

    Raises:
        InputError: a trial's result is damaged.
    """
    config = study.config
    results = {
        setting: {seed: study.results(setting, seed) for seed in range(config.seeds)}
        for setting in study.settings
    }
    first: dict[str, Setting] = {}
    for setting in results:
        first.setdefault(setting[0], setting)
    curves = tuple(
        _curve(study, setting, results[setting], _ratios(results[first[setting[0]]]))
        for setting in results
    )
    keys = {
        study.trial(setting, size, seed).key
        for setting, by_seed in results.items()
        for seed, by_size in by_seed.items()
        for size in by_size
    }
    return EmmResults(
        source=config.source.name,
        second_source=config.second_source.name if config.second_source else None,
        images=config.source.count,
        epsilon=config.epsilon,
        threshold=config.threshold,
        sizes=config.sizes,
        every_size=config.every_size,
        seeds=config.seeds,
        base=config.base.to_dict(),
        curves=curves,
        trials=len(keys),
        finished=not any(True for _ in study.pending_trials()),
        notes=(*notes, *_seed_notes(config.seeds, curves)),
    )


def _curve(
    study: EmmStudy,
    setting: Setting,
    results: Mapping[int, Mapping[int, TrialResult]],
    first: Ratios,
) -> Curve:
    config, ratios = study.config, _ratios(results)
    searches = tuple(
        _search(config.sizes, by_size, config.threshold, seed) for seed, by_size in ratios.items()
    )
    means = (_mean(size, ratios, first) for size in config.sizes)
    name, value = setting
    factor = FACTORS.get(name, NO_FACTOR)
    return Curve(
        factor=name,
        title=factor.title,
        meaning=factor.meaning,
        value=value,
        trials=tuple(
            CurveTrial(size=size, seed=seed, result=result)
            for seed, by_size in results.items()
            for size, result in by_size.items()
        ),
        means=tuple(mean for mean in means if mean is not None),
        searches=searches,
        emm=_emm(searches, config.sizes, config.source.count),
    )


def _ratios(results: Mapping[int, Mapping[int, TrialResult]]) -> Ratios:
    return {
        seed: {size: result.ratio for size, result in by_size.items()}
        for seed, by_size in results.items()
    }


def _mean(size: int, ratios: Ratios, first: Ratios) -> MeanRatio | None:
    """Over the seeds that were trained at this size; None where there is none."""
    values = [by_size[size] for by_size in ratios.values() if size in by_size]
    if not values:
        return None
    differences = [
        by_size[size] - first[seed][size]
        for seed, by_size in ratios.items()
        if size in by_size and size in first[seed]
    ]
    return MeanRatio(
        size=size,
        ratio=float(np.mean(values)),
        interval=clip_interval(t_interval(values), 0.0, 1.0),
        seeds=len(values),
        difference=float(np.mean(differences)) if differences else None,
        difference_interval=clip_interval(t_interval(differences), -1.0, 1.0),
        difference_seeds=len(differences),
    )


def clip_interval(interval: Interval | None, low: float, high: float) -> Interval | None:
    """The part of an interval within bounds, which Student's t does not know."""
    if interval is None:
        return None
    return replace(interval, low=max(low, interval.low), high=min(high, interval.high))


def t_interval(values: Sequence[float]) -> Interval | None:
    """mean ± t·s/√n at 95 %; None for fewer than two values, or where all are the same.

    A few seeds that agree show no spread, which does not mean that there is none.
    """
    count = len(values)
    if count < 2 or max(values) - min(values) <= ROUNDING:
        return None
    mean = float(np.mean(values))
    half = float(student_t.ppf((1 + LEVEL) / 2, count - 1) * np.std(values, ddof=1)) / count**0.5
    return Interval(low=mean - half, high=mean + half, level=LEVEL, method=T_METHOD)


def _search(
    sizes: Sequence[int], ratios: Mapping[int, float], threshold: float, seed: int
) -> Search:
    bracket = find_bracket(sizes, ratios, threshold=threshold)
    rises = any(ratios[larger] > ratios[smaller] for smaller, larger in pairwise(sorted(ratios)))
    return Search(
        seed=seed,
        low=bracket.low,
        high=bracket.high,
        done=bracket.done,
        emm=interpolate_emm(bracket, threshold=threshold) if bracket.done else None,
        trials=len(ratios),
        monotone=not rises,
    )


def _emm(searches: Sequence[Search], sizes: Sequence[int], images: int) -> Emm:
    """The geometric mean over seeds with its interval; where a seed has none, what is known."""
    values = [search.emm for search in searches if search.emm is not None]
    if len(values) == len(searches):
        interval = t_interval([math.log(value) for value in values])
        agreement = f"all {len(values)} seeds" if interval is None and len(values) > 1 else None
        if interval is not None:
            interval = Interval(
                low=math.exp(interval.low),
                high=math.exp(interval.high),
                level=LEVEL,
                method=LOG_T_METHOD,
            )
        value = math.exp(float(np.mean(np.log(values))))
        return Emm(value=value, interval=interval, text=agreement)
    text = "search not finished"
    if all(search.done for search in searches):
        limit = "larger than the data set" if sizes[-1] >= images else "the largest size"
        ends = {
            f"at least {sizes[-1]:,} ({limit})": sum(search.high is None for search in searches),
            f"below {sizes[0]:,} (the smallest size)": sum(
                search.low is None for search in searches
            ),
        }
        text = ", ".join(
            end if seeds == len(searches) else f"{end} in {seeds} of {len(searches)} seeds"
            for end, seeds in ends.items()
            if seeds
        )
    return Emm(value=None, interval=None, text=text)


def _seed_notes(seeds: int, curves: Sequence[Curve]) -> list[str]:
    if seeds == 1:
        return ["One seed gives no interval. Use more seeds to get one."]
    means = [mean for curve in curves for mean in curve.means]
    if any(mean.interval is None and mean.seeds > 1 for mean in means):
        return [
            "Where all seeds give the same number there is no interval: a few seeds cannot show "
            "how much the number varies."
        ]
    return []
