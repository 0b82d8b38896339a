"""`RayBackend`: hands the work of this process to a Ray cluster (`genmem.backend`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genmem.backend import use_backend
from genmem.distributed.cluster import Cluster
from genmem.distributed.features import compute_on_cluster
from genmem.distributed.moments import moments
from genmem.distributed.search import search_shards
from genmem.distributed.shards import shards_of
from genmem.distributed.sources import hash_on_cluster
from genmem.errors import UsageError
from genmem.features.extract import Extraction
from genmem.features.feature_cache import Compute
from genmem.images import ImageSource, Progress
from genmem.metrics.moments import Moments
from genmem.neighbors import Candidates, Metric

LEAST_PAIR_VALUES = 2e11
LEAST_VALUES = 1e8
"""Pairs × columns of a search, and values of an array, below which this process is done sooner."""


class RayBackend:
    """Work on a Ray cluster: images that can be opened elsewhere, and NumPy features.

    What is small, and what is on a GPU, stays in this process. The results are the same.
    """

    def __init__(self, cluster: Cluster, progress: Progress | None = None) -> None:
        """Hand work to `cluster`; `progress` is told about searches and moments."""
        self.cluster = cluster
        self._progress = progress

    def hash_images(self, source: ImageSource) -> NDArray[np.uint8] | None:
        """See `Backend`."""
        if source.origin is None:
            return None
        return hash_on_cluster(source, self.cluster, self._progress)

    def extract(self, extraction: Extraction, folder: Path) -> Compute | None:
        """See `Backend`."""
        if extraction.source.origin is None:
            return None
        return compute_on_cluster(extraction, folder, self.cluster)

    def moments(self, features: Any) -> Moments | None:
        """See `Backend`."""
        if not isinstance(features, np.ndarray) or features.size < LEAST_VALUES:
            return None
        shards = shards_of(features, self.cluster)
        return moments(shards, cluster=self.cluster, progress=self._progress)

    def search(
        self, queries: Any, references: Any, *, k: int, metric: Metric, within: Any, first: int
    ) -> Iterable[Candidates] | None:
        """See `Backend`."""
        if not isinstance(queries, np.ndarray) or not isinstance(references, np.ndarray):
            return None
        if float(len(queries)) * references.size < LEAST_PAIR_VALUES:
            return None
        return search_shards(
            queries,
            shards_of(references, self.cluster),
            cluster=self.cluster,
            k=k,
            metric=metric,
            first=first,
            within=within,
            progress=self._progress,
        )


def check_workers(ray: str | None, workers: int) -> None:
    """Raise UsageError unless the arguments of `use_workers` go together."""
    if workers < 1:
        raise UsageError(f"workers: expected at least 1, got {workers}.")
    if ray not in (None, "local") and workers > 1:
        raise UsageError("--workers is of this machine; a cluster at an address has its own.")


@contextmanager
def use_workers(
    ray: str | None, workers: int = 1, *, progress: Progress | None = None
) -> Iterator[Cluster | None]:
    """Hand work within the block to a Ray cluster, or to processes of this machine.

    Args:
        ray: address of a cluster, or "local"; None: processes of this machine if `workers` > 1,
            otherwise this process alone.
        workers: processes of a cluster that is started here, a CPU each.
        progress: told how far the cluster is.

    Raises:
        UsageError: fewer than 1 worker, workers for a cluster that has its own, Ray is not
            installed, or there is no cluster at the address.
    """
    check_workers(ray, workers)
    if ray is None and workers == 1:
        yield None
        return
    cpus = workers if workers > 1 else None
    alternative = ", or use --workers on this machine"
    with (
        Cluster(ray or "local", cpus=cpus, alternative=alternative) as cluster,
        use_backend(RayBackend(cluster, progress)),
    ):
        yield cluster
