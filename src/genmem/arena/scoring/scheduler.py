"""What every worker does beside scoring, about once a second.

`Heartbeat` sends the worker's heartbeat and retires dead workers; nothing else may delay it.
`Scheduler` advances runs of code, queues the rescores of changed splits every quarter of a minute,
and removes files that no row names every hour. Several workers may do each of these at the same
moment.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import timedelta

from genmem.arena.competitions.models import Competition, split_in_force
from genmem.arena.core.heartbeat import beat, watch
from genmem.arena.scoring import code_runs, queue
from genmem.arena.scoring.db_retry import UNAVAILABLE, wait_for_database
from genmem.arena.scoring.models import Worker
from genmem.arena.scoring.rescore import rescore, stale_count
from genmem.arena.submissions.exceptions import StorageError
from genmem.arena.submissions.orphans import remove_orphans

SCHEDULE_EVERY = 1.0
HEARTBEAT_EVERY = 5.0
RESCORE_EVERY = 15.0
TIDY_EVERY = 3600.0
"""Seconds between two runs of each duty."""

logger = logging.getLogger(__name__)


class Heartbeat:
    """The heartbeat of one worker.

    Args:
        worker: the worker.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._sent_at = -HEARTBEAT_EVERY

    def run_once(self) -> None:
        """Send the heartbeat if it is due, and retire dead workers.

        Raises:
            LeaseExpiredError: this worker was declared dead and must end at once.
        """
        if time.monotonic() - self._sent_at >= HEARTBEAT_EVERY:
            queue.heartbeat(self._worker)
            self._sent_at = time.monotonic()
        queue.retire_dead_workers(self._worker)


class Scheduler:
    """The duties of one worker.

    Args:
        worker: the worker.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._last_run = {"tidy": time.monotonic()}  # `serve` tidies when it starts

    def start(self, stop: threading.Event) -> None:
        """Do what is due in a thread, every `SCHEDULE_EVERY` seconds, until `stop` is set."""
        threading.Thread(target=self._run, args=(stop,), daemon=True).start()

    def _run(self, stop: threading.Event) -> None:
        with watch("scheduler"):
            while not stop.wait(SCHEDULE_EVERY):
                beat()
                wait_for_database(self.run_once)

    def run_once(self) -> None:
        """Do what is due. A duty that fails is logged, and does not keep the others from it."""
        self._try(lambda: code_runs.advance(self._worker))
        if self._is_due("rescore", RESCORE_EVERY):
            self._try(queue_stale_rescores)
        if self._is_due("tidy", TIDY_EVERY):
            self._try(tidy)

    def _try(self, duty: Callable[[], None]) -> None:
        try:
            duty()
        except UNAVAILABLE:
            raise
        except Exception:
            logger.exception("a duty failed unexpectedly; it will be tried again")

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
