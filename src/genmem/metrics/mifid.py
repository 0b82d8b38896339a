"""MiFID: the Fréchet distance, multiplied by a penalty for generators that copy.

NumPy alone is imported at once: web servers load the penalty.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import IntEnum
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genmem.errors import UsageError
from genmem.formatting import share
from genmem.metrics.intervals import LEVEL, NO_INTERVAL, SIDE
from genmem.results import Interval, Result

PUBLISHED_TAU = {"inception": 0.1, "nasnet": 0.25}
"""τ by backbone, where one was published: the competition's public and private feature spaces."""

EPSILON = 1e-15
"""Added to the memorization distance, so that the penalty is finite where it is 0."""

RESAMPLES = 1_000
"""Of the generated images, for the interval; so each end is the 25th value from outside."""

REPLAY = "replay of the training set"
"""What a set is called whose MiFID means nothing; see `Standing`."""

_DRAWN_AT_ONCE = 2**22
"""Rows drawn at once: 16 MiB of row numbers."""


def penalty(
    distance: NDArray[np.float64], tau: float, epsilon: float = EPSILON
) -> NDArray[np.float64]:
    """The factor of FD for each memorization distance s: 1 / (s + ε) if s < τ, and 1 otherwise.

    It is never below 1: a generator far from the training set is not rewarded for it.
    """
    return np.where(distance < tau, np.maximum(1.0, 1.0 / (distance + epsilon)), 1.0)


class Standing(IntEnum):
    """How a set enters a ranking by MiFID: the lower, the earlier.

    The published score cannot rank sets that copy. Add noise of size σ to n training images of mean
    square norm r²: FD is about dσ²/n and s about dσ²/(2r²), so FD/s stays near 2r²/n however small
    σ is, and with many images that is below an honest set's FD. The exact replay has FD = 0, so
    MiFID is 0 or rounding times 1e15. Therefore

    1. sets with s ≥ τ come first, by MiFID, which is their FD;
    2. sets with s < τ follow, by s, the largest first: the nearer the training set, the later;
    3. last are those of them whose FD is at its floor (`frechet.rounding_floor`): replays of the
       training set.

    Source: Bai et al. 2021, who chose τ so that no honest entry is penalized, and disqualified what
    reviewers found to copy. Departure: their leaderboard ranks by MiFID alone, so a penalized set
    leads all sets with more than 1/s times its FD. The number itself stays as published.
    """

    UNPENALIZED = 0
    PENALIZED = 1
    REPLAY = 2

    @property
    def label(self) -> str:
        """For people: "", "penalized" or "replay of the training set"."""
        return ("", "penalized", REPLAY)[self]


def standing(*, fd: Any, distance: Any, tau: Any, floor: Any) -> NDArray[np.int8]:
    """`Standing` of each set, int8 [n].

    Args:
        fd: Fréchet distances, float [n]; NaN where there is none.
        distance: memorization distances, float [n]; NaN as for `fd`.
        tau: threshold on the distance, one or [n]; a smaller distance is penalized.
        floor: FD up to which it is 0 but for rounding, `frechet.rounding_floor` (`fd`'s part
            `floor`), float [n] or one number; NaN where it is not known, so that only FD = 0 is a
            replay.
    """
    penalized = np.asarray(distance, np.float64) < tau
    floor = np.nan_to_num(np.asarray(floor, np.float64), nan=0.0)
    replay = penalized & (np.asarray(fd, np.float64) <= floor)
    return penalized.astype(np.int8) + replay.astype(np.int8)


def ranking_key(*, score: float, distance: float | None, standing: Standing) -> tuple[int, float]:
    """The sorting key of one set in `ranking`; arguments as there, for a set that has a score."""
    value = score if standing == Standing.UNPENALIZED or distance is None else -distance
    return int(standing), value


def ranking(
    *, score: NDArray[np.float64], distance: NDArray[np.float64], standing: NDArray[np.int8]
) -> NDArray[np.float64]:
    """Numbers whose ascending order is the ranking of `Standing`; equal sets have equal ones.

    Args:
        score: MiFID, float64 [n]; NaN where there is none.
        distance: memorization distances, float64 [n].
        standing: int8 [n].

    Returns:
        float64 [n], whole numbers from 0; NaN where the score is.
    """
    value = np.where(standing == Standing.UNPENALIZED, score, -distance)
    order = np.lexsort((value, standing))
    steps = (np.diff(value[order]) != 0) | (np.diff(standing[order]) != 0)
    places = np.empty(len(score))
    places[order] = np.concatenate(([0], np.cumsum(steps)))[: len(score)]
    return np.where(np.isnan(score), np.nan, places)


def check_tau(tau: float, epsilon: float = EPSILON) -> None:
    """Raise UsageError unless 0 < τ ≤ 1 and ε > 0."""
    if not isinstance(tau, Real) or isinstance(tau, bool) or not 0 < tau <= 1:
        raise UsageError(f"tau: expected a distance in (0, 1], got {tau!r}.")
    if not epsilon > 0:
        raise UsageError(f"epsilon: expected a positive number, got {epsilon}.")


