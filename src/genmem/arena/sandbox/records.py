"""The record of a run: one JSON file, replaced atomically, and the files beside it."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any


def read(record: Path) -> dict[str, Any]:
    """The content of the record."""
    return json.loads(record.read_text(encoding="utf-8"))


def write(record: Path, data: dict[str, Any]) -> None:
    """Replace the record atomically: readers see the old content or the new, never a part."""
    _temporary(record, data).replace(record)


def create(record: Path, data: dict[str, Any]) -> bool:
    """Write the record if it does not exist; whether this call created it, decided atomically."""
    temporary = _temporary(record, data)
    try:
        os.link(temporary, record)
    except FileExistsError:
        return False
    finally:
        temporary.unlink()
    return True


def _temporary(record: Path, data: dict[str, Any]) -> Path:
    path = record.with_name(f".{record.name}.{os.getpid()}.{threading.get_ident()}")
    with path.open("w", encoding="utf-8") as file:
        json.dump(data, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    return path


def log_path(record: Path) -> Path:
    """The log of the run."""
    return record.with_suffix(".log")


def supervisor_log_path(record: Path) -> Path:
    """What the supervisor itself printed; removed after the run if empty."""
    return record.with_suffix(".errors")


def work_folder(record: Path) -> Path:
    """The supervisor's own folder while the run lasts."""
    return record.with_suffix(".work")


def stop_marker(record: Path) -> Path:
    """The file whose presence asks the supervisor to stop the run."""
    return record.with_suffix(".stop")
