"""Leases: every task has one worker at a time, and a dead worker's tasks are free again."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django.utils import timezone

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def submission(competition, tmp_path):
    from .factories import submit

    return submit(competition, tmp_path)


def new_worker():
    """A live worker on another machine."""
    from genmem.arena.scoring.models import Worker

    return Worker.objects.create(host="other", heartbeat_at=timezone.now() + timedelta(days=3650))


@pytest.fixture
def other_worker(worker):
    return new_worker()


def test_a_task_is_claimed_by_one_worker_at_a_time(worker, other_worker, submission):
    from genmem.arena.scoring.queue import claim, release

    lease = claim(worker)
    assert lease.submission == submission
    assert claim(other_worker) is None
    release(lease)
    assert claim(other_worker).submission == submission


def test_a_worker_that_loses_the_race_for_a_task_chooses_again(
    worker, other_worker, competition, submission, tmp_path, monkeypatch
):
    from genmem.arena.scoring import queue
    from genmem.arena.scoring.models import Lease

    from .factories import submit

    second = submit(competition, tmp_path, seed=10)
    atomic = queue.transaction.atomic

    def atomic_but_too_late():
        monkeypatch.setattr(queue.transaction, "atomic", atomic)
        Lease.objects.create(worker=other_worker, submission=submission)
        return atomic()

    monkeypatch.setattr(queue.transaction, "atomic", atomic_but_too_late)
    assert queue.claim(worker).submission == second


def test_tasks_are_claimed_in_the_order_they_were_received(worker, competition, tmp_path, time):
    from genmem.arena.scoring.queue import claim

    from .factories import submit

    submissions = []
    for seed in (10, 20, 30):
        submissions.append(submit(competition, tmp_path, seed=seed))
        time.pass_(minutes=1)
    assert [claim(new_worker()).submission for _ in submissions] == submissions


def test_submissions_come_before_rescores(worker, competition, tmp_path):
    from genmem.arena.scoring.queue import claim
    from genmem.arena.scoring.rescore import rescore

    from ..factories import a_team, scored
    from .factories import new_split_version, submit

    scored(a_team(competition), 20.0, 30.0)
    train = new_split_version(competition, "private").train
    rescore(new_split_version(competition, "public", train=train), "other images", None)
    submission = submit(competition, tmp_path)
    assert claim(worker).submission == submission
    assert claim(new_worker()).rescore is not None
    assert claim(new_worker()) is None


def test_a_worker_does_no_two_tasks_of_one_competition(
    worker, competition, submission, tmp_path, time
):
    from genmem.arena.scoring.queue import claim

    from .factories import competition_with_images, submit

    time.pass_(minutes=1)
    submit(competition, tmp_path, seed=10)
    time.pass_(minutes=1)
    other = submit(competition_with_images(tmp_path, slug="cats"), tmp_path, seed=20)
    first = claim(worker)
    second = claim(worker, held=[first])
    assert (first.submission, second.submission) == (submission, other)
    assert claim(worker, held=[first, second]) is None


def test_a_claim_that_was_not_confirmed_is_found_again(worker, other_worker, submission):
    """The connection broke after the lease was written, and before the worker knew it."""
    from genmem.arena.scoring.queue import claim

    lease = claim(worker)
    assert claim(worker) == lease
    assert claim(worker, held=[lease]) is None
    assert claim(other_worker) is None


def test_what_has_ended_is_not_claimed(worker, submission):
    from genmem.arena.scoring.queue import claim
    from genmem.arena.scoring.steps import refuse

    refuse(submission, "validate", "no")
    assert claim(worker) is None


def test_code_is_claimed_only_once_it_has_run(worker, submission):
    from genmem.arena.scoring.queue import claim
    from genmem.arena.submissions.models import Step

    submission.kind = "code"
    submission.save()
    run = Step.objects.create(submission=submission, name="run", state="running")
    assert claim(worker) is None
    run.state = "done"
    run.save()
    assert claim(worker).submission == submission


def test_leases_of_a_worker_that_was_silent_for_too_long_are_released(worker, submission):
    from genmem.arena.scoring.models import Worker
    from genmem.arena.scoring.queue import LEASE_SECONDS, claim, retire_dead_workers

    long_ago = timezone.now() - timedelta(days=3650)
    silent = Worker.objects.create(host="other", heartbeat_at=long_ago)
    claim(silent)
    assert claim(worker) is None
    retire_dead_workers(worker)
    silent.refresh_from_db()
    assert silent.ended_at is not None
    assert claim(worker).submission == submission
    assert LEASE_SECONDS < 3600


def test_a_dead_process_on_the_same_machine_is_noticed_at_once(worker, submission):
    from genmem.arena.scoring.models import Worker
    from genmem.arena.scoring.queue import claim, retire_dead_workers

    process = {**worker.process, "pid": 2**22 + 1}
    dead = Worker.objects.create(host=worker.host, process=process, heartbeat_at=Now())
    claim(dead)
    retire_dead_workers(worker)
    assert claim(worker).submission == submission


def test_a_lease_claimed_by_a_worker_that_was_declared_dead_is_released(
    worker, other_worker, submission
):
    from genmem.arena.scoring.queue import claim, retire, retire_dead_workers

    retire(other_worker)
    claim(other_worker)
    retire_dead_workers(worker)
    assert claim(worker).submission == submission


def test_live_workers_keep_their_leases(worker, other_worker, submission):
    from genmem.arena.scoring.queue import claim, retire_dead_workers

    claim(other_worker)
    retire_dead_workers(worker)
    assert claim(worker) is None


def test_a_task_whose_worker_died_is_done_alone(worker, competition, submission, tmp_path, time):
    """So its attempts count its own deaths, and not those of a task that ran beside it."""
    from genmem.arena.scoring.queue import claim, release, retire
    from genmem.arena.scoring.steps import begin

    from .factories import competition_with_images, submit

    dead = new_worker()
    assert claim(dead).submission == submission
    begin(submission, "validate")
    retire(dead)
    time.pass_(seconds=-1)
    other = submit(competition_with_images(tmp_path, "cats"), tmp_path, seed=20)
    innocent = claim(worker)
    assert innocent.submission == other
    assert claim(worker, held=[innocent]) is None  # until the other task has ended
    release(innocent)
    other.state = "scored"
    other.save()
    suspect = claim(worker)
    assert suspect.submission == submission
    time.pass_(seconds=-1)
    submit(competition_with_images(tmp_path, "birds"), tmp_path, seed=30)
    assert claim(worker, held=[suspect]) is None  # nothing beside it


def test_a_worker_that_is_stopped_returns_the_attempts_of_its_tasks(worker, submission):
    from genmem.arena.scoring.queue import claim, retire, return_attempts
    from genmem.arena.scoring.retry import MAX_ATTEMPTS
    from genmem.arena.scoring.steps import begin
    from genmem.arena.submissions.models import Step

    for _ in range(2 * MAX_ATTEMPTS):  # restarts for a new version, say
        restarted = new_worker()
        assert claim(restarted).submission == submission
        assert begin(submission, "validate").number == 1
        return_attempts(restarted)
        retire(restarted)
    assert Step.objects.get(submission=submission, name="validate").state == "waiting"
    assert claim(worker, held=[]).alone is False


def test_a_task_that_hangs_keeps_its_attempt_and_its_neighbor_does_not(
    worker, competition, submission, tmp_path
):
    from genmem.arena.scoring.queue import claim, return_attempts
    from genmem.arena.scoring.steps import begin
    from genmem.arena.submissions.models import Step

    from .factories import competition_with_images, submit

    other = submit(competition_with_images(tmp_path, "cats"), tmp_path, seed=20)
    first = claim(worker)
    second = claim(worker, held=[first])
    assert {first.submission, second.submission} == {submission, other}
    begin(submission, "validate")
    begin(other, "validate")
    return_attempts(worker, except_for=[f"{str(submission.pk)[:8]} validate"])
    validations = Step.objects.filter(name="validate")
    attempts = dict(validations.values_list("submission_id", "attempts"))
    assert attempts == {submission.pk: 1, other.pk: 0}


def test_the_attempts_of_a_rescore_are_returned_too(worker, competition, tmp_path):
    from genmem.arena.scoring.models import Lease, Rescore
    from genmem.arena.scoring.queue import return_attempts

    from ..factories import a_team, scored
    from .factories import new_split_version

    row = Rescore.objects.create(
        submission=scored(a_team(competition), 20.0, 30.0),
        split=new_split_version(competition, "public"),
        attempts=1,
    )
    Lease.objects.create(worker=worker, rescore=row)
    return_attempts(worker, except_for=[f"rescore {row.pk}"])
    row.refresh_from_db()
    assert row.attempts == 1
    return_attempts(worker)
    row.refresh_from_db()
    assert row.attempts == 0
