"""How the commands of studies do their runs: where, and what an interrupt prints."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from genmem.cli.exit_codes import INTERRUPTED, Terminated

if TYPE_CHECKING:
    from genmem.images import Progress
    from genmem.training.common.config import Device
    from genmem.training.sweep.runner import Backend


def build_backend(
    processes: int,
    ray: str | None,
    *,
    device: Device,
    threads: int = 1,
    in_process: bool = False,
    progress: Progress | None = None,
) -> Backend:
    """What does the runs of a study.

    Args:
        processes: the value of `--processes`.
        ray: the value of `--ray`.
        device: the value of `--device`.
        threads: CPU threads of a run on a cluster.
        in_process: do the runs in this process if there is only one process.
        progress: told how far each run is.

    Raises:
        UsageError: fewer than 1 process, several with a cluster, or no cluster at the address.
    """
    from genmem.cli.training import print_stopping
    from genmem.errors import UsageError
    from genmem.training.sweep.local_backend import InProcess, LocalBackend, visible_gpus

    if ray is not None:
        if processes != 1:
            raise UsageError("--processes and --ray: give one of them.")
        from genmem.training.sweep.ray_backend import RayBackend

        return RayBackend(ray, device=device, threads=threads)
    if processes == 1 and in_process:
        return InProcess(progress=progress, on_stop=print_stopping)
    gpus = [] if device == "cpu" else visible_gpus()
    return LocalBackend(processes, gpus=gpus, progress=progress, on_stop=print_stopping)


@contextmanager
def resumable(out: Path) -> Iterator[None]:
    """Exit with the code of an interrupt where the block is interrupted, and say how to resume."""
    from genmem.training.sweep.runner import StoppedError

    try:
        yield
    except (StoppedError, KeyboardInterrupt):
        event, code = "interrupted", INTERRUPTED
    except Terminated as termination:
        event, code = str(termination), termination.code
    else:
        return
    print(
        f"genmem: {event}; finished work is saved in {out}. Give the same command again to resume.",
        file=sys.stderr,
    )
    raise typer.Exit(code)
