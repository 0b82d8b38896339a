"""Mean and scatter of features in shards, one task per run of blocks.

Floating-point sums depend on their order. The runs are those of `genmem.metrics.moments.moments`
over the same rows, wherever shards begin and end, and they are merged in its order: the result is
that of one process with one thread, bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from genmem.arrays import check_same_dimension
from genmem.distributed.cluster import Cluster
from genmem.distributed.shards import Shard, check_finite, first_rows, open_shard
from genmem.distributed.threads import one_thread
from genmem.images import Progress
from genmem.metrics.moments import Moments, block_runs

Piece = tuple[Shard, int, int]
"""Rows [start, stop) of a shard."""


def moments(
    shards: Sequence[str | Path | Shard], *, cluster: Cluster, progress: Progress | None = None
) -> Moments:
    """Count, mean and scatter of the rows of all shards.

    A worker holds one block (`arrays.BLOCK_BYTES`, as float64), and two [d, d] matrices.

    Args:
        shards: as for `search`.
        cluster: does the work.
        progress: told how many rows are done.

    Returns:
        What `genmem.metrics.moments.moments` returns of the concatenation.

    Raises:
        InputError: a shard is no features [m, d], not finite, or of another dimension.
    """
    opened = [open_shard(shard) for shard in shards]
    names = {f"shard {number}": shard for number, shard in enumerate(opened)}
    dimension = check_same_dimension(
        **{name: np.empty((0, shard.dimension)) for name, shard in names.items()}
    )
    count = sum(shard.rows for shard in opened)
    runs = list(block_runs(count, dimension))
    jobs = [(_pieces(opened, run[0].start, run[-1].stop), run) for run in runs]
    total = Moments()
    for number, run in cluster.run(_moments_of_run, jobs, ordered=True):
        total.merge(run)
        if progress:
            progress("moments", runs[number][-1].stop, count)
    return total


def _pieces(shards: Sequence[Shard], start: int, stop: int) -> list[Piece]:
    """The parts of the shards that rows [start, stop) of all lie in."""
    pieces = []
    for shard, first in zip(shards, first_rows(shards), strict=True):
        low, high = max(start - first, 0), min(stop - first, shard.rows)
        if low < high:
            pieces.append((shard, low, high))
    return pieces


def _moments_of_run(pieces: list[Piece], blocks: list[slice]) -> Moments:
    """The task: the moments of consecutive blocks of all rows, which lie in the pieces."""
    run, first = Moments(), blocks[0].start
    with one_thread():
        for rows in blocks:
            block = _read(pieces, rows.start - first, rows.stop - first)
            check_finite(block, rows.start, role="features")
            run.add_rows(block)
    return run


def _read(pieces: list[Piece], first_row: int, stop_row: int) -> Any:
    """Rows [first_row, stop_row) of the concatenation of the pieces, in their widest precision."""
    parts, first = [], 0
    for shard, start, stop in pieces:
        low, high = max(first_row - first, 0), min(stop_row - first, stop - start)
        if low < high:
            parts.append(np.asarray(shard.open()[start + low : start + high]))
        first += stop - start
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
