"""The loop over all runs of a study, for every study and every backend.

A study says which runs are pending; that follows from the files in the runs' folders alone. So a
study that was interrupted or killed continues where it was, with more processes or fewer, and ends
with the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout

from genmem.errors import GenmemError, UsageError
from genmem.training.sweep.run_spec import RunSpec

MAX_ATTEMPTS = 3
"""How often a run is started whose process is killed, or whose machine is lost."""


class StoppedError(GenmemError):
    """A run was asked to stop before its end; it has saved, and can be continued."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"{folder}: stopped after saving.")


class Backend(Protocol):
    """Something that does runs: this process, processes of this machine, or a cluster."""

    @property
    def places(self) -> int:
        """How many runs at the same time."""
        ...

    def start(self, spec: RunSpec) -> None:
        """Start a run; there is a free place."""
        ...

    def wait(self) -> RunSpec:
        """Wait until one of the started runs is finished, and return it.

        Raises:
            StoppedError: a run was asked to stop.
            GenmemError: a run failed; the message says why.
        """
        ...

    def stop(self) -> None:
        """Ask the runs in progress to save and end, and wait for them."""
        ...


def run_all(
    pending: Callable[[], Iterable[RunSpec]],
    backend: Backend,
    *,
    folder: Path,
    on_finished: Callable[[RunSpec], None] | None = None,
) -> None:
    """Do all runs of a study. At a KeyboardInterrupt or an error the runs in progress save first.

    Args:
        pending: the runs that can be done now, in the order in which to start them. It is called
            whenever a place is free; runs in progress may be among them.
        backend: does the runs.
        folder: of the study. It is locked as long as runs are done.
        on_finished: called after each run.

    Raises:
        UsageError: another process does runs in the folder.
        StoppedError: a run was asked to stop; all have saved.
        GenmemError: a run failed.
    """
    try:
        with FileLock(folder / ".lock", timeout=0):
            _run_all(pending, backend, on_finished)
    except Timeout as error:
        raise UsageError(
            f"{folder}: another study is running in this folder. Wait for it to end, or name "
            "another folder."
        ) from error


def _run_all(
    pending: Callable[[], Iterable[RunSpec]],
    backend: Backend,
    on_finished: Callable[[RunSpec], None] | None,
) -> None:
    active: set[Path] = set()
    try:
        while True:
            for spec in pending():
                if len(active) >= backend.places:
                    break
                if spec.folder not in active:
                    backend.start(spec)
                    active.add(spec.folder)
            if not active:
                return
            spec = backend.wait()
            active.discard(spec.folder)
            if on_finished:
                on_finished(spec)
    finally:
        backend.stop()
