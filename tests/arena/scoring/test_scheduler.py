"""What a worker does every second beside its tasks."""

from datetime import timedelta

import pytest

pytestmark = pytest.mark.usefixtures("database")


def test_a_worker_that_was_declared_dead_notices(worker):
    from genmem.arena.scoring.queue import LeaseExpiredError, retire
    from genmem.arena.scoring.scheduler import Scheduler

    Scheduler(worker).run_once()
    retire(worker)
    with pytest.raises(LeaseExpiredError):
        Scheduler(worker).run_once()


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
