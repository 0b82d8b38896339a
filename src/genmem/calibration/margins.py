"""Margins: how well a feature space separates honest from cheating, comparable between spaces.

AUC and d′ have no scale; the gap is divided by the deviation of d′; the paper's literal d(M) is
listed with its scale-free form.
"""

from __future__ import annotations

import math

import numpy as np

from genmem.calibration.results import Dispersion, Floats, Margins
from genmem.calibration.thresholds import check_distances
from genmem.metrics.intervals import LEVEL
from genmem.results import Interval

RESAMPLES = 1_000
_CELLS = 4_000_000
"""Largest block of a bootstrap's counts."""


def margins(*, honest: Floats, cheating: Floats, seed: int = 0) -> Margins:
    """All margins of two groups of distances, with bootstrap intervals for AUC and d′.

    The gap has no interval: the bootstrap does not hold for extremes. An interval needs two
    entries in each group, and d′ needs some spread.

    Args:
        honest: distances of honest entries, float [n], finite and ≥ 0.
        cheating: distances of cheating entries, float [m].
        seed: of the bootstrap.

    Raises:
        InputError: a group is empty or a distance is negative or not finite.
    """
    honest, cheating = check_distances(honest, "honest"), check_distances(cheating, "cheating")
    spread = pooled_deviation(honest, cheating)
    gap = float(honest.min() - cheating.max())
    intervals = _bootstrap(honest, cheating, seed) if min(len(honest), len(cheating)) > 1 else {}
    return Margins(
        honest=len(honest),
        cheating=len(cheating),
        auc=auc(honest=honest, cheating=cheating),
        d_prime=d_prime(honest=honest, cheating=cheating),
        gap=gap,
        normalized_gap=gap / spread if spread > 0 else math.nan,
        dispersion=dispersion(np.concatenate([honest, cheating])),
        auc_interval=intervals.get("auc"),
        d_prime_interval=intervals.get("d_prime"),
    )


def auc(*, honest: Floats, cheating: Floats) -> float:
    """P(honest s > cheating s) + ½ P(equal): the area under the ROC curve (Mann-Whitney)."""
    from scipy.stats import rankdata  # takes seconds to import

    honest, cheating = check_distances(honest, "honest"), check_distances(cheating, "cheating")
    ranks = rankdata(np.concatenate([honest, cheating]))[: len(honest)]
    wins = ranks.sum() - len(honest) * (len(honest) + 1) / 2
    return float(wins / (len(honest) * len(cheating)))


def d_prime(*, honest: Floats, cheating: Floats) -> float:
    """d′ = (mean honest − mean cheating) / √((σ²_honest + σ²_cheating) / 2).

    Source: signal detection theory (Green and Swets 1966). Variances are divided by n. NaN where
    neither group has any spread.
    """
    honest, cheating = check_distances(honest, "honest"), check_distances(cheating, "cheating")
    spread = pooled_deviation(honest, cheating)
    return float((honest.mean() - cheating.mean()) / spread) if spread > 0 else math.nan


def pooled_deviation(honest: Floats, cheating: Floats) -> float:
    """√((σ²_honest + σ²_cheating) / 2), each group weighing the same; 0 for single entries."""
    spread = math.sqrt((honest.var() + cheating.var()) / 2)
    # Equal numbers leave a rounding error, not a spread.
    scale = max(float(honest.max()), float(cheating.max()))
    return spread if spread > 1e-12 * scale else 0.0


def dispersion(distances: Floats) -> Dispersion:
    """The paper's d(M) = min over τ of Σ (s − τ)², which is n times the variance of s.

    Source: Bai et al., KDD 2021, arXiv 2106.03062, the "memorization margin". The minimizer is
    the mean whatever the labels are, so it measures spread, not separation, and it grows with n
    and with the square of the distances' scale. `relative_variance` takes both away.
    """
    distances = check_distances(distances, "distances")
    mean, variance = float(distances.mean()), float(distances.var())
    return Dispersion(
        total_squared_deviation=len(distances) * variance,
        tau=mean,
        n=len(distances),
        relative_variance=variance / mean**2 if mean > 0 else math.nan,
    )


def _bootstrap(honest: Floats, cheating: Floats, seed: int) -> dict[str, Interval]:
    """Percentile intervals of AUC and d′, honest and cheating entries resampled separately."""
    rng = np.random.default_rng(seed)
    values = np.unique(np.concatenate([honest, cheating]))
    block = max(1, _CELLS // len(values))
    aucs, primes = [], []
    for start in range(0, RESAMPLES, block):
        size = min(block, RESAMPLES - start)
        drawn = _resampled(honest, values, size, rng), _resampled(cheating, values, size, rng)
        aucs.append(_aucs(drawn[0], drawn[1]))
        primes.append(_d_primes(drawn[0], drawn[1], values))
    samples = {"auc": np.concatenate(aucs), "d_prime": np.concatenate(primes)}
    return {
        name: _percentile(drawn)
        for name, drawn in samples.items()
        if bool(np.isfinite(drawn).all())
    }


def _resampled(group: Floats, values: Floats, size: int, rng: np.random.Generator) -> Floats:
    """float64 [size, len(values)]: shares of each value in `size` resamples of `group`."""
    shares = np.bincount(np.searchsorted(values, group), minlength=len(values)) / len(group)
    return rng.multinomial(len(group), shares, size=size) / len(group)


def _aucs(honest: Floats, cheating: Floats) -> Floats:
    """float64 [b] from shares [b, v] of ascending values."""
    below = np.cumsum(cheating, axis=1) - cheating / 2
    return (honest * below).sum(axis=1)


def _d_primes(honest: Floats, cheating: Floats, values: Floats) -> Floats:
    """float64 [b] from shares [b, v] of values; NaN for a resample without spread."""
    centred = values - values.mean()
    means = [shares @ centred for shares in (honest, cheating)]
    variances = [
        shares @ centred**2 - mean**2
        for shares, mean in zip((honest, cheating), means, strict=True)
    ]
    spread = np.sqrt(np.maximum(sum(variances) / 2, 0))
    out = np.full(len(spread), np.nan)
    return np.divide(means[0] - means[1], spread, out=out, where=spread > 1e-12 * values.max())


def _percentile(drawn: Floats) -> Interval:
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(
        low=float(low),
        high=float(high),
        level=LEVEL,
        method=f"stratified percentile bootstrap, {RESAMPLES:,} resamples",
    )
