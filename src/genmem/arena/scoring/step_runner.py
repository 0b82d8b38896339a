"""Run the steps of a submission, each retried until it is done or the submission has ended."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from dataclasses import replace
from functools import partial

from genmem.arena.core.heartbeat import beat, watch
from genmem.arena.scoring.db_retry import close_connection, wait_for_database
from genmem.arena.scoring.errors import SetupError, SubmissionError
from genmem.arena.scoring.pipeline import STEP_FUNCTIONS
from genmem.arena.scoring.reference_features import scratch_folder
from genmem.arena.scoring.retry import RETRY_PAUSE
from genmem.arena.scoring.steps import begin, fail, note_error, refuse
from genmem.arena.submissions.models import STEPS, Step, Submission
from genmem.errors import InputError

logger = logging.getLogger(__name__)


def score_submission(submission: Submission, stop: threading.Event) -> None:
    """Score a submission from its first unfinished step on.

    Args:
        submission: claimed by this worker.
        stop: when set, the next step is not begun.
    """
    rows = Step.objects.filter(submission=submission, state="done")
    done = wait_for_database(lambda: set(rows.values_list("name", flat=True)))
    for name in STEPS:
        if name in done:
            continue
        if stop.is_set() or run_step(submission, name) != "done":
            return


def run_step(submission: Submission, name: str) -> str:
    """Run one step of a submission, with retries, unless it is done.

    Args:
        submission: as claimed; its `round` is the one to work on.
        name: of the step.

    Returns:
        "done", or else the state of the submission, e.g. "refused" or "failed".
    """
    started = time.monotonic()
    label = f"{str(submission.pk)[:8]} {name}"
    with watch(label):
        while not _attempt(submission, name, label):
            pass
    outcome = wait_for_database(partial(_outcome, submission, name))
    logger.info("%s: %s, %.1f s", label, outcome, time.monotonic() - started)
    return outcome


def _attempt(submission: Submission, name: str, label: str) -> bool:
    """Attempt a step once; whether it, or the submission, has ended."""
    beat()
    attempt = None
    try:
        attempt = wait_for_database(partial(begin, submission, name))
        if attempt is not None:
            fresh = partial(replace, attempt)  # each call begins with an empty log
            wait_for_database(lambda: STEP_FUNCTIONS[name](fresh(log=[], detail=[])))
        return True
    except SubmissionError as error:
        wait_for_database(partial(refuse, submission, name, str(error)))
    except (SetupError, InputError) as error:  # may name files of this machine
        wait_for_database(partial(fail, submission, name, str(error)))
    except Exception as error:  # may be temporary: a full disk, storage that does not answer
        if attempt is None:
            raise
        close_connection()
        wait_for_database(partial(note_error, attempt, error))
        reason = " ".join(str(error).split())[:200]
        logger.warning("%s: %s: %s; retrying", label, type(error).__name__, reason)
        time.sleep(RETRY_PAUSE * attempt.number)
        return False
    shutil.rmtree(scratch_folder("submissions", str(submission.pk)), ignore_errors=True)
    return True


def _outcome(submission: Submission, name: str) -> str:
    is_done = Step.objects.filter(submission=submission, name=name, state="done").exists()
    return "done" if is_done else Submission.objects.get(pk=submission.pk).state
