"""A run's record: one JSON file, rewritten atomically, and who keeps it."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

Identity = dict[str, Any]
"""A process that no other can be taken for: {"pid", "started", "boot", "namespace"}."""


def read(record: Path) -> dict[str, Any]:
    """The record's content."""
    return json.loads(record.read_text())


def write(record: Path, data: dict[str, Any]) -> None:
    """Replace the record's content: readers see the old or the new, whole, whatever dies when."""
    fresh = _written_beside(record, data)
    fresh.replace(record)


def claim(record: Path, data: dict[str, Any]) -> bool:
    """Write the record unless there is one; whether this call wrote it, decided atomically."""
    fresh = _written_beside(record, data)
    try:
        os.link(fresh, record)
    except FileExistsError:
        return False
    finally:
        fresh.unlink()
    return True


def _written_beside(record: Path, data: dict[str, Any]) -> Path:
    fresh = record.with_name(f".{record.name}.{os.getpid()}.{threading.get_ident()}")
    with fresh.open("w") as file:
        json.dump(data, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    return fresh


def log_of(record: Path) -> Path:
    """Where the run's log is."""
    return record.with_suffix(".log")


def errors_of(record: Path) -> Path:
    """What the supervisor itself complains of; gone after a run of which it had no complaint."""
    return record.with_suffix(".errors")


def work_of(record: Path) -> Path:
    """The supervisor's own folder while the run lasts."""
    return record.with_suffix(".work")


def stop_of(record: Path) -> Path:
    """The file whose presence asks the supervisor to stop."""
    return record.with_suffix(".stop")


def identity(pid: int) -> Identity | None:
    """Who process `pid` is; None where there is none, or only its remains."""
    started = _started(pid)
    return None if started is None else {"pid": pid, "started": started} | _here()


def alive(who: Identity) -> bool | None:
    """Whether that very process runs; None where this machine, boot or container cannot know."""
    here = _here()
    if any(who[name] != here[name] for name in here):
        return None
    return _started(who["pid"]) == who["started"]


def _here() -> dict[str, str]:
    return {
        "boot": Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
        "namespace": str(Path("/proc/self/ns/pid").readlink()),
    }


def session(of: int) -> list[Identity]:
    """The processes of the session that process `of` began, which is gone; none of another's."""
    if identity(of):
        return []
    numbers = (int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal())
    members = (pid for pid in numbers if (fields := _fields(pid)) and int(fields[3]) == of)
    return [who for pid in members if (who := identity(pid))]


def _started(pid: int) -> int | None:
    """Clock ticks from boot to the start of `pid`; None where it is gone or a zombie."""
    fields = _fields(pid)
    return None if fields is None or fields[0] in "ZXx" else int(fields[19])


def _fields(pid: int) -> list[str] | None:
    """What `/proc/PID/stat` says after the name: state, parent, group, session and so on."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
