"""Runs of submitted code, advanced by every scheduler run: no scoring thread waits for them.

    free → taken by a machine → running there → collected (the step "run" is done)
                                             → or ended: refused, failed

A run belongs to the machine that started it: its record, its log and its supervisor are there, and
every worker of that machine finds it again. A run that is lost with its machine is started again
elsewhere, up to `MAX_ATTEMPTS` times in all.
"""

from __future__ import annotations

import logging
import shutil
import time
import uuid
from collections import Counter
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from genmem.arena import sandbox
from genmem.arena.core import formatting
from genmem.arena.core.heartbeat import beat
from genmem.arena.scoring import code_archive, programs
from genmem.arena.scoring.db_retry import UNAVAILABLE
from genmem.arena.scoring.errors import SetupError, SubmissionError
from genmem.arena.scoring.models import CodeRun, Worker
from genmem.arena.scoring.reference_features import store_bytes
from genmem.arena.scoring.steps import (
    UNDER_WAY,
    Attempt,
    begin,
    fail,
    finish,
    full_reason,
    refuse,
)
from genmem.arena.scoring.stored_names import log_name
from genmem.arena.submissions import storage
from genmem.arena.submissions.models import Step, Submission
from genmem.formatting import count

CONCURRENCY = 2
"""Runs at one time on one machine, no two of them of one competition or team while others wait."""

ABANDONED = 900.0
"""Seconds after which a run is lost if its machine has no worker any more."""

CHECK_SANDBOX_EVERY = 60.0
"""Seconds between two self-checks of a sandbox that does not hold."""

HELD_MESSAGE = (
    "Your code has not been run yet, because the sandbox is not safe at the moment. It will be run "
    "when the organizers have fixed the sandbox; you need not submit it again."
)

_LOG_CHARACTERS = 8_000
"""Characters of a log that the page shows; the whole log has a URL of its own."""

_SHOW_PROGRESS_EVERY = 5.0
_progress_shown_at: dict[uuid.UUID, float] = {}

_COLLECT_EVERY = 30.0
_COLLECT_FOR = 24 * 3600.0
"""Seconds between two attempts to collect a run that has ended, and until they are given up."""

_collect_again_at: dict[uuid.UUID, float] = {}
_collected_since: dict[uuid.UUID, float] = {}
_sandbox_failed_at: dict[str | None, float] = {}

logger = logging.getLogger(__name__)


def advance(worker: Worker) -> None:
    """Advance every run that this machine can advance, as far as possible without waiting."""
    if not _is_first_on_its_machine(worker):
        return
    free = []
    for submission in _unrun_submissions():
        beat()
        run, _ = CodeRun.objects.get_or_create(submission=submission)
        if run.host == worker.host:
            _advance(submission, run)
        elif not run.host:
            free.append((submission, run))
        elif _is_abandoned(run):
            with transaction.atomic():
                if _release(submission, run, f"the machine {run.host} has gone"):
                    steps = _open_step(submission).filter(attempts__gt=0)
                    steps.update(attempts=F("attempts") - 1)  # no fault of the run
    _take(free, worker)


def _unrun_submissions() -> list[Submission]:
    done = Step.objects.filter(name="run", state="done").values("submission")
    rows = Submission.objects.filter(kind="code", state__in=UNDER_WAY).exclude(pk__in=done)
    return list(rows.select_related("team__competition").order_by("received_at", "pk"))


def _is_first_on_its_machine(worker: Worker) -> bool:
    """Whether this worker, the first started on its machine, looks after the machine's runs."""
    workers = Worker.objects.filter(host=worker.host, ended_at=None).order_by("started_at", "pk")
    return workers.values_list("pk", flat=True).first() == worker.pk


def _is_abandoned(run: CodeRun) -> bool:
    is_silent = CodeRun.objects.filter(
        pk=run.pk, checked_at__lt=Now() - timedelta(seconds=ABANDONED)
    ).exists()
    return is_silent and not Worker.objects.filter(host=run.host, ended_at=None).exists()


