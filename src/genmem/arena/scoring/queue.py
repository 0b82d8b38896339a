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
from django.db.models import Q, QuerySet
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
        The lease, to be released when the task has ended; None if there is no task.
    """
    # A lease of this worker that no thread holds: the database did not confirm its claim.
    leases = Lease.objects.filter(worker=worker).exclude(pk__in=[lease.pk for lease in held])
    lease = leases.select_related("submission__team", "rescore__split").first()
    if lease is not None:
        return lease
    busy = [lease.competition_id for lease in held]
    submissions = ready_submissions().exclude(team__competition__in=busy).select_related("team")
    rescores = Rescore.objects.filter(state="waiting").exclude(split__competition__in=busy)
    rescores = rescores.select_related("split").order_by("pk")
    while True:
        task = submissions.filter(lease=None).first() or rescores.filter(lease=None).first()
        if task is None:
            return None
        name = "submission" if isinstance(task, Submission) else "rescore"
        try:
            with transaction.atomic():
                return Lease.objects.create(worker=worker, **{name: task})
        except IntegrityError:  # another worker was faster
            continue


def release(lease: Lease) -> None:
    """Give up a lease."""
    Lease.objects.filter(pk=lease.pk).delete()
