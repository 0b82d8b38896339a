"""A run's log: one JSON object a line, so that curves can be drawn while it runs."""

from __future__ import annotations

import json
from pathlib import Path

from genmem.errors import InputError, UsageError
from genmem.io.atomic import atomic_write
from genmem.results import Json, to_json

FILE = "log.jsonl"
"""The name of a run's log in its folder."""


class RunLog:
    """Appends to a JSON-lines file; every line has its `step`."""

    def __init__(self, path: Path, *, resumed_at: int | None = None) -> None:
        """Begin the log at `path`.

        Args:
            path: the file; it is made new unless the run is resumed.
            resumed_at: the step of the checkpoint that the run goes on from: lines of later steps,
                which will be taken again, are dropped. None: a new run.
        """
        self.path = path
        kept = [] if resumed_at is None else [e for e in read_log(path) if e["step"] <= resumed_at]
        with atomic_write(path) as file:
            file.write("".join(_line(entry) for entry in kept).encode())

    def write(self, step: int, **values: Json) -> None:
        """Append one line.

        Raises:
            UsageError: it cannot be written (a full disk).
        """
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(_line({"step": step, **values}))
        except OSError as error:
            raise UsageError(
                f"cannot write {self.path}: {(error.strerror or str(error)).lower()}"
            ) from error


def read_log(path: Path) -> list[dict[str, Json]]:
    """The lines of a log, oldest first; what was cut short or is no line of a log is passed over.

    Raises:
        InputError: it cannot be read.
    """
    if not path.is_file():
        return []
    try:
        content = path.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
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
