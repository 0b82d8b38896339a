"""A run's log: one JSON object a line, in order of steps, without lines that were trained anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from genmem.errors import UsageError
from genmem.report.files import written_whole
from genmem.results import Json, to_json

FILE = "log.jsonl"


def append(path: Path, line: Json) -> None:
    """Add a line.

    Raises:
        UsageError: the file cannot be written.
    """
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(to_json(line), allow_nan=False) + "\n")
    except OSError as error:
        raise UsageError(
            f"cannot write {path}: {(error.strerror or str(error)).lower()}"
        ) from error


def read(path: Path) -> list[dict[str, Any]]:
    """All whole lines; one that was cut off, as by a full disk, is passed over."""
    if not path.is_file():
        return []
    lines = []
    for text in path.read_text(encoding="utf-8").splitlines():
        try:
            lines.append(json.loads(text))
        except json.JSONDecodeError:
            continue
    return lines


def cut(path: Path, step: int) -> None:
    """Forget what was logged after `step`: a resumed run logs it again."""
    lines = [line for line in read(path) if line.get("step", 0) <= step]
    with written_whole(path) as file:
        file.write("".join(json.dumps(line) + "\n" for line in lines).encode())
