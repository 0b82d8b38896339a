"""Means over seeds with intervals, and differences to training without rejection."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from scipy.special import stdtrit

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
