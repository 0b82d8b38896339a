"""Which training-set size to train next, to bracket the EMM in few trainings.

The effective model memorization (EMM) of "On Memorization in Diffusion Models" (arXiv 2310.02664,
section 2.3) is the largest training-set size |D| whose memorization ratio is at least 1 − ε. The
sizes that may be trained are fixed beforehand, each a fixed factor above the one before: all seeds
and all values of a factor then meet at the same sizes. n sizes leave n + 1 answers; every training
halves them, and where two ratios are known the next size is the one at which a straight line in
log |D| crosses 1 − ε, as long as the halving's bound ⌈log₂(n + 1)⌉ on the trainings still holds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from genmem.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Bracket:
    """Where the ratio falls below 1 − ε.

    Attributes:
        low: the largest trained size whose ratio is at least 1 − ε; None: there is none yet.
        high: the smallest trained size above `low`; its ratio is below. None: there is none yet.
        low_ratio, high_ratio: the ratios there.
        done: no size between the two is left to be trained.
    """

    low: int | None
    high: int | None
    low_ratio: float | None
    high_ratio: float | None
    done: bool


def size_grid(smallest: int, largest: int, *, within: float) -> tuple[int, ...]:
    """Sizes from `smallest` to `largest`, each at most a factor of 1 + `within` above the last.

    They are rounded to whole numbers; of two that become the same, one is left out.

    Raises:
        UsageError: the ends are out of order or below 2, or `within` is no positive number.
    """
    if not 2 <= smallest <= largest:
        raise UsageError(
            "sizes: expected 2 ≤ the smallest ≤ the largest (d1/d2 needs two images), got "
            f"{smallest:,} and {largest:,}."
        )
    if not (math.isfinite(within) and within > 0):
        raise UsageError(f"within: expected a relative width above 0, got {within}.")
    if largest == smallest:
        return (smallest,)
    span = math.log(largest / smallest)
    steps = span / math.log1p(within) - 1e-9
    if steps >= largest * span:  # all whole numbers: the sizes lie less than 1 apart
        return tuple(range(smallest, largest + 1))
    steps = max(1, math.ceil(steps))
    return tuple(
        sorted(set(np.geomspace(smallest, largest, steps + 1).round().astype(int).tolist()))
    )


def next_size(sizes: Sequence[int], ratios: Mapping[int, float], *, threshold: float) -> int | None:
    """The size to train next; None when the bracket is done.

    Args:
        sizes: those that may be trained, ascending.
        ratios: measured so far, by size; those of other sizes are ignored.
        threshold: 1 − ε.
    """
    first, last = _answers(sizes, ratios, threshold)
    answers = last - first + 1  # how many of the sizes may lie at or below the EMM
    if answers == 1:
        return None
    half = 2 ** (math.ceil(math.log2(answers)) - 1)
    lowest, highest = last + 1 - half, first + half
    guess = _crossing(sizes, ratios, threshold, first, last)
    place = (first + last + 1) // 2 if guess is None else guess
    return sizes[min(max(place, lowest, first + 1), highest, last) - 1]


def find_bracket(sizes: Sequence[int], ratios: Mapping[int, float], *, threshold: float) -> Bracket:
    """Where the measured ratios fall below 1 − ε; see `next_size` for the arguments."""
    first, last = _answers(sizes, ratios, threshold)
    low = sizes[first - 1] if first else None
    high = sizes[last] if last < len(sizes) else None
    return Bracket(
        low=low,
        high=high,
        low_ratio=None if low is None else ratios[low],
        high_ratio=None if high is None else ratios[high],
        done=first == last,
    )


def interpolate_emm(bracket: Bracket, *, threshold: float) -> float | None:
    """The EMM by linear interpolation in |D| between the bracket's ends; None without both.

    |D|* = low + (high − low)·(r_low − (1 − ε))/(r_low − r_high)
    """
    if bracket.low is None or bracket.high is None:
        return None
    assert bracket.low_ratio is not None
    assert bracket.high_ratio is not None
    share = (bracket.low_ratio - threshold) / (bracket.low_ratio - bracket.high_ratio)
    return bracket.low + (bracket.high - bracket.low) * share


def _answers(
    sizes: Sequence[int], ratios: Mapping[int, float], threshold: float
) -> tuple[int, int]:
    """The least and the greatest number of sizes that may lie at or below the EMM.

    A noisy curve may cross 1 − ε more than once: the largest size above it counts, as in the
    definition of EMM.
    """
    measured = [place for place, size in enumerate(sizes, start=1) if size in ratios]
    first = max((place for place in measured if ratios[sizes[place - 1]] >= threshold), default=0)
    last = min((place - 1 for place in measured if place > first), default=len(sizes))
    return first, last


def _crossing(
    sizes: Sequence[int], ratios: Mapping[int, float], threshold: float, first: int, last: int
) -> int | None:
    """Place (from 1) of the size nearest to where a line in log |D| crosses; None: no two ratios.

    A ratio of exactly 1 says only that the crossing is further right, so it is no point of a line.
    """
    if first == 0 or last == len(sizes):
        return None
    low, high = sizes[first - 1], sizes[last]
    if ratios[low] >= 1.0 or ratios[high] <= 0.0:
        return None
    share = (ratios[low] - threshold) / (ratios[low] - ratios[high])
    at = math.log(low) + share * (math.log(high) - math.log(low))
    inside = range(first + 1, last + 1)
    return min(inside, key=lambda place: abs(math.log(sizes[place - 1]) - at))
