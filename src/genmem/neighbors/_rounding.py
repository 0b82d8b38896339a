"""Whether products of rows rounded to bfloat16 are worth their larger error, on this machine.

CPUs with matrix units for bfloat16 (AMX) multiply such rows many times faster than float32 rows.
Rounded scores only propose candidates, and their error is bounded (`float32_bound.score_errors`):
the answer stays exact. Elsewhere float32 is faster, so a trial decides.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache

import torch

_LEAST_PRODUCTS = 2e10
"""Multiplications of a search, from which a trial is worth its time."""

_WORTH = 3.0
"""Times as fast as float32: measuring the additional candidates takes time too."""

_SIDE, _DIMENSION = 1_024, 1_280


def worth_rounding(device: torch.device, *, products: int) -> bool:
    """Whether to round the rows of a search.

    Args:
        device: where it computes.
        products: its multiplications.
    """
    return device.type == "cpu" and products >= _LEAST_PRODUCTS and _is_faster()


@lru_cache(maxsize=1)
def _is_faster() -> bool:
    """A trial of some 20 ms of processor time, once in a process."""
    rows = torch.full((_SIDE, _DIMENSION), 0.5)
    short = rows.to(torch.bfloat16)
    out, short_out = (torch.empty(_SIDE, _SIDE, dtype=one.dtype) for one in (rows, short))
    exact, fast = [], []
    for _ in range(3):
        exact.append(_seconds(lambda: torch.mm(rows, rows.T, out=out)))
        fast.append(_seconds(lambda: torch.mm(short, short.T, out=short_out)))
    # 320, which sums that are themselves in bfloat16 do not reach; `score_errors` excludes these.
    sums_in_float32 = bool((short_out == _DIMENSION / 4).all())
    return sums_in_float32 and min(exact) >= _WORTH * min(fast)


def _seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started
