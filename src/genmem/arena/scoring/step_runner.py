"""One step, from beginning to end, whatever comes between: what a durable workflow calls."""

from __future__ import annotations

import shutil
import threading
import time
import uuid
from functools import partial

from genmem.arena.scoring.db_retry import drop, patiently, say
from genmem.arena.scoring.pipeline import WORK
from genmem.arena.scoring.reference_features import SplitError, scratch_folder
from genmem.arena.scoring.steps import OURS, Failure, Refusal, begin, end, full_reason
from genmem.arena.submissions.models import Step, Submission
from genmem.errors import InputError

TRIES = 3
"""How often one worker tries a step that fails for a reason that may pass (a full disk, say)."""

_PAUSE = 2.0


class Stirrings:
    """When each step under way in this process last moved: one that never does is hung."""

    def __init__(self) -> None:
        self._at: dict[str, float] = {}
        self._lock = threading.Lock()

    def stir(self, key: str) -> None:
        """It moves."""
        with self._lock:
            self._at[key] = time.monotonic()

    def forget(self, key: str) -> None:
        """It has ended."""
        with self._lock:
            self._at.pop(key, None)

    def still(self, seconds: float) -> list[str]:
        """What has not moved for so long."""
        with self._lock:
            limit = time.monotonic() - seconds
            return [key for key, at in self._at.items() if at < limit]


stirrings = Stirrings()


def perform(submission_id: str, round: int, name: str) -> str:
    """Do one step of one submission, unless it is done.

    Returns:
        "done"; or how the submission has ended: "refused", "failed", "scored".
    """
    pk, key, started = uuid.UUID(submission_id), f"{submission_id} {name}", time.monotonic()
    stirrings.stir(key)
    try:
        outcome = _persistently(pk, round, name, key)
    finally:
        stirrings.forget(key)
        _begun_here.discard(key)
    say(f"{submission_id[:8]} {name}: {outcome}, {time.monotonic() - started:.1f} s")
    return outcome


def _persistently(pk: uuid.UUID, round: int, name: str, key: str) -> str:
    tries, again = 0, False
    while True:
        try:
            return patiently(partial(_attempt, pk, round, name, key, again))
        except (Refusal, InputError) as error:
            return _ended(pk, round, name, "refused", str(error))
        except (Failure, SplitError) as error:
            return _ended(pk, round, name, "failed", str(error))
        except Exception as error:  # it may pass: a full disk, storage that does not answer
            again, tries = True, tries + 1
            drop()
            if tries >= TRIES:
                return _ended(pk, round, name, "failed", full_reason(error))
            said = " ".join(str(error).split())[:200]
            say(f"{str(pk)[:8]} {name}: {type(error).__name__}: {said}; trying again")
            time.sleep(_PAUSE * tries)


def _ended(pk: uuid.UUID, round: int, name: str, state: str, reason: str) -> str:
    """End the submission: its team reads the reason where it is at fault, else the organisers."""
    theirs = state == "refused"
    patiently(
        partial(
            end,
            pk,
            round,
            state,
            reason if theirs else OURS,
            step=name,
            log=reason if theirs else "",
            detail="" if theirs else reason,
        )
    )
    shutil.rmtree(scratch_folder("submissions", str(pk)), ignore_errors=True)
    return patiently(partial(_state, pk, name))


def _attempt(pk: uuid.UUID, round: int, name: str, key: str, again: bool) -> str:
    work = begin(pk, round, name, again=again or key in _begun_here)
    _begun_here.add(key)
    if work is not None:
        WORK[name](work, partial(stirrings.stir, key))
    return _state(pk, name)


_begun_here: set[str] = set()
"""Steps that are tried in this process: to begin them once more is no new start."""


def _state(pk: uuid.UUID, name: str) -> str:
    """The step's or the submission's end."""
    submission = Submission.objects.get(pk=pk)
    done = Step.objects.filter(submission=submission, name=name, state="done").exists()
    return "done" if done else submission.state
