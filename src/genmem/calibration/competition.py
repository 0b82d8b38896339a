"""A competition's results table: penalized scores, agreement of leaderboards, review work."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from genmem.arrays import as_distances
from genmem.calibration.results import Agreement, Bools, Correlation, Floats, Review, Sweep
from genmem.errors import InputError, UsageError
from genmem.metrics.intervals import LEVEL
from genmem.metrics.mifid import EPSILON, penalty, ranking, standing
from genmem.results import Interval


def penalized_score(
    *, fd: Floats, distance: Floats, tau: float | None, epsilon: float = EPSILON
) -> Floats:
    """MiFID of many entries from their FD and memorization distance; see `genmem.mifid`.

    Args:
        fd: float [n].
        distance: memorization distances s, float [n].
        tau: the threshold; None: no penalty, so FD itself.
        epsilon: keeps the penalty finite at s = 0.
    """
    fd, distance = _pair(fd=fd, distance=distance)
    if tau is None:
        return fd
    return fd * penalty(distance, tau, epsilon)


def _pair(**columns: Floats) -> list[Floats]:
    """Two columns of one table as finite float64 [n].

    Raises:
        InputError: they are not, or not of one length.
    """
    arrays = {role: as_distances(column, role=role, least=0) for role, column in columns.items()}
    if len({len(array) for array in arrays.values()}) > 1:
        lengths = " and ".join(f"{len(array):,} of {role}" for role, array in arrays.items())
        raise InputError(f"expected one value of each for every entry, got {lengths}.")
    return list(arrays.values())


FLOOR = 1e-11
"""FD, as a share of a table's largest, up to which it is 0 but for rounding. A table has no traces,
of which `genmem.fd`'s floor is 2e-12 to 1e-11 (32 to 4,032 dimensions)."""


def standings(*, fd: Floats, distance: Floats, tau: float | None) -> NDArray[np.int8]:
    """How entries of a table enter a ranking by MiFID; see `genmem.metrics.mifid.Standing`.

    Args:
        fd: float [n].
        distance: memorization distances s, float [n].
        tau: the threshold; None: no penalty.

    Returns:
        int8 [n].
    """
    if tau is None or not len(fd):
        return np.zeros(len(fd), np.int8)
    return standing(fd=fd, distance=distance, tau=tau, floor=FLOOR * float(fd.max()))


def ranked_score(*, fd: Floats, distance: Floats, tau: float | None) -> Floats:
    """Places of entries in a ranking by MiFID in which copying is no advantage; lower is better.

    Unlike `penalized_score`, the published number, which a replay of the training set makes as low
    as it likes. Arguments as there; equal entries have equal places.

    Returns:
        float64 [n].
    """
    return ranking(
        score=penalized_score(fd=fd, distance=distance, tau=tau),
        distance=distance,
        standing=standings(fd=fd, distance=distance, tau=tau),
    )


def correlation(*, fd: Floats, distance: Floats, group: str) -> Correlation:
    """Pearson's correlation of FD and distance, with its Fisher interval from 4 entries on.

    NaN for fewer than 3 entries, or where one of the two does not vary.
    """
    fd, distance = _pair(fd=fd, distance=distance)
    n = len(fd)
    if n < 3:
        return Correlation(group=group, n=n, pearson=math.nan)
    pearson = _pearson(fd, distance)
    interval = None
    if n > 3 and abs(pearson) < 1:
        from scipy.stats import norm  # takes seconds to import

        middle = math.atanh(pearson)
        reach = float(norm.ppf((1 + LEVEL) / 2)) / math.sqrt(n - 3)
        interval = Interval(
            low=math.tanh(middle - reach),
            high=math.tanh(middle + reach),
            level=LEVEL,
            method="Fisher z",
        )
    return Correlation(group=group, n=n, pearson=pearson, interval=interval)


