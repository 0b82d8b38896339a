"""Ranks with ties: which places the differences of all pairs leave open to each model.

With probability 95 % or more all these ranges hold the true ranks at once (Klein, Wright and
Wieczorek 2020, "A joint confidence region for an overall ranking of populations", theorem 1),
since the differences are judged together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from genmem.comparison.results import Difference, Rank
from genmem.metrics.mifid import Standing, ranking_key, standing
from genmem.metrics.registry import Metric, metrics
from genmem.results import Result


def direction(metric: str) -> int | None:
    """1 where higher values are better, −1 where lower ones are, None where neither is."""
    entry = metrics().get(metric) or _by_second_name().get(metric)
    better = entry.better if entry is not None else ""
    if better.startswith("higher"):
        return 1
    return -1 if better in ("lower", "0") else None


def ranks(
    results: Mapping[str, Result], differences: Sequence[Difference], *, metric: str
) -> dict[str, Rank] | None:
    """The rank of each model by one metric.

    Sets that MiFID penalizes rank after all others whatever their value, replays of the training
    set last (`metrics.mifid.Standing`); its intervals then say nothing of places.

    Args:
        results: the metric by model, finite.
        differences: of all their pairs.
        metric: its name.

    Returns:
        None where neither direction of the metric is better.
    """
    sign = direction(metric)
    if sign is None:
        return None
    keys = {name: _key(result, sign) for name, result in results.items()}
    places = {name: 1 + sum(key < keys[name] for key in keys.values()) for name in keys}
    if all(one.separate is None for one in differences):
        return {name: Rank(place=place, low=place, high=place) for name, place in places.items()}
    better, worse = dict.fromkeys(results, 0), dict.fromkeys(results, 0)
    for one in differences:
        ahead, behind = one.first, one.second
        if _certain_gain(one, keys, sign) < 0:
            ahead, behind = behind, ahead
        if _certain_gain(one, keys, sign):
            better[behind] += 1
            worse[ahead] += 1
    return {
        name: Rank(place=place, low=1 + better[name], high=len(results) - worse[name])
        for name, place in places.items()
    }


def _certain_gain(one: Difference, keys: Mapping[str, tuple[int, float]], sign: int) -> float:
    """Above 0 where the first model is better for certain, below where the second is, else 0."""
    first, second = keys[one.first], keys[one.second]
    if first[0] or second[0]:  # penalized by MiFID: the rule decides, not the values
        return (first < second) - (first > second)
    return sign * one.value if one.separate else 0


def _key(result: Result, sign: int) -> tuple[int, float]:
    """What models are sorted by, the best first."""
    if "memorization_distance" not in result.parts or "fd_floor" not in result.parts:
        return 0, -sign * result.value
    distance = float(result.parts["memorization_distance"])
    how = standing(
        fd=result.parts["fd"],
        distance=distance,
        tau=result.parts["tau"],
        floor=result.parts["fd_floor"],
    )
    return ranking_key(score=result.value, distance=distance, standing=Standing(int(how)))


def _by_second_name() -> dict[str, Metric]:
    return {name: entry for entry in metrics().values() for name, _ in entry.second_names.values()}
