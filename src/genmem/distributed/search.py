"""Exact nearest neighbors, one task per shard of the references.

A task compares all queries with one shard and returns the k nearest of each; the search merges them
by distance and index, so that the result is that of one process, bit for bit, whatever the shards,
the workers, the order in which they end, and the machines that are lost on the way.

Each shard is read once, in parts: all queries are compared with a part before the next is read. The
memory of a worker is bounded by the queries (shared by the workers of a machine), one part
(`shards.PART_BYTES`; mapped, where the shard is a file), the blocks of `neighbors` (under 400 MiB)
and the candidates.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genmem.arrays import as_features, to_numpy
from genmem.distributed.cluster import Cluster, Shared
from genmem.distributed.shards import Shard, check_finite, first_rows, open_shard, parts_of
from genmem.distributed.threads import one_thread
from genmem.errors import InputError, UsageError
from genmem.images import Progress
from genmem.neighbors import Candidates, Metric, Nearest, NearestNeighbors


def search(
    queries: Any,
    shards: Sequence[str | Path | Shard],
    *,
    cluster: Cluster,
    k: int = 1,
    metric: Metric = "cosine",
    exclude_self: bool = False,
    progress: Progress | None = None,
) -> Nearest:
    """The k nearest references of every query; references in shards, compared by a cluster.

    Args:
        queries: features [n, d], NumPy or torch.
        shards: .npy files of features, which all machines see under the same names, or `Shard`s.
            The rows of all, in this order, are the references.
        cluster: does the work.
        k: neighbors per query.
        metric: as for `nearest`.
        exclude_self: the references are the queries, which is checked, and no row is its own
            neighbor.
        progress: told how many references are compared.

    Returns:
        What `nearest(queries, numpy.concatenate(shards))` returns, in NumPy.

    Raises:
        InputError: a shard is no features [m, d], not finite, or of another dimension; or there are
            fewer than k references.
        UsageError: k or metric is not one of the allowed values, or with `exclude_self` the shards
            hold other rows than the queries.
    """
    queries = to_numpy(as_features(queries, role="queries"))
    opened = [open_shard(shard) for shard in shards]
    if exclude_self and not _hold(opened, queries):
        raise UsageError(
            "exclude_self compares a set with itself, but the shards hold other rows than the "
            "queries."
        )
    merged = NearestNeighbors(queries, k=k, metric=metric, exclude_self=exclude_self)
    for candidates in search_shards(
        queries, opened, cluster=cluster, k=merged.width, metric=metric, progress=progress
    ):
        merged.merge(candidates)
    return merged.compute()


def _hold(shards: Sequence[Shard], queries: NDArray[Any]) -> bool:
    """Whether the rows of all shards, in their order, are the queries."""
    if sum(shard.rows for shard in shards) != len(queries):
        return False
    return all(
        np.array_equal(queries[first + start : first + start + len(rows)], rows)
        for first, shard in zip(first_rows(shards), shards, strict=True)
        for start, rows in parts_of(shard)
    )


def search_shards(
    queries: Any,
    shards: Sequence[Shard],
    *,
    cluster: Cluster,
    k: int,
    metric: Metric,
    first: int = 0,
    within: Any = None,
    progress: Progress | None = None,
) -> Iterator[Candidates]:
    """The nearest rows of every shard, in whatever order the tasks end.

    Args:
        queries: NumPy [n, d].
        shards: of the references.
        cluster: does the work.
        k: neighbors per query and shard.
        metric: as for `nearest`.
        first: the index of the first reference.
        within: as for `NearestNeighbors`.
        progress: told how many references are compared.
    """
    shared = cluster.share((queries, within))
    starts = [first + start for start in first_rows(shards)]
    jobs = [(shared, shard, start, k, metric) for shard, start in zip(shards, starts, strict=True)]
    total, done = sum(shard.rows for shard in shards), 0
    stage = f"comparing {len(queries):,} rows with references"
    for number, candidates in cluster.run(_search_shard, jobs):
        yield candidates
        done += shards[number].rows
        if progress:
            progress(stage, done, total)


def _search_shard(shared: Shared, shard: Shard, first: int, k: int, metric: Metric) -> Candidates:
    """The task: all queries against one shard."""
    queries, within = shared.get()
    if queries.shape[1] != shard.dimension:
        raise InputError(
            f"the sets differ in feature dimension: queries has {queries.shape[1]}, a shard of the "
            f"references has {shard.dimension}. Extract all of them with the same backbone."
        )
    with one_thread():
        nearest_rows = NearestNeighbors(queries, k=k, metric=metric, within=within)
        for start, rows in parts_of(shard):
            check_finite(rows, first + start, role="references")
            nearest_rows.update(np.asarray(rows), offset=first + start)
        return nearest_rows.candidates()
