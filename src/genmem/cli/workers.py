"""The commands' workers: `--ray` and `--workers`, and the cost, which `--dry-run` prints alone."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from genmem.features import BackboneLike
    from genmem.images import Progress
    from genmem.scoring.cost import Pairs
    from genmem.scoring.feature_sets import ExtractOptions


@contextmanager
def on_workers(
    ray: str | None,
    workers: int,
    dry_run: bool,
    *,
    sources: Mapping[str, Any],
    backbones: Sequence[BackboneLike],
    options: ExtractOptions,
    pairs: Pairs | None = None,
    progress: Progress | None = None,
) -> Iterator[None]:
    """Hand the work within the block to workers, and print its cost first.

    Args:
        ray: the value of `--ray`.
        workers: the value of `--workers`.
        dry_run: the value of `--dry-run`: print the cost on stdout, and end the command.
        sources: as for `estimate_cost`.
        backbones: as for `estimate_cost`.
        options: as for `estimate_cost`.
        pairs: as for `estimate_cost`.
        progress: told how far the workers are.

    Raises:
        UsageError: the options do not go together, or no cluster is at the address.
    """
    from genmem.images.prefetch import usable_cores

    if ray is None and workers == 1 and not dry_run:
        yield
        return
    from genmem.distributed import use_workers
    from genmem.distributed.backend import check_workers
    from genmem.scoring.cost import estimate_cost

    check_workers(ray, workers)
    cost = estimate_cost(sources, backbones=backbones, options=options, pairs=pairs)
    if dry_run and ray in (None, "local"):  # nothing to ask a cluster
        print("plan:", cost.describe(workers if workers > 1 else usable_cores()))
        raise typer.Exit(0)
    with use_workers(ray, workers, progress=progress) as cluster:
        places = workers if cluster is None else cluster.places()
        print("plan:", cost.describe(places), file=None if dry_run else sys.stderr, flush=True)
        if dry_run:
            raise typer.Exit(0)
        yield
