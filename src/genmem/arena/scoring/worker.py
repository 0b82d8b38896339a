"""The processes that score: a worker, and a keeper that starts it again when it dies.

    serve ── keeper ── worker        `genmem arena serve DIR`
             keeper ── worker        `genmem arena worker DIR`, on this machine or another

Each ends with the process above it, however that ends. This file itself loads no Django, so that
`serve` may have it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path

from genmem.errors import GenmemError

SWEEP_EVERY = 1.0

STALLED = 1800.0
"""Seconds without any movement after which a step counts as hung, and its worker ends itself."""

_PATIENCE = 5
"""Seconds that steps under way have to end when the worker is asked to."""

_QUICK = 5.0
"""A worker that lived shorter than so many seconds is started again after a pause."""

_LONGEST_PAUSE = 30.0

_CANNOT = 2
"""The exit code of a worker whose settings are wrong: to start it again would change nothing."""


def start_worker(folder: Path) -> None:
    """Start a worker beside this process; returns at once. It ends when this process does."""
    subprocess.Popen(
        [*_COMMAND, str(folder), "--keep", "--parent", str(os.getpid())],
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
    )


_COMMAND = [sys.executable, "-m", "genmem.arena.scoring"]


def keep(folder: Path, *, parent: int | None = None) -> int:
    """Run a worker in a process of its own, and again whenever it dies, until asked to end.

    All that is slow to load is loaded here, once, and each worker is a fork of this process: so one
    that was killed is replaced within a second.

    Args:
        folder: the arena.
        parent: the process that must live; None: nobody's.

    Raises:
        UsageError: as `work`.
    """
    stop = _asked_to_end()
    _load(folder)
    pause = 0.2
    while not stop.is_set():
        began = time.monotonic()
        worker = _forked(folder)
        while (status := _status(worker)) is None and not stop.wait(0.1):
            if _orphaned(parent):
                stop.set()
        if status is None:
            return _ended(worker)
        if status == _CANNOT:
            return _CANNOT
        lived = time.monotonic() - began
        pause = 0.2 if lived > _QUICK else min(2 * pause, _LONGEST_PAUSE)
        said = signal.Signals(-status).name if status < 0 else f"exit code {status}"
        print(f"the worker has ended ({said}); it is started again", file=sys.stderr, flush=True)
        stop.wait(pause)
    return 0


def _load(folder: Path) -> None:
    """Everything a worker needs, but no connection and no thread: this process is to be forked."""
    from genmem.arena import load

    load(folder)
    os.environ.setdefault("GENMEM_CACHE", str((folder / "work" / "cache").resolve()))
    import genmem.arena.scoring.queue
    import genmem.arena.scoring.scheduler  # noqa: F401


def _forked(folder: Path) -> int:
    keeper = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    try:
        work(folder, parent=keeper)
    except GenmemError as error:
        print(f"genmem: {error}", file=sys.stderr, flush=True)
        os._exit(_CANNOT)
    except BaseException:
        traceback.print_exc()
    os._exit(1)


def _status(pid: int) -> int | None:
    """How a child has ended: its exit code, or minus the signal; None while it lives."""
    found, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if found else None


def work(folder: Path, *, parent: int | None = None) -> None:
    """Be a worker until asked to end.

    Raises:
        UsageError: there is no such arena, its settings are wrong, or its database is not ready.
    """
    stop = _asked_to_end()
    if parent is not None:
        threading.Thread(target=_watch, args=(parent, stop), daemon=True).start()
    _load(folder)
    from genmem.arena.scoring import queue
    from genmem.arena.scoring.db_retry import patiently, say
    from genmem.arena.scoring.scheduler import DeclaredDeadError, Sweep, sign_in, sign_out
    from genmem.arena.scoring.step_runner import stirrings

    _refuse_old_database()
    os.nice(10)  # the pages of a small machine come first
    worker = patiently(lambda: sign_in(os.getpid()))
    queue.launch(str(worker.pk))
    say(f"{worker} takes work (process {os.getpid()})")
    sweep = Sweep(worker)
    try:
        while not stop.wait(SWEEP_EVERY):
            patiently(sweep.once)
            for one in stirrings.still(STALLED):
                say(f"{one} hangs: the worker ends itself and is started again")
                os._exit(70)
    except DeclaredDeadError as error:
        say(str(error))
        os._exit(75)
    say(f"{worker} ends")
    threading.Timer(_PATIENCE + 5, os._exit, (0,)).start()
    queue.close(patience=_PATIENCE)
    patiently(lambda: sign_out(worker))
    os._exit(0)  # steps that have not ended are taken up by another worker


def _refuse_old_database() -> None:
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    from genmem.arena.scoring.db_retry import patiently
    from genmem.errors import UsageError

    def pending() -> bool:
        executor = MigrationExecutor(connection)
        return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))

    if patiently(pending):
        raise UsageError(
            "the arena's database is of another version; bring it to this one with: genmem arena "
            "serve DIR"
        )


def _asked_to_end() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def _watch(parent: int, stop: threading.Event) -> None:
    """End in order once the parent is gone; at once if that takes too long."""
    while not _orphaned(parent):
        time.sleep(0.5)
    stop.set()
    time.sleep(2 * _PATIENCE)
    os._exit(0)


def _orphaned(parent: int | None) -> bool:
    return parent is not None and os.getppid() != parent


def _ended(pid: int) -> int:
    """Ask a worker to end, and see to it."""
    os.kill(pid, signal.SIGTERM)
    until = time.monotonic() + 3 * _PATIENCE
    while _status(pid) is None:
        if time.monotonic() > until:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)
    return 0
