"""Start a run, look at it, stop it: from any process, whatever has died meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from genmem.arena.sandbox import collection, records
from genmem.arena.sandbox.cleanup import clear_away
from genmem.arena.sandbox.program import (
    Limits,
    Outcome,
    Program,
    SandboxReport,
    Status,
    inspect,
    outcome_as_json,
    outcome_from_json,
    program_as_json,
)

SILENCE = 60.0
"""Seconds without news after which a run that this machine cannot look up counts as lost."""

OVERDUE = 900.0
"""Seconds without news after which a supervisor counts as lost that should have ended its run."""

_KEPT_VARIABLES = (
    "PATH",
    "HOME",
    "LANG",
    "PYTHONPATH",
    "XDG_RUNTIME_DIR",
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "CONTAINER_HOST",
)
"""What a supervisor needs of the worker's environment; the worker's secrets are not among them."""


@dataclass(frozen=True)
class Handle:
    """A run, known by its record."""

    record: Path


def start(
    program: Program, limits: Limits, record: Path, *, report: SandboxReport | None = None
) -> Handle:
    """Start `program` unless `record` is there already: calling it again starts nothing twice.

    Returns when a supervisor has taken over, which lives on when this process ends. Where the
    self-check fails the outcome is "refused", and no foreign code has run.

    Args:
        program: what to run.
        limits: what it may take.
        record: the JSON file of this run; its log, its marks and the supervisor's folder lie beside
            it, so that the folder it is in must be closed to others.
        report: the outcome of `self_check`; None means to ask it, once in this process.

    Raises:
        UsageError: the program or its limits cannot be meant.
    """
    record = record.absolute()
    if record.exists():
        return Handle(record)
    inspect(program, limits)
    record.parent.mkdir(parents=True, exist_ok=True)
    if report is None:
        from genmem.arena.sandbox.checks import trusted_report

        report = trusted_report(program.image)
    if not report.holds:
        return _refuse(program, limits, record, "; ".join(report.problems))
    return begin(program, limits, record)


def begin(program: Program, limits: Limits, record: Path) -> Handle:
    """`start` without the questions: only for the self-check itself."""
    if not records.claim(record, _opening(program, limits)):
        return Handle(record)
    records.work_of(record).mkdir(mode=0o700)
    errors = records.errors_of(record)
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    with errors.open("wb") as complaints:
        done = subprocess.run(
            [sys.executable, "-m", "genmem.arena.sandbox", str(record)],
            stdin=subprocess.DEVNULL,
            stdout=complaints,
            stderr=complaints,
            env=kept | {"PYTHONSAFEPATH": "1"},
            cwd="/",
            start_new_session=True,
            check=False,
        )
    if done.returncode:
        text = errors.read_text(errors="replace").strip() or f"exit code {done.returncode}"
        return _refuse(program, limits, record, f"the supervisor could not be started: {text}")
    return Handle(record)


def _opening(program: Program, limits: Limits) -> dict[str, Any]:
    return {
        "version": 1,
        "state": "starting",
        "program": program_as_json(program),
        "limits": asdict(limits),
        "seen_at": time.time(),
    }


def _refuse(program: Program, limits: Limits, record: Path, reason: str) -> Handle:
    log = records.log_of(record)
    log.write_text(f"[sandbox] refused: {reason}\n")
    outcome = Outcome(None, "refused", 0.0, log, message=f"refused: {reason}")
    records.write(
        record,
        _opening(program, limits) | {"state": "ended", "outcome": outcome_as_json(outcome)},
    )
    return Handle(record)


def poll(record: Path) -> Status:
    """How the run stands. One whose supervisor has died is ended, as "lost", and cleared away.

    Raises:
        FileNotFoundError: nothing was started under this record.
    """
    record = record.absolute()
    data = records.read(record)
    if data["state"] != "ended" and not _kept(data):
        # It may have ended between the two looks.
        data = records.read(record)
        if data["state"] != "ended":
            return _lost(record, data)
    return Status(
        state=data["state"],
        outcome=outcome_from_json(data["outcome"]) if data["state"] == "ended" else None,
        seconds=data.get("seconds", 0.0),
        memory_bytes=data.get("memory_bytes", 0),
        processes=data.get("processes", 0),
        output_bytes=data.get("output_bytes", 0),
    )


def _kept(data: dict[str, Any]) -> bool:
    """Whether someone still keeps this record."""
    who = data.get("supervisor")
    known = records.alive(who) if who else None
    if known:
        # It may have been halted, or hang: no run lasts for ever.
        due = data.get("started_at", 0.0) + data["limits"]["wall_seconds"]
        return time.time() < max(data["seen_at"], due) + OVERDUE
    if known is False:
        return False
    # On its way to a supervisor, or on another machine (or on this one before it was restarted).
    return time.time() - data["seen_at"] < SILENCE


def _lost(record: Path, data: dict[str, Any]) -> Status:
    who = data.get("supervisor")
    # What another machine calls by these numbers and names is something else here.
    if who and records.alive(who) is not None:
        clear_away(who, data.get("left", {}))
    collection.remove(records.work_of(record))
    log = records.log_of(record)
    outcome = Outcome(
        None, "lost", 0.0, log, message="the process that watched this run has died, and it too"
    )
    return Status(state="ended", outcome=outcome)


def stop(record: Path, *, patience: float = 20.0) -> Status:
    """Ask for the end of the run, and wait for it at most `patience` seconds."""
    record = record.absolute()
    if poll(record).state != "ended":
        records.stop_of(record).touch()
    return wait(record, patience=patience)


def wait(record: Path, *, patience: float | None = None) -> Status:
    """How the run stands when it has ended, or after `patience` seconds; None means to wait on."""
    until = None if patience is None else time.monotonic() + patience
    pause = 0.01
    while True:
        status = poll(record)
        if status.state == "ended" or (until is not None and time.monotonic() > until):
            return status
        time.sleep(pause)
        pause = min(1.5 * pause, 0.25)


def run(program: Program, limits: Limits) -> Outcome:
    """Run `program` to its end; its record and log stay beside its output folder.

    Raises:
        UsageError: the program or its limits cannot be meant.
    """
    output = program.output.absolute()
    record = output.with_name(f"{output.name}.{uuid.uuid4().hex[:8]}.json")
    start(program, limits, record)
    try:
        outcome = wait(record).outcome
    except BaseException:
        stop(record)
        raise
    assert outcome is not None
    return outcome
