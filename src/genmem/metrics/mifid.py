"""MiFID: the Fréchet distance, made worse for generators that copy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genmem.metrics.frechet import fd
from genmem.metrics.intervals import LEVEL, SIDE
from genmem.metrics.memorization_distance import memorization_distance
from genmem.metrics.penalty import check_tau, penalty
from genmem.results import Interval, Result

RESAMPLES = 1_000
"""Of the generated images, for the interval; so each end is the 25th value from outside."""

_AT_ONCE = 2**22
"""Images drawn in one go: 16 MiB of row numbers."""


def mifid(*, generated: Any, train: Any, tau: float = 0.1, epsilon: float = 1e-15) -> Result:
    """MiFID = FD · penalty, with penalty = 1 / (s + ε) if s < τ, and 1 otherwise.

    Source: Bai et al., KDD 2021, arXiv 2106.03062; s is `memorization_distance`.

    τ belongs to the feature space: 0.1 is the competition's for Inception (public), 0.25 its
    released script's for NASNet (private). No other backbone has a published one; `genmem
    calibrate` finds it from labelled sets once you have them.

    Args:
        generated: float [n, d], one row an image; NumPy (memory-mapped too) or torch.
        train: float [m, d].
        tau: s below it is penalised; in (0, 1].
        epsilon: keeps the penalty finite when s is 0.

    Returns:
        value: MiFID ≥ FD; lower is better.
        parts: `fd`, `memorization_distance`, `penalty` (≥ 1), `penalised`, `tau`, `epsilon`.

    Raises:
        InputError: the arrays are not features of one backbone.
        UsageError: τ or ε is out of range.
    """
    check_tau(tau, epsilon)
    frechet = fd(generated=generated, train=train)
    distance = memorization_distance(generated=generated, train=train)
    found = mifid_from(fd=frechet, distance=distance, tau=tau, epsilon=epsilon)
    return replace(found, notes=(*frechet.notes, *found.notes))


def mifid_from(*, fd: Result, distance: Result, tau: float, epsilon: float = 1e-15) -> Result:
    """`mifid` from its two parts, already computed on the same two sets.

    The notes of FD stay with FD: in a score it stands beside.
    """
    check_tau(tau, epsilon)
    penalised = distance.value < tau
    factor = float(penalty(np.array(distance.value), tau, epsilon))
    return Result(
        name="mifid",
        value=fd.value * factor,
        n=fd.n,
        parts={
            "fd": fd.value,
            "memorization_distance": distance.value,
            "penalty": factor,
            "penalised": penalised,
            "tau": tau,
            "epsilon": epsilon,
        },
        notes=distance.notes,
    )


def mifid_interval(
    *,
    found: Result,
    influence: NDArray[np.float64],
    distances: NDArray[np.float64],
    zero_rows: NDArray[np.bool_],
    seed: int = 0,
) -> Result:
    """`found` with its 95 % interval: percentiles over 1,000 resamples of the generated images.

    Each resample has the FD of its images to first order (FD + the mean of their influence, not
    below 0), their mean distance, and the penalty which that earns: so the jump of the penalty at τ
    is in the interval. FD's bias is not in it; see `fd_interval`.

    Args:
        found: MiFID.
        influence: float64 [n], of `fd_influence`.
        distances: float64 [n], of each generated row to its nearest training row.
        zero_rows: bool [n], the rows without a direction, which the mean distance leaves out.
        seed: of the resamples.
    """
    tau, epsilon = found.parts["tau"], found.parts["epsilon"]
    near = np.where(zero_rows, 0.0, distances)
    moved, near, kept = _resampled_means([influence, near, (~zero_rows).astype(np.float64)], seed)
    distance = np.divide(near, kept, out=np.full_like(near, np.inf), where=kept > 0)
    values = np.maximum(found.parts["fd"] + moved, 0.0) * penalty(distance, tau, epsilon)
    low, high = np.quantile(values, [SIDE, 1 - SIDE])
    below = float((distance < tau).mean())
    notes = found.notes
    if 0 < below < 1:
        notes += (
            f"the mean distance falls below τ = {tau:g} in {below:.1%} of the resamples and not in "
            "the others: whether it is penalised is a matter of chance.",
        )
    interval = Interval(
        low=float(low),
        high=float(high),
        level=LEVEL,
        method=f"percentiles of {RESAMPLES:,} resamples of the generated images (FD to first "
        "order), training images held fixed",
    )
    return replace(found, interval=interval, notes=notes, seed=seed)


def _resampled_means(columns: Sequence[NDArray[np.float64]], seed: int) -> NDArray[np.float64]:
    """[columns, RESAMPLES]: means of columns [n] over n rows drawn together, with replacement."""
    rng = np.random.default_rng(seed)
    count = len(columns[0])
    means = np.empty((len(columns), RESAMPLES))
    step = max(1, _AT_ONCE // count)
    for start in range(0, RESAMPLES, step):
        stop = min(start + step, RESAMPLES)
        rows = rng.integers(0, count, size=(stop - start, count), dtype=np.int32)
        for mean, column in zip(means, columns, strict=True):
            mean[start:stop] = column[rows].mean(axis=1)
    return means
