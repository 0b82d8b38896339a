"""What a worker does every second beside its tasks."""

from datetime import timedelta

import pytest

pytestmark = pytest.mark.usefixtures("database")


def test_a_worker_that_was_declared_dead_notices(worker):
    from genmem.arena.scoring.queue import LeaseExpiredError, retire
    from genmem.arena.scoring.scheduler import Heartbeat

    Heartbeat(worker).run_once()
    retire(worker)
    with pytest.raises(LeaseExpiredError):
        Heartbeat(worker).run_once()


def test_a_duty_that_fails_ends_no_worker_and_delays_no_other_duty(worker, monkeypatch, caplog):
    from genmem.arena.scoring import scheduler

    def broken(*_):
        raise RuntimeError("the self-check has a fault")

    calls = []
    monkeypatch.setattr(scheduler.code_runs, "advance", broken)
    monkeypatch.setattr(scheduler, "queue_stale_rescores", lambda: calls.append(1))
    scheduler.Scheduler(worker).run_once()
    assert calls == [1]
    assert "the self-check has a fault" in caplog.text


def test_packing_a_run_for_minutes_delays_no_heartbeat(worker, monkeypatch):
    """The heartbeat is sent by another thread than the one that packs runs."""
    import threading

    from genmem.arena.core.heartbeat import stalled
    from genmem.arena.scoring import scheduler

    packing, release, stop = threading.Event(), threading.Event(), threading.Event()

    def pack(*_):
        packing.set()
        release.wait(30)

    monkeypatch.setattr(scheduler, "SCHEDULE_EVERY", 0.01)
    monkeypatch.setattr(scheduler.code_runs, "advance", pack)
    monkeypatch.setattr(scheduler, "queue_stale_rescores", lambda: None)
    scheduler.Scheduler(worker).start(stop)
    assert packing.wait(30)
    before = worker.heartbeat_at
    scheduler.Heartbeat(worker).run_once()
    worker.refresh_from_db()
    assert worker.heartbeat_at >= before
    assert "scheduler" in stalled(0)  # and should it hang, that is seen
    stop.set()
    release.set()


def test_what_killed_processes_left_is_removed_every_hour(worker, monkeypatch):
    from genmem.arena.scoring import scheduler

    calls = []
    monkeypatch.setattr(scheduler, "remove_orphans", lambda older_than: calls.append(older_than))
    duties = scheduler.Scheduler(worker)
    duties.run_once()
    assert calls == []
    duties._last_run["tidy"] -= scheduler.TIDY_EVERY + 1
    duties.run_once()
    duties.run_once()
    assert calls == [timedelta(hours=1)]


def test_unavailable_storage_ends_no_worker(monkeypatch, caplog, arena):
    from genmem.arena.scoring import scheduler

    def unavailable(older_than):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(scheduler, "remove_orphans", unavailable)
    scheduler.tidy()
    assert "Input/output error" in caplog.text
