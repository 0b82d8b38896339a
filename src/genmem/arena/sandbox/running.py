"""Start a run, poll it, stop it: from any process, whatever has died meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from genmem.arena.sandbox import collection, processes, records
from genmem.arena.sandbox.cleanup import clean_up
from genmem.arena.sandbox.program import Limits, Outcome, Program, Status

SILENCE = 60.0
"""Seconds without news after which a run whose supervisor cannot be looked up counts as lost."""

OVERDUE = 900.0
"""Seconds past its time limit after which a run with a silent supervisor counts as lost."""

_SUPERVISOR_VARIABLES = (
    "PATH",
    "HOME",
    "LANG",
    "PYTHONPATH",
    "XDG_RUNTIME_DIR",
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "CONTAINER_HOST",
)
"""Environment variables that a supervisor inherits; the worker's secrets are not among them."""


def start_unchecked(program: Program, limits: Limits, record: Path) -> None:
    """`launch.start` without validation and self-check: only for the self-check itself."""
    if not records.create(record, _initial_record(program, limits)):
        return
    records.work_folder(record).mkdir(mode=0o700)
    log = records.supervisor_log_path(record)
    inherited = {name: os.environ[name] for name in _SUPERVISOR_VARIABLES if name in os.environ}
    with log.open("wb") as file:
        process = subprocess.run(
            [sys.executable, "-m", "genmem.arena.sandbox", str(record)],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            env=inherited | {"PYTHONSAFEPATH": "1"},
            cwd="/",
            start_new_session=True,
            check=False,
        )
    if process.returncode:
        text = (
            log.read_text(encoding="utf-8", errors="replace").strip()
            or f"exit code {process.returncode}"
        )
        refuse(program, limits, record, f"the supervisor could not be started: {text}")


def refuse(program: Program, limits: Limits, record: Path, reason: str) -> None:
    """Write a record that says that the program was not started, and why."""
    log = records.log_path(record)
    log.write_text(f"[sandbox] refused: {reason}\n", encoding="utf-8")
    outcome = Outcome(None, "refused", 0.0, log, message=f"refused: {reason}")
    ended = {"state": "ended", "outcome": outcome.to_dict()}
    records.write(record, _initial_record(program, limits) | ended)


def _initial_record(program: Program, limits: Limits) -> dict[str, Any]:
    return {
        "version": 1,
        "state": "starting",
        "program": program.to_dict(),
        "limits": asdict(limits),
        "seen_at": time.time(),
    }


def poll(record: Path) -> Status:
    """The status of a run. A run whose supervisor has died is ended as "lost" and cleaned up.

    Raises:
        FileNotFoundError: nothing was started under this record.
    """
    record = record.absolute()
    data = records.read(record)
    if data["state"] != "ended" and not _is_supervised(data):
        # It may have ended since the record was read.
        data = records.read(record)
        if data["state"] != "ended":
            return _lost(record, data)
    return Status(
        state=data["state"],
        outcome=Outcome.from_dict(data["outcome"]) if data["state"] == "ended" else None,
        seconds=data.get("seconds", 0.0),
        memory_bytes=data.get("memory_bytes", 0),
        processes=data.get("processes", 0),
        output_bytes=data.get("output_bytes", 0),
    )


def _is_supervised(data: dict[str, Any]) -> bool:
    supervisor = data.get("supervisor")
    alive = processes.is_alive(supervisor) if supervisor else None
    if alive:
        # A supervisor may be stopped or hang, but no run lasts for ever.
        due = data.get("started_at", 0.0) + data["limits"]["wall_seconds"]
        return time.time() < max(data["seen_at"], due) + OVERDUE
    if alive is False:
        return False
    # No supervisor yet, or one on another machine (or on this one before it was restarted).
    return time.time() - data["seen_at"] < SILENCE


def _lost(record: Path, data: dict[str, Any]) -> Status:
    supervisor = data.get("supervisor")
    # Another machine's process numbers and names mean something else here.
    if supervisor and processes.is_alive(supervisor) is not None:
        clean_up(supervisor, data.get("left", {}))
    collection.remove(records.work_folder(record))
    outcome = Outcome(
        exit_code=None,
        ended="lost",
        seconds=0.0,
        log_path=records.log_path(record),
        message="the supervisor of this run died, and the program with it",
    )
    return Status(state="ended", outcome=outcome)


def stop(record: Path, *, timeout: float = 20.0) -> Status:
    """Ask for the end of the run and wait for it.

    Args:
        record: the run's record.
        timeout: seconds to wait at most.
    """
    record = record.absolute()
    if poll(record).state != "ended":
        records.stop_marker(record).touch()
    return wait(record, timeout=timeout)


def wait(record: Path, *, timeout: float | None = None) -> Status:
    """The status of a run once it has ended, or after `timeout` seconds (None: no timeout)."""
    deadline = None if timeout is None else time.monotonic() + timeout
    pause = 0.01
    while True:
        status = poll(record)
        if status.state == "ended" or (deadline is not None and time.monotonic() > deadline):
            return status
        time.sleep(pause)
        pause = min(1.5 * pause, 0.25)
