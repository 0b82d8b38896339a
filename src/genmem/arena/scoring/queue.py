"""DBOS, which remembers how far each workflow is: the only file that knows it.

    launch(executor)          this process takes work from now on
    enqueue(…)                a submission is to be scored; twice is once
    standings(ids)            how workflows stand
    take_over(executors)      what dead workers held goes back to the queue
    close()

Its traps and what is done about them: recovery goes by `executor_id` and `application_version`, so
both are given (the default version is a hash of the source, and a worker of the next release would
take nothing over); it has no lease, so that `sweep` looks for dead workers; it enqueues outside
Django's transaction, so a workflow's id is its submission's, and whatever lacks one gets it later.
A step that is begun too often is ended by `steps.begin`, which counts per step: `max_recovery`
below is only the last resort, since a run of nine hours may outlive many workers.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from dbos import DBOS, DBOSConfig, SetEnqueueOptions, SetWorkflowID
from django.conf import settings

from genmem.arena.core.configuration import Configuration
from genmem.arena.scoring.rescore_task import perform_rescore
from genmem.arena.scoring.step_runner import perform
from genmem.arena.submissions.models import STEPS

QUEUE = "scoring"
VERSION = "1"
"""Of the workflows below; to be raised when their steps change."""

AT_ONCE = 2
"""Submissions that one worker scores at once, no two of them of one competition."""

_PAGE = 500
_MOST_RECOVERIES = 50
_LOOKS_EVERY = 0.25
_LAST = 2**31 - 1
"""The priority of scores that are made anew; a submission's is the second it was received in."""


@dataclass(frozen=True)
class Standing:
    """A workflow: its status ("ENQUEUED", "PENDING", "SUCCESS", …) and who has it."""

    status: str
    executor: str


@DBOS.workflow(name="score", max_recovery_attempts=_MOST_RECOVERIES)
def score(submission_id: str, round: int) -> str:
    """Score a submission."""
    for name in STEPS:
        outcome = DBOS.run_step({"name": name}, perform, submission_id, round, name)
        if outcome != "done":
            return outcome
    return "scored"


@DBOS.workflow(name="score anew", max_recovery_attempts=_MOST_RECOVERIES)
def score_anew(rescore_id: int, round: int) -> str:
    """Score a submission again under a newer split."""
    return DBOS.run_step({"name": "score anew"}, perform_rescore, rescore_id, round)


def launch(executor: str) -> None:
    """Make this process, as `executor`, take work."""
    DBOS(config=_config(settings.ARENA, executor))
    DBOS.launch()
    DBOS.register_queue(
        QUEUE,
        worker_concurrency=AT_ONCE,
        partition_worker_concurrency=1,
        polling_interval_sec=_LOOKS_EVERY,
        on_conflict="always_update",
    )


def close(*, patience: int) -> None:
    """Take no more work, and wait at most `patience` seconds for what is under way.

    What has not ended then is another worker's, and what DBOS would say of it no error.
    """
    logging.getLogger("dbos").disabled = True
    DBOS.destroy(workflow_completion_timeout_sec=patience)


def enqueue(
    workflow: str, competition: int, submission_id: str, round: int, received_at: datetime
) -> None:
    """Have a submission scored; nothing happens where this workflow is known already."""
    priority = max(1, min(int(received_at.timestamp()), _LAST - 1))
    with (
        SetWorkflowID(workflow),
        SetEnqueueOptions(queue_partition_key=str(competition), priority=priority),
    ):
        DBOS.enqueue_workflow(QUEUE, score, submission_id, round)


def enqueue_anew(workflow: str, competition: int, rescore_id: int, round: int) -> None:
    """Have a submission scored again; nothing happens where this workflow is known already."""
    with (
        SetWorkflowID(workflow),
        SetEnqueueOptions(queue_partition_key=str(competition), priority=_LAST),
    ):
        DBOS.enqueue_workflow(QUEUE, score_anew, rescore_id, round)


def standings(workflows: Iterable[str]) -> dict[str, Standing]:
    """How workflows stand, by id; those nobody knows are missing."""
    wanted = list(workflows)
    found: dict[str, Standing] = {}
    for start in range(0, len(wanted), _PAGE):
        for one in DBOS.list_workflows(
            workflow_ids=wanted[start : start + _PAGE], load_input=False, load_output=False
        ):
            found[one.workflow_id] = Standing(one.status, one.executor_id or "")
    return found


def holders() -> set[str]:
    """The executors that hold work under way."""
    pending = DBOS.list_workflows(status="PENDING", load_input=False, load_output=False)
    return {one.executor_id for one in pending if one.executor_id}


def take_over(executors: list[str]) -> int:
    """Put what dead executors held back into the queue; how much that was.

    Only what still is theirs: DBOS changes a row where the executor is the one named here.
    """
    return len(DBOS._recover_pending_workflows(executors))


def _config(arena: Configuration, executor: str) -> DBOSConfig:
    address = arena.database or _sqlite(arena)
    return {
        "name": "genmem-arena",
        "system_database_url": address,
        "dbos_system_schema": "genmem_scoring",
        "application_version": VERSION,
        "executor_id": executor,
        "log_level": "ERROR",
        "enable_otlp": False,
    }


def _sqlite(arena: Configuration) -> str:
    """A file of its own beside Django's, so that neither waits for the other's lock."""
    path = arena.folder / "scoring.sqlite3"
    connection = sqlite3.connect(path, timeout=30)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.close()
    path.chmod(0o600)
    return f"sqlite:///{path}"
