"""Processes told apart by more than their number, and ended for certain."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import Any

Identity = dict[str, Any]
"""A process that no other can be mistaken for: {"pid", "started", "boot", "namespace"}."""

TIMEOUT = 30.0
"""Seconds to wait for processes to begin or to end."""


def identity(pid: int) -> Identity | None:
    """The identity of process `pid`; None if there is none, or only a zombie."""
    started = _start_ticks(pid)
    return None if started is None else {"pid": pid, "started": started} | _here()


def is_alive(process: Identity) -> bool | None:
    """Whether this very process runs; None if it is of another machine, boot or container."""
    here = _here()
    if any(process[name] != here[name] for name in here):
        return None
    return _start_ticks(process["pid"]) == process["started"]


def kill(process: Identity | None) -> bool:
    """Kill this very process and wait for its end; whether it is gone (True for None)."""
    deadline = time.monotonic() + TIMEOUT
    while process is not None and is_alive(process) and time.monotonic() < deadline:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process["pid"], signal.SIGKILL)
        time.sleep(0.01)
    return process is None or not is_alive(process)


def session_members(leader: int) -> list[Identity]:
    """The processes left in the session of `leader`; [] while `leader` itself still exists."""
    if identity(leader):
        return []
    pids = (int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal())
    members = (pid for pid in pids if (fields := _stat(pid)) and int(fields[3]) == leader)
    return [process for pid in members if (process := identity(pid))]


def _here() -> dict[str, str]:
    return {
        "boot": Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip(),
        "namespace": str(Path("/proc/self/ns/pid").readlink()),
    }


def _start_ticks(pid: int) -> int | None:
    """Clock ticks from boot to the start of `pid`; None if it is gone or a zombie."""
    fields = _stat(pid)
    return None if fields is None or fields[0] in "ZXx" else int(fields[19])


def _stat(pid: int) -> list[str] | None:
    """The fields of `/proc/PID/stat` after the name: state, parent, group, session and so on."""
    try:
        return (
            Path(f"/proc/{pid}/stat")
            .read_text(encoding="utf-8", errors="replace")
            .rpartition(")")[2]
            .split()
        )
    except (FileNotFoundError, ProcessLookupError):
        return None
