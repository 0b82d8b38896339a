"""Runs of submitted code, moved on by every sweep: no step of the queue is held for their hours.

    nobody's → taken by a machine → running there → collected (the step "run" is done)
                                                  → or ended: refused, failed

A run belongs to the machine that started it: its record, its log and its supervisor are there, and
every worker of that machine finds it again. Where a run is lost with its machine it is started
anew elsewhere, a few times.
"""

from __future__ import annotations

import json
import shutil
import time
import uuid
from collections import Counter
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from genmem.arena import sandbox
from genmem.arena.core import clock, formatting
from genmem.arena.scoring import code_archive, programs
from genmem.arena.scoring.db_retry import AWAY, say
from genmem.arena.scoring.models import CodeRun, Worker
from genmem.arena.scoring.reference_features import keep_bytes
from genmem.arena.scoring.steps import (
    OURS,
    UNDER_WAY,
    Failure,
    Refusal,
    Work,
    begin,
    end,
    finish,
    full_reason,
)
from genmem.arena.scoring.views import log_name
from genmem.arena.submissions import storage
from genmem.arena.submissions.models import Step, Submission
from genmem.formatting import count

AT_ONCE = 2
"""Runs at one time on one machine, no two of them of one competition or team while others wait."""

MOST_RUNS = 3
"""A program whose run was lost so often is not started again."""

ABANDONED = 900.0
"""Seconds after which a run counts as lost whose machine nobody works on any more."""

ASK_AGAIN = 60.0
"""Seconds between two self-checks of a sandbox that does not hold."""

HELD = (
    "Your code has not been run yet: the sandbox it would run in is not safe at the moment. It is "
    "held until the organisers have mended that; you need not send it again."
)

_SHOWN = 8_000
"""Characters of a log that the page shows; all of it has an address of its own."""

_TELL_EVERY = 5.0
_told: dict[uuid.UUID, float] = {}
_asked: dict[str | None, float] = {}


def advance(worker: Worker) -> None:
    """Move every run on that this machine can move, as far as it goes without waiting."""
    if not _speaks_for_its_machine(worker):
        return
    waiting = []
    for submission in _without_images():
        run, _ = CodeRun.objects.get_or_create(submission=submission)
        if run.host == worker.host:
            _move(submission, run)
        elif not run.host:
            waiting.append((submission, run))
        elif _is_abandoned(run):
            _start_again(submission, run, f"the machine {run.host} has gone")
    _take(waiting, worker)


def _without_images() -> list[Submission]:
    done = Step.objects.filter(name="run", state="done").values("submission")
    found = Submission.objects.filter(kind="code", state__in=UNDER_WAY).exclude(pk__in=done)
    return list(found.select_related("team__competition").order_by("received_at", "pk"))


def _speaks_for_its_machine(worker: Worker) -> bool:
    """Of several workers on a machine, the one that began first looks after its runs."""
    first = Worker.objects.filter(host=worker.host, ended_at=None).order_by("started_at", "pk")
    return first.values_list("pk", flat=True).first() == worker.pk


def _is_abandoned(run: CodeRun) -> bool:
    alive = Worker.objects.filter(host=run.host, ended_at=None).exists()
    silent = CodeRun.objects.filter(
        pk=run.pk, claimed_at__lt=Now() - timedelta(seconds=ABANDONED)
    ).exists()
    return silent and not alive


def _take(waiting: list[tuple[Submission, CodeRun]], worker: Worker) -> None:
    """Take runs that nobody has, the earliest first; competitions, and then teams, that have none
    under way here come before others, so that nobody's nine hours hold up everybody.
    """
    here = CodeRun.objects.filter(
        host=worker.host, outcome=None, submission__state__in=UNDER_WAY
    ).exclude(submission__steps__in=Step.objects.filter(name="run", state="done"))
    places = here.values_list("submission__team__competition_id", "submission__team_id")
    competitions, teams = Counter(one for one, _ in places), Counter(one for _, one in places)

    def crowding(one: tuple[Submission, CodeRun]) -> tuple[int, int]:
        team = one[0].team
        return competitions[team.competition.pk], teams[team.pk]

    left = list(waiting)
    while left and teams.total() < AT_ONCE:
        submission, run = min(left, key=crowding)
        left.remove((submission, run))
        if not _sandbox_holds(submission):
            continue
        taken = CodeRun.objects.filter(pk=run.pk, host="").update(
            host=worker.host,
            starts=run.starts + 1,
            folder=str(_folder(submission, run.starts + 1)),
            claimed_at=Now(),
        )
        if taken:
            competitions[submission.team.competition.pk] += 1
            teams[submission.team.pk] += 1
            run.refresh_from_db()
            say(f"{str(submission.pk)[:8]} run: taken")
            _move(submission, run)


def _folder(submission: Submission, start: int) -> Path:
    return (settings.ARENA.folder / "runs" / str(submission.pk) / str(start)).resolve()


def _sandbox_holds(submission: Submission, image: str | None = None) -> bool:
    """Whether isolation holds here; where it does not, the team is told that its code is held."""
    if time.monotonic() - _asked.get(image, -ASK_AGAIN) < ASK_AGAIN:
        return False
    report = sandbox.trusted_report(image)
    if report.holds:
        return True
    _asked[image] = time.monotonic()
    say(f"the sandbox does not hold: {'; '.join(report.problems)[:300]}")
    _hold(submission, "\n".join(report.problems))
    return False


def _hold(submission: Submission, detail: str) -> None:
    Submission.objects.filter(pk=submission.pk, state__in=UNDER_WAY).update(
        state="received", message=HELD
    )
    Step.objects.filter(submission=submission, name="run").exclude(state="done").update(
        state="waiting", detail=detail
    )


