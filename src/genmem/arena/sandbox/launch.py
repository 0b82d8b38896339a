"""Start a program, but only if the self-check holds."""

from __future__ import annotations

from pathlib import Path

from genmem.arena.sandbox.checks import trusted_report
from genmem.arena.sandbox.program import Limits, Program, SandboxReport, validate
from genmem.arena.sandbox.running import refuse, start_unchecked


def start(
    program: Program, limits: Limits, record: Path, *, report: SandboxReport | None = None
) -> None:
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
        return
    validate(program, limits)
    record.parent.mkdir(parents=True, exist_ok=True)
    report = report or trusted_report(program.image)
    if report.holds:
        start_unchecked(program, limits, record)
    else:
        refuse(program, limits, record, "; ".join(report.problems))
