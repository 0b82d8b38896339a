"""What workers look after between steps: nothing is forgotten, nobody's work is lost with them.

Every second, by every worker: say that one lives; take over from workers that do not; queue what
was received; move runs of code on. Every quarter of a minute: compare all that is under way with
what the queue says of it, and queue scores that a changed split makes stale. Each of these can be
done by several workers at the same moment. Every hour: remove files that no row names.
"""

from __future__ import annotations

import socket
import time
import uuid
from datetime import datetime, timedelta

from django.db.models.functions import Now
from django.utils import timezone

from genmem.arena.competitions.models import Competition, split_in_force
from genmem.arena.core import clock
from genmem.arena.sandbox import processes
from genmem.arena.scoring import code_runs, queue, rescore_task
from genmem.arena.scoring.db_retry import say
from genmem.arena.scoring.models import Rescore, Worker
from genmem.arena.scoring.rescore import rescore, stale_count
from genmem.arena.scoring.steps import OURS, UNDER_WAY, end
from genmem.arena.submissions.exceptions import StorageError
from genmem.arena.submissions.models import CODE_STEPS, Step, Submission
from genmem.arena.submissions.orphans import remove_orphans

LEASE = 120.0
"""Seconds of silence after which a worker on another machine counts as dead."""

SEEN_EVERY = 5.0
COMPARE_EVERY = 15.0
TIDY_EVERY = 3600.0

_ANEW_AT_ONCE = 50
"""Scores to be made anew that are in the queue at one time."""

_ENDED_BADLY = ("ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")
_MOST_ROUNDS = 20
_KEPT = timedelta(days=7)


class DeclaredDeadError(Exception):
    """Others have taken this worker's work over: it was silent for too long."""


def host() -> str:
    """This machine's name."""
    return socket.gethostname()


def sign_in(pid: int) -> Worker:
    """Write down that a worker has begun."""
    return Worker.objects.create(
        host=host(), process=processes.identity(pid) or {}, seen_at=timezone.now()
    )


def sign_out(worker: Worker) -> None:
    """Write down that it has ended in order."""
    Worker.objects.filter(pk=worker.pk).update(ended_at=clock.now())


def workflow_of(submission_id: uuid.UUID, round: int) -> str:
    """The id of a workflow: the submission's, with the round of its scoring from the second on."""
    return f"{submission_id}-{round}" if round else str(submission_id)


def anew_workflow_of(row: Rescore) -> str:
    """The id of the workflow that makes a score anew."""
    return f"anew-{row.pk}-{row.round}"


