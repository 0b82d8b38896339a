"""Start a program, but only where the self-check holds."""

from __future__ import annotations

import uuid
from pathlib import Path

from genmem.arena.sandbox.checks import trusted_report
from genmem.arena.sandbox.program import Limits, Outcome, Program, SandboxReport, validate
from genmem.arena.sandbox.running import Handle, refuse, start_unchecked, stop, wait


def start(
    program: Program, limits: Limits, record: Path, *, report: SandboxReport | None = None
) -> Handle:
    """Start `program` unless `record` exists: a second call starts nothing.

    Returns as soon as a supervisor has taken over; the supervisor outlives this process. If the
    self-check fails, the outcome is "refused" and no submitted code has run.

    Args:
        program: what to run.
        limits: what it may use.
        record: the JSON file of this run. Its log, its markers and the supervisor's folder lie
            beside it, so the folder it is in must be closed to other users.
        report: result of `self_check`; None runs the self-check, once in this process.

    Raises:
        UsageError: the program or its limits are invalid.
    """
    record = record.absolute()
    if record.exists():
        return Handle(record)
    validate(program, limits)
    record.parent.mkdir(parents=True, exist_ok=True)
    report = report or trusted_report(program.image)
    if not report.holds:
        return refuse(program, limits, record, "; ".join(report.problems))
    return start_unchecked(program, limits, record)


def run(program: Program, limits: Limits) -> Outcome:
    """Run `program` to its end; its record and log stay beside its output folder.

    Args:
        program: what to run.
        limits: what it may use.

    Raises:
        UsageError: the program or its limits are invalid.
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
