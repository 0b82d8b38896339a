"""Thresholds τ* from labelled distances: by false-penalty rate, error, or balanced error.

An entry with s < τ is penalized, so the largest τ that spares an entry at distance s is s itself.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from genmem.arrays import as_distances
from genmem.calibration.results import Criterion, Floats, Threshold
from genmem.errors import InputError, UsageError
from genmem.metrics.intervals import LEVEL
from genmem.results import Interval


def choose_threshold(
    *,
    honest: Floats,
    cheating: Floats,
    criterion: Criterion = "false_penalty",
    false_penalty_rate: float = 0.0,
) -> Threshold:
    """The threshold τ* of one criterion.

    - `false_penalty`: the largest τ that penalizes at most ⌊rate · n⌋ of the n honest entries,
      which is the (⌊rate · n⌋ + 1)-th smallest honest distance. With k honest entries below τ,
      a further honest entry, exchangeable with these n, falls below it with probability
      (k + 1) / (n + 1) at most: 0 of 9 is no promise of 0.
    - `error`: fewest errors, honest penalized plus cheating not caught.
    - `balanced_error`: least mean of the two groups' error rates, so that a large group does not
      outvote a small one.

    The last two are attained on intervals; the lowest one is taken (fewest honest entries
    penalized), and its middle. Their error counts are of the entries they were fitted to.

    Source: the competition's script has one honest-sparing constant (Bai et al., KDD 2021);
    the paper describes a label-aware τ* in words and prints a formula without labels
    (`margins.dispersion`).

    Args:
        honest: distances of honest entries, float [n], finite and ≥ 0.
        cheating: distances of cheating entries, float [m].
        criterion: one of `CRITERIA`.
        false_penalty_rate: share of honest entries that may be penalized, in [0, 1); used by
            `false_penalty` only.

    Raises:
        InputError: a group is empty or a distance is negative or not finite.
        UsageError: the criterion is unknown or the rate out of range.
    """
    honest, cheating = check_distances(honest, "honest"), check_distances(cheating, "cheating")
    check_rate(false_penalty_rate)
    if criterion == "false_penalty":
        return _by_false_penalty(honest, cheating, false_penalty_rate)
    if criterion == "error":
        weights = (1.0, 1.0)
    elif criterion == "balanced_error":
        weights = (1 / len(honest), 1 / len(cheating))
    else:
        raise UsageError(
            f"criterion: expected false_penalty, error or balanced_error, got {criterion!r}."
        )
    return evaluate_threshold(
        _least_cost(honest, cheating, weights),
        honest=honest,
        cheating=cheating,
        criterion=criterion,
    )


def evaluate_threshold(
    tau: float, *, honest: Floats, cheating: Floats, criterion: Criterion | None = None
) -> Threshold:
    """Count the labelled entries that a given τ penalizes.

    Args:
        tau: the threshold, a distance.
        honest: distances of honest entries, float [n].
        cheating: distances of cheating entries, float [m].
        criterion: what τ was chosen by, for the result; None where it was given.
    """
    honest = as_distances(honest, role="honest", least=0)
    cheating = as_distances(cheating, role="cheating", least=0)
    return Threshold(
        criterion=criterion,
        tau=float(tau),
        caught=int((cheating < tau).sum()),
        penalized=int((honest < tau).sum()),
        cheating=len(cheating),
        honest=len(honest),
    )


def check_rate(rate: float) -> None:
    """Raise UsageError unless `rate` is in [0, 1)."""
    if not 0 <= rate < 1:
        raise UsageError(f"false-penalty rate: expected a share in [0, 1), got {rate}.")


def check_distances(values: Floats, group: str) -> Floats:
    """`values` as float64 [n].

    Raises:
        InputError: there are none, or one is negative or not finite.
    """
    distances = as_distances(values, role=group)
    if not (distances >= 0).all():
        raise InputError(f"{group}: expected distances of at least 0, got {distances.min():.4g}.")
    return distances


def _by_false_penalty(honest: Floats, cheating: Floats, rate: float) -> Threshold:
    from scipy.stats import binomtest  # takes seconds to import

    # The small term absorbs the rounding of products such as 0.29 · 100.
    allowed = math.floor(rate * len(honest) + 1e-9)
    tau = float(np.sort(honest)[allowed])
    at_tau = evaluate_threshold(tau, honest=honest, cheating=cheating, criterion="false_penalty")
    test = binomtest(at_tau.caught, at_tau.cheating)
    low, high = test.proportion_ci(confidence_level=LEVEL, method="exact")
    return replace(
        at_tau,
        expected_false_penalty_rate=(at_tau.penalized + 1) / (at_tau.honest + 1),
        caught_interval=Interval(
            low=float(low), high=float(high), level=LEVEL, method="Clopper-Pearson"
        ),
    )


def _least_cost(honest: Floats, cheating: Floats, weights: tuple[float, float]) -> float:
    """The middle of the lowest interval of τ on which the weighted errors are fewest."""
    values = np.unique(np.concatenate([honest, cheating]))
    # τ in (values[i − 1], values[i]] penalizes values[:i]; the last τ penalizes everything.
    taus = np.append(values, np.nextafter(values[-1], np.inf))
    penalized = np.searchsorted(np.sort(honest), taus, side="left")
    missed = len(cheating) - np.searchsorted(np.sort(cheating), taus, side="left")
    cost = weights[0] * penalized + weights[1] * missed
    # Costs that differ by rounding only are equal.
    first = int(np.flatnonzero(cost <= cost.min() + 1e-12)[0])
    high = float(taus[first])
    if first == 0:
        return high
    middle = (float(taus[first - 1]) + high) / 2
    return middle if middle > taus[first - 1] else high