def _take(free: list[tuple[Submission, CodeRun]], worker: Worker) -> None:
    """Take free runs, the earliest first, but competitions and teams without a run here first.

    So one team's runs of many hours do not hold up everybody else.
    """
    here = CodeRun.objects.filter(
        host=worker.host, outcome=None, submission__state__in=UNDER_WAY
    ).exclude(submission__steps__in=Step.objects.filter(name="run", state="done"))
    pairs = here.values_list("submission__team__competition_id", "submission__team_id")
    competitions = Counter(competition for competition, _ in pairs)
    teams = Counter(team for _, team in pairs)

    def crowding(candidate: tuple[Submission, CodeRun]) -> tuple[int, int]:
        team = candidate[0].team
        return competitions[team.competition.pk], teams[team.pk]

    candidates = list(free)
    while candidates and teams.total() < CONCURRENCY:
        submission, run = min(candidates, key=crowding)
        candidates.remove((submission, run))
        if not _sandbox_holds(submission):
            continue
        folder = settings.ARENA.folder / "runs" / str(submission.pk) / uuid.uuid4().hex[:8]
        is_taken = CodeRun.objects.filter(pk=run.pk, host="").update(
            host=worker.host, folder=str(folder.resolve()), checked_at=Now()
        )
        if is_taken:
            competitions[submission.team.competition.pk] += 1
            teams[submission.team.pk] += 1
            run.refresh_from_db()
            _advance(submission, run)


def _sandbox_holds(submission: Submission, image: str | None = None) -> bool:
    """Whether isolation holds here; if not, the team reads that its code is held."""
    if time.monotonic() - _sandbox_failed_at.get(image, -CHECK_SANDBOX_EVERY) < CHECK_SANDBOX_EVERY:
        return False
    try:
        report = sandbox.trusted_report(image)
        if report.holds:
            return True
        problems = report.problems
    except Exception as error:  # what cannot be checked is not trusted
        problems = [f"the self-check failed: {full_reason(error)}"]
    _sandbox_failed_at[image] = time.monotonic()
    logger.error("the sandbox does not hold: %s", "; ".join(problems)[:300])
    Submission.objects.filter(pk=submission.pk, state__in=UNDER_WAY).update(
        state="received", message=HELD_MESSAGE
    )
    _open_step(submission).update(state="waiting", detail="\n".join(problems))
    return False


def _open_step(submission: Submission):
    return Step.objects.filter(submission=submission, name="run").exclude(state="done")


def _advance(submission: Submission, run: CodeRun) -> None:
    """Start a run that has not begun, check on a running one, or collect one that has ended."""
    try:
        CodeRun.objects.filter(pk=run.pk).update(checked_at=Now())
        record = Path(run.folder) / "run.json"
        if not record.exists():
            _start(submission, record)
            return
        status = sandbox.poll(record)
        if status.outcome is None:
            _show_progress(submission, status, record)
        elif time.monotonic() >= _collect_again_at.get(submission.pk, 0.0):
            _collect_or_wait(submission, run, status.outcome)
    except SubmissionError as error:
        _refuse(submission, run, str(error))
    except SetupError as error:
        fail(submission, "run", str(error))
        _clean_up(submission, run, "failed")
    except UNAVAILABLE:
        raise
    except Exception as error:
        logger.warning("%s run: %s: %s", str(submission.pk)[:8], type(error).__name__, error)
        _release(submission, run, full_reason(error))


def _start(submission: Submission, record: Path) -> None:
    attempt = begin(submission, "run")
    if attempt is None:
        return
    folder, competition = record.parent, submission.team.competition
    folder.mkdir(parents=True, exist_ok=True)
    for path in (folder, folder.parent, folder.parent.parent):
        path.chmod(0o700)
    command = programs.unpack(submission, folder)
    if command.image is not None and not _sandbox_holds(submission, command.image):
        raise SubmissionError(
            f"The image {command.image} cannot be run here. Remove image from "
            f"{code_archive.MANIFEST}, or ask the organizers to pull it."
        )
    program = programs.program_of(competition, command, folder)
    sandbox.start(program, programs.limits_of(competition, program), record)
    Submission.objects.filter(pk=submission.pk, state="received").update(
        state="scoring", message=""
    )
    logger.info("%s run: started", str(submission.pk)[:8])