def _move(submission: Submission, run: CodeRun) -> None:
    """Start a run that has not begun, look at one under way, collect one that has ended."""
    try:
        CodeRun.objects.filter(pk=run.pk).update(claimed_at=Now())
        record = Path(run.folder) / "run.json"
        if not record.exists():
            _start(submission, run, record)
            return
        status = sandbox.poll(record)
        if status.state != "ended":
            _tell(submission, status, record)
            return
        assert status.outcome is not None
        _collect(submission, run, status.outcome)
    except Refusal as error:
        _end(submission, run, "refused", str(error), log=str(error))
    except Failure as error:
        _end(submission, run, "failed", OURS, detail=str(error))
    except AWAY:
        raise
    except Exception as error:
        say(f"{str(submission.pk)[:8]} run: {type(error).__name__}: {error}")
        _start_again(submission, run, full_reason(error))


def _start(submission: Submission, run: CodeRun, record: Path) -> None:
    work = begin(submission.pk, submission.round, "run", again=True)
    if work is None:
        return
    folder, competition = record.parent, submission.team.competition
    folder.mkdir(parents=True, exist_ok=True)
    for place in (folder, folder.parent, folder.parent.parent):
        place.chmod(0o700)
    command = programs.unpacked(submission, folder)
    if command.image is not None and not _sandbox_holds(submission, command.image):
        raise Refusal(
            f"The image {command.image} cannot be run here. Leave image out of "
            f"{code_archive.MANIFEST}, or ask the organisers to fetch it."
        )
    program = programs.program_of(competition, command, folder)
    sandbox.start(program, programs.limits_of(competition, program), record)
    Submission.objects.filter(pk=submission.pk, state="received").update(
        state="scoring", message=""
    )
    say(f"{str(submission.pk)[:8]} run: started")


def _tell(submission: Submission, status: sandbox.Status, record: Path) -> None:
    now = time.monotonic()
    if now - _told.get(submission.pk, -_TELL_EVERY) < _TELL_EVERY:
        return
    _told[submission.pk] = now
    text = (
        f"Running for {formatting.duration(int(status.seconds))}: "
        f"{formatting.size(status.memory_bytes)} of memory, "
        f"{formatting.size(status.output_bytes)} in /output."
    )
    Step.objects.filter(submission=submission, name="run", state="running").update(
        log=_shown(text, _read(record.with_suffix(".log")))
    )


def _collect(submission: Submission, run: CodeRun, outcome: sandbox.Outcome) -> None:
    printed = _read(outcome.log_path)
    if outcome.ended in ("lost", "killed", "refused"):
        _start_again(submission, run, f"{outcome.ended}: {outcome.message}\n{printed[-2000:]}")
        return
    keep_bytes(printed.encode(), log_name(submission))
    run.outcome = {**asdict(outcome), "log_path": ""}
    json.dumps(run.outcome)
    CodeRun.objects.filter(pk=run.pk).update(outcome=run.outcome)
    message = outcome.message[:1].upper() + outcome.message[1:]
    if outcome.ended != "exited" or outcome.exit_code != 0:
        _refuse(submission, run, f"The program did not end well. {message}.", printed)
        return
    output = Path(run.folder) / "output"
    if not outcome.output_files or not output.is_dir():
        _refuse(submission, run, f"The program left no file in /output. {message}.", printed)
        return
    with storage.scratch() as folder:
        code_archive.pack(output, folder / "images.zip")
        storage.keep(folder / "images.zip", f"output/{submission.pk}.zip")
    work = Work(submission=submission, name="run", started_at=clock.now())
    with transaction.atomic():
        Step.objects.filter(submission=submission, name="run").exclude(state="done").update(
            log=_shown(f"{message}; {count(outcome.output_files, 'file')}.", printed)
        )
        finish(work)
    say(f"{str(submission.pk)[:8]} run: done, {outcome.seconds:.1f} s")
    _clear(submission)


def _refuse(submission: Submission, run: CodeRun, message: str, printed: str) -> None:
    Step.objects.filter(submission=submission, name="run", state="running").update(log="")
    _end(submission, run, "refused", message, log=_shown(message, printed))


def _start_again(submission: Submission, run: CodeRun, why: str) -> None:
    """Give a lost run back, to be taken anew; end it where that has happened too often."""
    if run.starts >= MOST_RUNS:
        _end(submission, run, "failed", OURS, detail=why)
        return
    CodeRun.objects.filter(pk=run.pk, host=run.host, starts=run.starts).update(host="", folder="")
    Step.objects.filter(submission=submission, name="run").exclude(state="done").update(
        state="waiting", log="The run was lost with its machine; it is started again.", detail=why
    )
    say(f"{str(submission.pk)[:8]} run: lost, to be started again")


def _end(
    submission: Submission,
    run: CodeRun,
    state: str,
    message: str,
    *,
    log: str = "",
    detail: str = "",
) -> None:
    end(submission.pk, submission.round, state, message, step="run", log=log, detail=detail)
    say(f"{str(submission.pk)[:8]} run: {state}")
    if run.folder and (record := Path(run.folder) / "run.json").exists():
        sandbox.stop(record, patience=0)
    _clear(submission)


def _clear(submission: Submission) -> None:
    shutil.rmtree(settings.ARENA.folder / "runs" / str(submission.pk), ignore_errors=True)
    _told.pop(submission.pk, None)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").replace("\0", "�")
    except OSError:
        return ""


def _shown(text: str, printed: str) -> str:
    tail = printed[-_SHOWN:].strip()
    return "\n\n".join(part for part in (text, tail) if part)