def agreement(
    first: Floats,
    second: Floats,
    *,
    boards: tuple[str, str],
    by: Literal["fd", "score"],
    group: str,
    tops: Sequence[int],
) -> Agreement:
    """How alike two leaderboards rank the same entries; lower is better on both.

    Ties share their mean rank in the rank differences; in a top k the earlier row goes first.

    Args:
        first: scores of the first leaderboard, float [n].
        second: scores of the second, float [n].
        boards: their names.
        by: kind of the scores, for the result.
        group: name of the group of entries, for the result.
        tops: the k of the top-k overlaps; those above n are left out.
    """
    from scipy.stats import rankdata  # takes seconds to import

    ranks = [rankdata(values) for values in (first, second)]
    places = [np.argsort(values, kind="stable") for values in (first, second)]
    return Agreement(
        boards=boards,
        by=by,
        group=group,
        n=len(first),
        spearman=_pearson(*ranks),
        mean_rank_difference=float(np.abs(ranks[0] - ranks[1]).mean()),
        overlap={
            k: len(np.intersect1d(places[0][:k], places[1][:k])) for k in tops if k <= len(first)
        },
    )


def sweep(*, honest: Floats, cheating: Floats, taus: Floats) -> Sweep:
    """Cheats caught and honest entries penalized as τ moves.

    Args:
        honest: distances of honest entries, float [n].
        cheating: distances of cheating entries, float [m].
        taus: thresholds, float [t].
    """
    honest = as_distances(honest, role="honest", least=0)
    cheating = as_distances(cheating, role="cheating", least=0)
    taus = as_distances(taus, role="taus", least=0)
    return Sweep(
        taus=taus,
        caught=np.searchsorted(np.sort(cheating), taus, side="left"),
        penalized=np.searchsorted(np.sort(honest), taus, side="left"),
    )


def review(
    scores: Floats,
    *,
    cheating: Bools,
    blank: Bools,
    top: int,
    blank_is_clean: bool = False,
) -> Review:
    """How many entries a reviewer opens until the top `top` of a leaderboard are clean.

    The reviewer opens entries from the lowest score up (equal scores in the order of their rows).
    An entry labelled as a cheat is removed, and those below it move up; an entry labelled as honest
    is clean and keeps its place. The review ends with the `top`-th clean entry; every entry opened
    so far counts, including that one. It assumes that the reviewer sees at once the label that the
    entry got in the end.

    A blank label (nobody reviewed the entry) can be read in two ways. By default the entry is
    opened and counted, but is neither clean nor a cheat and holds no place: `top` entries labelled
    as honest must be found. With `blank_is_clean` it holds its place like an honest one. The truth
    lies between, since some of them may be cheats.

    Args:
        scores: of the leaderboard, float [n]; lower is better.
        cheating: bool [n].
        blank: bool [n], not reviewed.
        top: clean entries wanted, at least 1.
        blank_is_clean: a blank entry counts as clean.

    Returns:
        The counts; all n entries opened and `reached` False where there are too few clean ones.
    """
    steps = review_path(
        scores, cheating=cheating, blank=blank, top=top, blank_is_clean=blank_is_clean
    )
    opened = int(steps[-1]) if len(steps) == top else len(scores)
    seen = np.argsort(scores, kind="stable")[:opened]
    cheats, unknown = int(cheating[seen].sum()), int(blank[seen].sum())
    clean = opened - cheats - (0 if blank_is_clean else unknown)
    return Review(
        top=top,
        opened=opened,
        clean=clean,
        cheats=cheats,
        not_reviewed=unknown,
        reached=len(steps) == top,
    )


def review_path(
    scores: Floats,
    *,
    cheating: Bools,
    blank: Bools,
    top: int,
    blank_is_clean: bool = False,
) -> NDArray[np.int64]:
    """Entries opened until there are 1, 2, …, `top` clean ones; see `review`.

    Returns:
        int64 [top], or shorter where there are too few clean entries.
    """
    if top < 1:
        raise UsageError(f"top: expected at least 1 entry, got {top}.")
    clean = ~cheating if blank_is_clean else ~(cheating | blank)
    order = np.argsort(scores, kind="stable")
    return np.flatnonzero(clean[order])[:top] + 1


def _pearson(x: Floats, y: Floats) -> float:
    """Pearson's r; NaN where one of the two does not vary."""
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return math.nan
    return float(np.clip(np.corrcoef(x, y)[0, 1], -1, 1))
