"""What workers look after: the queue is stood in for, the books are real."""

import os
from datetime import timedelta

import pytest

pytestmark = pytest.mark.usefixtures("database")


class Queue:
    """Stands in for the engine: what was queued, how workflows stand, who holds some."""

    def __init__(self):
        self.queued, self.known, self.holding, self.taken = [], {}, set(), []

    def standings(self, workflows):
        return {one: self.known[one] for one in workflows if one in self.known}

    def enqueue(self, workflow, *rest):
        self.queued.append(workflow)

    enqueue_anew = enqueue

    def holders(self):
        return self.holding

    def take_over(self, executors):
        self.taken += executors
        return len(executors)


@pytest.fixture
def queue(monkeypatch):
    from genmem.arena.scoring import scheduler

    stand_in = Queue()
    monkeypatch.setattr(scheduler, "queue", stand_in)
    return stand_in


@pytest.fixture
def worker(queue):
    from genmem.arena.scoring.scheduler import sign_in

    return sign_in(os.getpid())


@pytest.fixture
def submission(database, tmp_path):
    from .factories import a_real_competition, sent

    return sent(a_real_competition(tmp_path), tmp_path)


def swept(worker):
    from genmem.arena.scoring.scheduler import Sweep

    Sweep(worker).once()


def standing(status):
    from genmem.arena.scoring.queue import Standing

    return Standing(status, "somebody")


def test_what_was_received_is_queued_under_its_own_id(queue, worker, submission):
    swept(worker)
    assert queue.queued == [str(submission.pk)]
    queue.known[str(submission.pk)] = standing("ENQUEUED")
    swept(worker)
    assert queue.queued == [str(submission.pk)]


def test_what_has_ended_is_not_queued(queue, worker, submission):
    from genmem.arena.scoring.steps import end

    end(submission.pk, 0, "refused", "no")
    swept(worker)
    assert queue.queued == []


@pytest.mark.parametrize("status", ["ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED", "CANCELLED"])
def test_what_the_queue_has_given_up_fails(queue, worker, submission, status):
    queue.known[str(submission.pk)] = standing(status)
    swept(worker)
    submission.refresh_from_db()
    assert (submission.state, submission.counts_against_limit) == ("failed", False)


def test_a_workflow_that_ended_without_a_result_is_begun_anew(queue, worker, submission):
    """So it is where the arena's database was put back from a copy and the queue's was not."""
    queue.known[str(submission.pk)] = standing("SUCCESS")
    swept(worker)
    swept(worker)
    assert queue.queued == [f"{submission.pk}-1"]


def test_work_of_a_worker_that_was_silent_for_too_long_is_taken_over(queue, worker):
    from django.utils import timezone

    from genmem.arena.scoring.models import Worker
    from genmem.arena.scoring.scheduler import LEASE

    now = timezone.now()
    silent = Worker.objects.create(host="elsewhere", seen_at=now - timedelta(days=3650))
    queue.holding = {str(silent.pk), str(worker.pk)}
    swept(worker)
    assert queue.taken == [str(silent.pk)]
    silent.refresh_from_db()
    assert silent.ended_at is not None
    assert LEASE < 3600


def test_a_dead_process_on_the_same_machine_is_known_at_once(queue, worker):
    from django.db.models.functions import Now

    from genmem.arena.scoring.models import Worker

    other = {**worker.process, "pid": 2**22 + 1}
    dead = Worker.objects.create(host=worker.host, process=other, seen_at=worker.seen_at)
    Worker.objects.update(seen_at=Now())
    queue.holding = {str(dead.pk)}
    swept(worker)
    assert queue.taken == [str(dead.pk)]


def test_a_worker_that_was_declared_dead_notices(queue, worker):
    from genmem.arena.scoring.scheduler import DeclaredDeadError, sign_out

    swept(worker)
    sign_out(worker)
    with pytest.raises(DeclaredDeadError):
        swept(worker)


def test_what_killed_processes_left_is_removed_every_hour(worker, queue, arena, monkeypatch):
    from genmem.arena.scoring import scheduler

    tidied = []
    monkeypatch.setattr(scheduler, "remove_orphans", lambda older_than: tidied.append(older_than))
    one = scheduler.Sweep(worker)
    one.once()
    assert tidied == []
    one._tidied -= scheduler.TIDY_EVERY + 1
    one.once()
    one.once()
    assert tidied == [timedelta(hours=1)]


def test_storage_that_is_away_ends_no_worker(monkeypatch, capsys, arena):
    from genmem.arena.scoring import scheduler

    def away(older_than):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(scheduler, "remove_orphans", away)
    scheduler.tidy()
    assert "Input/output error" in capsys.readouterr().err
