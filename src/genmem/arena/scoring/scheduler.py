"""What every worker does beside scoring, about once a second.

It sends its heartbeat, retires dead workers and advances runs of code. Every quarter of a minute it
queues the rescores of changed splits, and every hour it removes files that no row names. Several
workers may do each of these at the same moment.
"""

from __future__ import annotations

import logging
import time
from datetime import timedelta

from genmem.arena.competitions.models import Competition, split_in_force
from genmem.arena.scoring import code_runs, queue
from genmem.arena.scoring.models import Worker
from genmem.arena.scoring.rescore import rescore, stale_count
from genmem.arena.submissions.exceptions import StorageError
from genmem.arena.submissions.orphans import remove_orphans

HEARTBEAT_EVERY = 5.0
RESCORE_EVERY = 15.0
TIDY_EVERY = 3600.0
"""Seconds between two runs of each duty."""

logger = logging.getLogger(__name__)


class Scheduler:
    """The duties of one worker.

    Args:
        worker: the worker.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._last_run = {"tidy": time.monotonic()}  # `serve` tidies when it starts

    def run_once(self) -> None:
        """Do what is due.

        Raises:
            LeaseExpiredError: this worker was declared dead and must end at once.
        """
        if self._is_due("heartbeat", HEARTBEAT_EVERY):
            queue.heartbeat(self._worker)
        queue.retire_dead_workers(self._worker)
        code_runs.advance(self._worker)
        if self._is_due("rescore", RESCORE_EVERY):
            queue_stale_rescores()
        if self._is_due("tidy", TIDY_EVERY):
            tidy()

    def _is_due(self, duty: str, every: float) -> bool:
        now = time.monotonic()
        if now - self._last_run.get(duty, -every) < every:
            return False
        self._last_run[duty] = now
        return True


def tidy() -> None:
    """Remove what killed processes left in storage; unavailable storage is tidied next time."""
    try:
        remove_orphans(older_than=timedelta(hours=1))
    except (OSError, StorageError) as error:
        logger.warning("cannot tidy storage: %s", error)


def queue_stale_rescores() -> None:
    """Queue rescores of the submissions whose score is of an older version of a split."""
    for competition in Competition.objects.all():
        for kind in ("public", "private"):
            split = split_in_force(competition, kind)
            if split is not None and split.version > 1 and stale_count(split):
                count = rescore(split, f"{split} is in force", None)
                logger.info("%s: %d rescores under %s", competition.slug, count, split)
