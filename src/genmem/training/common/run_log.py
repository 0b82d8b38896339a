"""The log of a run: one JSON object per line, so that curves can be drawn while it runs."""

from __future__ import annotations

import json
from pathlib import Path

from genmem.errors import InputError, UsageError, os_reason
from genmem.io.atomic import atomic_write
from genmem.results import Json, to_json

LOG_FILE = "log.jsonl"
"""The name of a run's log in its folder."""


class RunLog:
    """Appends lines to a JSON-lines file; each has its `step`."""

    def __init__(self, path: Path, *, resumed_at: int | None = None) -> None:
        """Start the log at `path`.

        Args:
            path: the file; overwritten unless the run is resumed.
            resumed_at: the step of the checkpoint that the run resumes from: lines of later steps,
                which will be taken again, are dropped. None: a new run.
        """
        self.path = path
        lines = [] if resumed_at is None else read_log(path)
        with atomic_write(path) as file:
            for line in lines:
                if line["step"] <= (resumed_at or 0):
                    file.write(_line(line).encode())

    def write(self, step: int, **values: Json) -> None:
        """Append one line.

        Raises:
            UsageError: it cannot be written (a full disk).
        """
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(_line({"step": step, **values}))
        except OSError as error:
            raise UsageError(f"cannot write {self.path}: {os_reason(error)}") from error


def read_log(path: Path) -> list[dict[str, Json]]:
    """The lines of a log, oldest first; lines cut short or of another kind are skipped.

    Raises:
        InputError: it cannot be read.
    """
    if not path.is_file():
        return []
    try:
        content = path.read_bytes()
    except OSError as error:
        reason = os_reason(error)
        raise InputError(f"{path}: cannot read the log: {reason}.") from error
    return [entry for line in content.splitlines() if (entry := _entry(line)) is not None]


def _entry(line: bytes) -> dict[str, Json] | None:
    """A line's object with its step; None where it is something else."""
    try:
        entry = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(entry, dict) or type(entry.get("step")) is not int:
        return None
    return entry


def _line(entry: dict[str, Json]) -> str:
    return json.dumps(to_json(entry), allow_nan=False) + "\n"