class Sweep:
    """The sweeps of one worker.

    Args:
        worker: whose.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._queued: set[str] = set()
        self._compared = self._seen = 0.0
        self._tidied = time.monotonic()  # `serve` has tidied when it began

    def once(self) -> None:
        """One sweep.

        Raises:
            DeclaredDeadError: this worker is to end at once.
        """
        self._live()
        take_over_from_the_dead(self._worker)
        code_runs.advance(self._worker)
        if time.monotonic() - self._compared > COMPARE_EVERY:
            self._queued.clear()
            self._queue_all()
            queue_stale()
            self._compared = time.monotonic()
        else:
            self._queue_all()
        if time.monotonic() - self._tidied > TIDY_EVERY:
            self._tidied = time.monotonic()
            tidy()

    def _live(self) -> None:
        alive = Worker.objects.filter(pk=self._worker.pk, ended_at=None)
        due = time.monotonic() - self._seen > SEEN_EVERY
        if not (alive.update(seen_at=Now()) if due else alive.exists()):
            raise DeclaredDeadError("others have taken this worker's work over; it begins anew")
        self._seen = time.monotonic() if due else self._seen

    def _queue_all(self) -> None:
        """Queue what has no workflow, and end what its workflow has given up."""
        wanted = {workflow_of(row[0], row[1]): row for row in _ready()}
        unknown = [one for one in wanted if one not in self._queued]
        known = queue.standings(unknown)
        for workflow in unknown:
            pk, round, competition, received_at = wanted[workflow]
            if workflow not in known:
                queue.enqueue(workflow, competition, str(pk), round, received_at)
            elif known[workflow].status in _ENDED_BADLY:
                _give_up(pk, round, known[workflow].status)
            elif known[workflow].status == "SUCCESS":
                _begin_round(pk, round)
            self._queued.add(workflow)
        self._queue_anew()

    def _queue_anew(self) -> None:
        rows = {anew_workflow_of(row): row for row in rescore_task.waiting(_ANEW_AT_ONCE)}
        unknown = [one for one in rows if one not in self._queued]
        known = queue.standings(unknown)
        for workflow in unknown:
            row = rows[workflow]
            if workflow not in known:
                queue.enqueue_anew(workflow, row.split.competition.pk, row.pk, row.round)
            elif known[workflow].status in _ENDED_BADLY:
                Rescore.objects.filter(pk=row.pk, state="waiting").update(
                    state="failed", detail=f"the queue gave it up: {known[workflow].status}"
                )
            self._queued.add(workflow)


def take_over_from_the_dead(me: Worker) -> None:
    """Put back into the queue what workers hold that have died, here or elsewhere."""
    dead = [
        one
        for one in Worker.objects.filter(ended_at=None).exclude(pk=me.pk)
        if one.host == me.host and one.process and processes.is_alive(one.process) is False
    ]
    silent = Worker.objects.filter(
        ended_at=None, seen_at__lt=Now() - timedelta(seconds=LEASE)
    ).exclude(pk=me.pk)
    for one in {*dead, *silent}:
        if Worker.objects.filter(pk=one.pk, ended_at=None).update(ended_at=clock.now()):
            say(f"{one} has died")
    living = {str(pk) for pk in Worker.objects.filter(ended_at=None).values_list("pk", flat=True)}
    lost = queue.holders() - living
    if lost:
        taken = queue.take_over(sorted(lost))
        say(f"took over {taken} under way from {len(lost)} that died")
    Worker.objects.filter(ended_at__lt=clock.now() - _KEPT).delete()


def tidy() -> None:
    """Remove what killed processes left in storage; storage that is away is left for next time."""
    try:
        remove_orphans(older_than=timedelta(hours=1))
    except (OSError, StorageError) as error:
        say(f"storage could not be tidied: {error}")


def queue_stale() -> None:
    """Have scores made anew that a change of a split has left behind."""
    for competition in Competition.objects.all():
        for kind in ("public", "private"):
            split = split_in_force(competition, kind)
            if split is not None and split.version > 1 and stale_count(split):
                count = rescore(split, f"{split} is in force", None)
                say(f"{competition.slug}: {count} to be scored anew under {split}")


def _ready() -> list[tuple[uuid.UUID, int, int, datetime]]:
    """Submissions that are to be scored: id, round, competition, time; the earliest first."""
    ran = Step.objects.filter(name="run", state="done").values("submission")
    under_way = Submission.objects.filter(state__in=UNDER_WAY)
    ready = under_way.filter(kind="images") | under_way.filter(kind="code", pk__in=ran)
    rows = ready.order_by("received_at", "pk")
    return list(rows.values_list("pk", "round", "team__competition_id", "received_at"))


def _give_up(pk: uuid.UUID, round: int, status: str) -> None:
    end(pk, round, "failed", OURS, step=_step_of(pk), detail=f"the queue gave it up: {status}")
    say(f"{str(pk)[:8]} failed: the queue gave it up ({status})")


def _begin_round(pk: uuid.UUID, round: int) -> None:
    """A workflow says it is done and its submission says it is not: the books were put back."""
    still = Submission.objects.filter(pk=pk, round=round, state__in=UNDER_WAY)
    if round >= _MOST_ROUNDS:
        _give_up(pk, round, "it ended without a result again and again")
    elif still.update(round=round + 1):
        say(f"{str(pk)[:8]} is scored again: its workflow had ended without a result")


def _step_of(pk: uuid.UUID) -> str:
    open_ones = {one.name for one in Step.objects.filter(submission=pk).exclude(state="done")}
    return next((name for name in CODE_STEPS if name in open_ones), "publish")
