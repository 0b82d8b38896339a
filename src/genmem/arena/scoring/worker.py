"""The processes that score: a worker, and a supervisor that restarts it when it dies.

    serve ── supervisor ── worker        `genmem arena serve DIR`
             supervisor ── worker        `genmem arena worker DIR`, on this machine or another

Each process ends with its parent, however that ends. This file itself imports no Django, so that
`serve` can import it.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path

from genmem.errors import GenmemError

CHECK_EVERY = 1.0
"""Seconds between two looks at a worker's heartbeat and its tasks."""

STALLED = 1800.0
"""Seconds without progress after which a task counts as hung and its worker restarts."""

_TIMEOUT = 5
"""Seconds that running steps have to end when the worker is asked to stop."""

_SHORT_LIFE = 5.0
"""Seconds: a worker that lived shorter is restarted after a growing pause."""

_MAX_PAUSE = 30.0

_CONFIGURATION_ERROR = 2
"""Exit code of a worker whose configuration is wrong: restarting it would change nothing."""

logger = logging.getLogger(__name__)


def start_worker(folder: Path) -> None:
    """Start a worker and its supervisor beside this process, which they end with."""
    subprocess.Popen(
        [
            *(sys.executable, "-m", "genmem.arena.scoring", str(folder)),
            *("--supervise", "--parent", str(os.getpid())),
        ],
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
    )


def supervise(folder: Path, *, parent: int | None = None) -> int:
    """Run a worker in a child process, and restart it whenever it dies, until asked to stop.

    Everything slow is imported here, once, and each worker is a fork of this process, so a killed
    worker is replaced within a second.

    Args:
        folder: the arena.
        parent: process id of the parent to end with; None for no such process.

    Returns:
        The exit code.

    Raises:
        UsageError: see `work`.
    """
    stop = _stop_on_signals()
    _load(folder)
    pause = 0.2
    while not stop.is_set():
        started = time.monotonic()
        worker = _fork(folder)
        while (status := _exit_status(worker)) is None and not stop.wait(0.1):
            if _is_orphan(parent):
                stop.set()
        if status is None:
            return _terminate(worker)
        if status == _CONFIGURATION_ERROR:
            return status
        lifetime = time.monotonic() - started
        pause = 0.2 if lifetime > _SHORT_LIFE else min(2 * pause, _MAX_PAUSE)
        reason = signal.Signals(-status).name if status < 0 else f"exit code {status}"
        logger.warning("worker ended (%s); restarting", reason)
        stop.wait(pause)
    return 0


def _load(folder: Path) -> None:
    """Import everything a worker needs, without connections and threads: this process forks."""
    from genmem.arena import load

    load(folder)
    os.environ.setdefault("GENMEM_CACHE", str((folder / "work" / "cache").resolve()))
    import genmem.arena.scoring.scheduler
    import genmem.arena.scoring.task_threads  # noqa: F401


def _fork(folder: Path) -> int:
    supervisor = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    try:
        work(folder, parent=supervisor)
    except GenmemError as error:
        print(f"genmem: {error}", file=sys.stderr, flush=True)
        os._exit(_CONFIGURATION_ERROR)
    except BaseException:
        traceback.print_exc()
    os._exit(1)


def _exit_status(pid: int) -> int | None:
    """The exit code of a child, or minus its signal; None while it lives."""
    ended, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if ended else None


def work(folder: Path, *, parent: int | None = None) -> None:
    """Be a worker until asked to stop.

    Args:
        folder: the arena.
        parent: process id of the parent to end with; None for no such process.

    Raises:
        UsageError: there is no such arena, its configuration is wrong, or its database is of
            another version.
    """
    stop = _stop_on_signals()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent, stop), daemon=True).start()
    _load(folder)
    from genmem.arena.core.heartbeat import stalled
    from genmem.arena.scoring import queue
    from genmem.arena.scoring.db_retry import wait_for_database
    from genmem.arena.scoring.scheduler import Heartbeat, Scheduler
    from genmem.arena.scoring.task_threads import TaskThreads

    _check_database_version()
    os.nice(10)  # pages come first on a small machine
    worker = wait_for_database(lambda: queue.register(os.getpid()))
    threads = TaskThreads(worker)
    threads.start()
    logger.info("%s started (process %d)", worker, os.getpid())
    heartbeat = Heartbeat(worker)
    Scheduler(worker).start(stop)
    try:
        while not stop.wait(CHECK_EVERY):
            wait_for_database(heartbeat.run_once)
            if tasks := stalled(STALLED):
                logger.error("%s stalled; restarting the worker", ", ".join(tasks))
                wait_for_database(lambda: queue.return_attempts(worker, except_for=tasks))
                os._exit(70)
    except queue.LeaseExpiredError:
        logger.error("worker lease expired; restarting")
        os._exit(75)
    logger.info("%s stopping", worker)
    threading.Timer(_TIMEOUT + 5, os._exit, (0,)).start()
    threads.stop(_TIMEOUT)
    wait_for_database(lambda: queue.return_attempts(worker))
    wait_for_database(lambda: queue.retire(worker))
    os._exit(0)  # another worker continues steps that have not ended


def _check_database_version() -> None:
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    from genmem.arena.scoring.db_retry import wait_for_database
    from genmem.errors import UsageError

    def has_pending_migrations() -> bool:
        executor = MigrationExecutor(connection)
        return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))

    if wait_for_database(has_pending_migrations):
        raise UsageError(
            "the arena's database is of another version; update it with: genmem arena serve DIR"
        )


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def _end_with(parent: int, stop: threading.Event) -> None:
    """Stop in order once the parent is gone; exit at once if that takes too long."""
    while not _is_orphan(parent):
        time.sleep(0.5)
    stop.set()
    time.sleep(2 * _TIMEOUT)
    os._exit(0)


def _is_orphan(parent: int | None) -> bool:
    return parent is not None and os.getppid() != parent


def _terminate(pid: int) -> int:
    """Ask a worker to stop, and kill it if it does not."""
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + 3 * _TIMEOUT
    while _exit_status(pid) is None:
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)
    return 0