def _show_progress(submission: Submission, status: sandbox.Status, record: Path) -> None:
    now = time.monotonic()
    if now - _progress_shown_at.get(submission.pk, -_SHOW_PROGRESS_EVERY) < _SHOW_PROGRESS_EVERY:
        return
    _progress_shown_at[submission.pk] = now
    text = (
        f"Running for {formatting.duration(int(status.seconds))}: "
        f"{formatting.size(status.memory_bytes)} of memory, "
        f"{formatting.size(status.output_bytes)} in /output."
    )
    Step.objects.filter(submission=submission, name="run", state="running").update(
        log=_with_tail(text, _read_log(record.with_suffix(".log")))
    )


def _collect_or_wait(submission: Submission, run: CodeRun, outcome: sandbox.Outcome) -> None:
    """Collect a run that has ended; while the storage or the disk refuses, keep it for later."""
    try:
        _collect(submission, run, outcome)
    except (SubmissionError, SetupError, *UNAVAILABLE):
        raise
    except Exception as error:
        now = time.monotonic()
        if now - _collected_since.setdefault(submission.pk, now) > _COLLECT_FOR:
            raise SetupError(f"the run's images cannot be stored: {full_reason(error)}") from error
        _collect_again_at[submission.pk] = now + _COLLECT_EVERY
        _open_step(submission).update(
            log="The run has ended. Its images are kept until they can be stored.",
            detail=full_reason(error),
        )
        logger.warning("%s run: not collected yet: %s", str(submission.pk)[:8], error)


def _collect(submission: Submission, run: CodeRun, outcome: sandbox.Outcome) -> None:
    output_log = _read_log(outcome.log_path)
    if outcome.ended in ("lost", "killed", "refused"):
        _release(submission, run, f"{outcome.ended}: {outcome.message}\n{output_log[-2000:]}")
        return
    CodeRun.objects.filter(pk=run.pk).update(outcome=asdict(outcome) | {"log_path": ""})
    store_bytes(output_log.encode(), log_name(submission))
    message = outcome.message[:1].upper() + outcome.message[1:]
    if outcome.ended != "exited" or outcome.exit_code != 0:
        _refuse(submission, run, f"The program failed. {message}.", output_log)
        return
    output = Path(run.folder) / "output"
    if not outcome.output_files or not output.is_dir():
        _refuse(submission, run, f"The program left no file in /output. {message}.", output_log)
        return
    with storage.scratch_folder() as folder:
        code_archive.pack(output, folder / "images.zip")
        storage.store_file(folder / "images.zip", submission.images_zip)
    files = count(outcome.output_files, "file")
    with transaction.atomic():
        _open_step(submission).update(log=_with_tail(f"{message}; {files}.", output_log))
        finish(Attempt(submission=submission, name="run", number=0))
    logger.info("%s run: done, %.1f s", str(submission.pk)[:8], outcome.seconds)
    _remove_folder(submission)


def _refuse(submission: Submission, run: CodeRun, message: str, output_log: str = "") -> None:
    _open_step(submission).update(log="")
    refuse(submission, "run", message, log=_with_tail(message, output_log))
    _clean_up(submission, run, "refused")


def _release(submission: Submission, run: CodeRun, reason: str) -> bool:
    """Give up a lost run, so that any machine may take it; False if another machine was faster."""
    as_lost = CodeRun.objects.filter(pk=run.pk, host=run.host, folder=run.folder)
    if not as_lost.update(host="", folder=""):
        return False
    _open_step(submission).update(
        state="waiting",
        log="The run was lost with its machine and is started again.",
        detail=reason,
    )
    logger.warning("%s run: lost; it will be started again", str(submission.pk)[:8])
    return True


def _clean_up(submission: Submission, run: CodeRun, state: str) -> None:
    """Stop a run that was refused or failed, and remove its folder."""
    logger.info("%s run: %s", str(submission.pk)[:8], state)
    if run.folder and (record := Path(run.folder) / "run.json").exists():
        sandbox.stop(record, timeout=0)
    _remove_folder(submission)


def _remove_folder(submission: Submission) -> None:
    shutil.rmtree(settings.ARENA.folder / "runs" / str(submission.pk), ignore_errors=True)
    for times in (_progress_shown_at, _collect_again_at, _collected_since):
        times.pop(submission.pk, None)


def _read_log(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").replace("\0", "�")
    except OSError:
        return ""


def _with_tail(text: str, output_log: str) -> str:
    tail = output_log[-_LOG_CHARACTERS:].strip()
    return "\n\n".join(part for part in (text, tail) if part)