def mifid(*, generated: Any, train: Any, tau: float, epsilon: float = EPSILON) -> Result:
    """MiFID = FD · penalty, with penalty = 1 / (s + ε) if s < τ, and 1 otherwise.

    Source: Bai et al., KDD 2021, arXiv 2106.03062; s is `memorization_distance`.

    τ belongs to the feature space: 0.1 is the competition's for Inception (public), 0.25 its
    released script's for NASNet (private). No other backbone has a published one; `genmem
    calibrate` finds it from labelled sets.

    Args:
        generated: float [n, d], one row per image; NumPy (memory-mapped too) or torch.
        train: float [m, d].
        tau: threshold on s, in (0, 1], of the backbone that made the features; a smaller s is
            penalized.
        epsilon: keeps the penalty finite when s is 0.

    Returns:
        value: MiFID ≥ FD as published; lower is better, but see `Standing` for rankings.
        parts: `fd`, `memorization_distance`, `penalty` (≥ 1), `penalized`, `tau`, `epsilon`,
        `fd_floor`, and `replay`: s < τ with FD at its floor, so that the value means nothing.

    Raises:
        InputError: the arrays are not features of one backbone.
        UsageError: τ or ε is out of range.

    Example:
        >>> import numpy as np
        >>> from genmem import mifid
        >>> train = np.random.default_rng(0).normal(size=(100, 4))
        >>> copies = train + 1e-3
        >>> result = mifid(generated=copies, train=train, tau=0.1)
        >>> result.parts["penalized"], result.parts["penalty"] > 1
        (True, True)
    """
    from genmem.metrics.frechet import fd
    from genmem.metrics.memorization_distance import memorization_distance

    check_tau(tau, epsilon)
    frechet = fd(generated=generated, train=train)
    distance = memorization_distance(generated=generated, train=train)
    result = mifid_from(fd=frechet, distance=distance, tau=tau, epsilon=epsilon)
    return replace(result, notes=(*frechet.notes, *result.notes))


def mifid_from(*, fd: Result, distance: Result, tau: float, epsilon: float = EPSILON) -> Result:
    """`mifid` from its two parts, computed on the same two sets.

    The notes of FD are left out, since a score lists FD too.
    """
    check_tau(tau, epsilon)
    factor = float(penalty(np.array(distance.value), tau, epsilon))
    floor = float(fd.parts.get("floor", 0.0))
    of_set = standing(fd=fd.value, distance=distance.value, tau=tau, floor=floor)
    replay = bool(of_set == Standing.REPLAY)
    notes = distance.notes
    if replay:
        notes += (
            f"{REPLAY}: FD ({fd.value:.2g}) is 0 but for rounding (up to {floor:.2g}) and the mean "
            f"distance is below τ = {tau:g}. This value means nothing; in a ranking the set is "
            "last.",
        )
    return Result(
        name="mifid",
        value=fd.value * factor,
        n=fd.n,
        parts={
            "fd": fd.value,
            "memorization_distance": distance.value,
            "penalty": factor,
            "penalized": distance.value < tau,
            "tau": tau,
            "epsilon": epsilon,
            "fd_floor": floor,
            "replay": replay,
        },
        notes=notes,
    )


def mifid_with_interval(
    *,
    fd: Result,
    distance: Result,
    tau: float,
    influence: NDArray[np.float64] | None,
    distances: NDArray[np.float64],
    zero_rows: NDArray[np.bool_],
    seed: int = 0,
    fd_infinity: Result | None = None,
) -> Result:
    """`mifid_from` with its 95 % interval: percentiles over 1,000 resamples of the images.

    Each resample of the generated images has their FD to first order (FD + the mean of their
    influence, not below 0), their mean distance, and the penalty of that distance: so the jump of
    the penalty at τ is in the interval. FD's bias is not in it; see `fd_interval`.

    Args:
        fd: the Fréchet distance.
        distance: the memorization distance.
        tau: threshold on the memorization distance.
        influence: float64 [n], of `fd_influence`; None where n ≤ d, which gives no interval.
        distances: float64 [n], from each generated row to its nearest training row.
        zero_rows: bool [n], the rows without a direction, which the mean distance leaves out.
        seed: of the resamples.
        fd_infinity: tells the size of FD's bias; None where it was not computed.

    Returns:
        The result; without an interval where it means nothing (a replay).
    """
    from genmem.metrics.frechet_interval import bias_note

    result = mifid_from(fd=fd, distance=distance, tau=tau)
    if result.parts["replay"]:
        return result
    if influence is None:
        return replace(result, notes=(*result.notes, NO_INTERVAL))
    directed = (~zero_rows).astype(np.float64)
    near = np.where(zero_rows, 0.0, distances)
    shift, near, directed = _resampled_means([influence, near, directed], seed)
    mean = np.divide(near, directed, out=np.full_like(near, np.inf), where=directed > 0)
    values = np.maximum(fd.value + shift, 0.0) * penalty(mean, tau)
    low, high = np.quantile(values, [SIDE, 1 - SIDE])
    below = float((mean < tau).mean())
    notes = (*result.notes, bias_note(fd, fd_infinity))
    if 0 < below < 1:
        notes += (
            f"the mean distance is below τ = {tau:g} in {share(below)} of the resamples and not in "
            "the others: whether it is penalized is a matter of chance.",
        )
    interval = Interval(
        low=float(low),
        high=float(high),
        level=LEVEL,
        method=f"percentiles of {RESAMPLES:,} resamples of the generated images (FD to first "
        "order), training images held fixed",
    )
    return replace(result, interval=interval, notes=notes, seed=seed)


def _resampled_means(columns: Sequence[NDArray[np.float64]], seed: int) -> NDArray[np.float64]:
    """[columns, RESAMPLES]: means of columns [n] over n rows drawn together, with replacement."""
    rng = np.random.default_rng(seed)
    count = len(columns[0])
    means = np.empty((len(columns), RESAMPLES))
    step = max(1, _DRAWN_AT_ONCE // count)
    for start in range(0, RESAMPLES, step):
        stop = min(start + step, RESAMPLES)
        rows = rng.integers(0, count, size=(stop - start, count), dtype=np.int32)
        for mean, column in zip(means, columns, strict=True):
            mean[start:stop] = column[rows].mean(axis=1)
    return means
