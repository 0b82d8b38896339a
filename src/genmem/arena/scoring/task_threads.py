"""The threads of a worker: each claims a task, does it, releases it and claims the next."""

from __future__ import annotations

import logging
import threading
import time
from functools import partial

from django.db import connection

from genmem.arena.scoring import queue
from genmem.arena.scoring.db_retry import wait_for_database
from genmem.arena.scoring.models import Lease, Worker
from genmem.arena.scoring.rescore_task import run_rescore
from genmem.arena.scoring.step_runner import score_submission

CONCURRENCY = 2
"""Tasks that one worker does at once, no two of them of one competition."""

POLL_EVERY = 0.5
"""Seconds between two looks into an empty queue."""

_ERROR_PAUSE = 5.0

logger = logging.getLogger(__name__)


class TaskThreads:
    """The threads of one worker.

    Args:
        worker: the worker that claims the tasks.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._stop = threading.Event()
        self._held: list[Lease] = []
        self._claiming = threading.Lock()
        self._threads = [
            threading.Thread(target=self._run, daemon=True) for _ in range(CONCURRENCY)
        ]

    def start(self) -> None:
        """Begin to claim tasks."""
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float) -> None:
        """Claim nothing more, and wait for running steps, at most `timeout` seconds."""
        self._stop.set()
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                try:
                    self._do_next_task()
                except Exception:
                    logger.exception("a task failed unexpectedly; it will be claimed again")
                    self._stop.wait(_ERROR_PAUSE)
        finally:
            connection.close()

    def _do_next_task(self) -> None:
        with self._claiming:
            lease = wait_for_database(partial(queue.claim, self._worker, held=self._held))
            if lease is not None:
                self._held.append(lease)
        if lease is None:
            self._stop.wait(POLL_EVERY)
            return
        try:
            self._do(lease)
        finally:
            wait_for_database(partial(queue.release, lease))
            self._held.remove(lease)

    def _do(self, lease: Lease) -> None:
        if lease.submission is not None:
            score_submission(lease.submission, self._stop)
        elif lease.rescore is not None:
            run_rescore(lease.rescore.pk)
