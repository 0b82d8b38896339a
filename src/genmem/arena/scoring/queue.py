"""The queue: which submission or rescore a worker scores next, and leases that no one else has.

The rows of submissions, steps and rescores are the only record of what is to be done and what is
done. A worker claims a task by inserting a lease, which a unique constraint allows once; the lease
ends with the task, or with the worker: when it ends, when its process is gone from its machine, or
when its heartbeat is older than `LEASE_SECONDS`.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Collection
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from genmem.arena.core import clock
from genmem.arena.sandbox import processes
from genmem.arena.scoring.models import Lease, Rescore, Worker
from genmem.arena.scoring.steps import UNDER_WAY
from genmem.arena.submissions.models import Step, Submission

LEASE_SECONDS = 120.0
"""Seconds without a heartbeat after which a worker on another machine counts as dead."""

_KEEP_WORKERS = timedelta(days=7)

logger = logging.getLogger(__name__)


class LeaseExpiredError(Exception):
    """This worker was declared dead, and others may have claimed its tasks."""


def register(pid: int) -> Worker:
    """Record that process `pid` of this machine is a worker."""
    worker = Worker.objects.create(
        host=socket.gethostname(), process=processes.identity(pid) or {}, heartbeat_at=Now()
    )
    worker.refresh_from_db()
    return worker


def heartbeat(worker: Worker) -> None:
    """Extend the leases of a worker.

    Raises:
        LeaseExpiredError: it was declared dead.
    """
    if not Worker.objects.filter(pk=worker.pk, ended_at=None).update(heartbeat_at=Now()):
        raise LeaseExpiredError


def retire(worker: Worker) -> bool:
    """Record that a worker has ended; whether this call did it. Its leases end with it."""
    ended = Worker.objects.filter(pk=worker.pk, ended_at=None).update(ended_at=clock.now())
    Lease.objects.filter(worker=worker).delete()
    return bool(ended)


def retire_dead_workers(me: Worker) -> None:
    """Retire workers that have died on this machine, or were silent for too long on another.

    Args:
        me: the calling worker.
    """
    silent_since = Now() - timedelta(seconds=LEASE_SECONDS)
    others = Worker.objects.filter(ended_at=None).exclude(pk=me.pk)
    silent = set(others.filter(heartbeat_at__lt=silent_since))
    for worker in others:
        is_local = worker.host == me.host and worker.process
        is_dead = is_local and processes.is_alive(worker.process) is False
        if (is_dead or worker in silent) and retire(worker):
            logger.warning("%s has died; its leases are released", worker)
    # A worker may have claimed a task while it was declared dead.
    Lease.objects.filter(worker__ended_at__isnull=False).delete()
    Worker.objects.filter(ended_at__lt=clock.now() - _KEEP_WORKERS).delete()


def ready_submissions() -> QuerySet[Submission]:
    """The submissions to be scored, the earliest first; code only once its images are made."""
    has_run = Step.objects.filter(name="run", state="done").values("submission")
    return Submission.objects.filter(
        Q(kind="images") | Q(kind="code", pk__in=has_run), state__in=UNDER_WAY
    ).order_by("received_at", "pk")


def claim(worker: Worker, *, held: Collection[Lease] = ()) -> Lease | None:
    """Claim the next task: the submission received first, or else the oldest rescore.

    Args:
        worker: the calling worker.
        held: leases of tasks that it is doing; their competitions are left out.

    Returns:
        The lease, to be released when the task has ended; None if there is no task now. A task
        whose worker died is done alone, so that no other task is blamed for its deaths.
    """
    if any(lease.alone for lease in held):
        return None
    # A lease of this worker that no thread holds: the database did not confirm its claim.
    leases = Lease.objects.filter(worker=worker).exclude(pk__in=[lease.pk for lease in held])
    lease = leases.select_related("submission__team", "rescore__split").first()
    if lease is not None:
        return _lease_now(lease, held)
    busy = [lease.competition_id for lease in held]
    submissions = ready_submissions().exclude(team__competition__in=busy).select_related("team")
    rescores = Rescore.objects.filter(state="waiting").exclude(split__competition__in=busy)
    rescores = rescores.select_related("split").order_by("pk")
    while True:
        task = submissions.filter(lease=None).first() or rescores.filter(lease=None).first()
        if task is None:
            return None
        if held and _has_lost_a_worker(task):
            return None  # this worker's other tasks end first
        name = "submission" if isinstance(task, Submission) else "rescore"
        try:
            with transaction.atomic():
                lease = Lease.objects.create(worker=worker, **{name: task})
            return _lease_now(lease, held)
        except IntegrityError:  # another worker was faster
            continue


def _lease_now(lease: Lease, held: Collection[Lease]) -> Lease | None:
    """The lease, marked as to be done alone or not; None while it waits for the tasks held."""
    lease.alone = _has_lost_a_worker(lease.submission or lease.rescore)
    return None if lease.alone and held else lease


def _has_lost_a_worker(task: Submission | Rescore | None) -> bool:
    """Whether an attempt at a task without a lease has begun and not ended."""
    if isinstance(task, Rescore):
        return task.attempts > 0
    steps = Step.objects.filter(submission=task, state="running").exclude(name="run")
    return steps.exists()


def return_attempts(worker: Worker, *, except_for: Collection[str] = ()) -> None:
    """Take back the attempts of a worker's tasks that end through no fault of theirs.

    Args:
        worker: is about to end.
        except_for: labels of tasks that are at fault: "SUBMISSION STEP" or "rescore NUMBER".
    """
    for lease in Lease.objects.filter(worker=worker).select_related("submission", "rescore"):
        if lease.rescore is not None and f"rescore {lease.rescore.pk}" not in except_for:
            waiting = Rescore.objects.filter(pk=lease.rescore.pk, state="waiting", attempts__gt=0)
            waiting.update(attempts=F("attempts") - 1)
        if lease.submission is not None:
            start = f"{str(lease.submission.pk)[:8]} "
            if not any(label.startswith(start) for label in except_for):
                steps = Step.objects.filter(submission=lease.submission, state="running")
                steps = steps.exclude(name="run").filter(attempts__gt=0)
                steps.update(state="waiting", attempts=F("attempts") - 1)


def release(lease: Lease) -> None:
    """Give up a lease."""
    Lease.objects.filter(pk=lease.pk).delete()
