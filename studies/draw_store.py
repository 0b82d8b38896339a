"""Finished draws of the scenarios in a JSON file, so that an interrupted study resumes."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Self

from genmem.io.atomic import atomic_write
from studies.photograph_scenarios import Outcome


class DrawStore:
    """Outcomes by scenario and seed. Remove the file when images or code have changed."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._draws = {}
        if path is not None and path.is_file():
            self._draws = json.loads(path.read_text(encoding="utf-8"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._write()

    def get(self, scenario: str, seed: int) -> Outcome | None:
        """The outcome of a finished draw; None where it is not finished."""
        draw = self._draws.get(f"{scenario}: {seed}")
        if draw is None:
            return None
        first, second = draw["labels"]
        audit, score = draw["said"]
        return Outcome(labels=(first, second), said=(audit, score), flags=draw["flags"])

    def put(self, scenario: str, seed: int, outcome: Outcome) -> None:
        """Keep the outcome of a draw."""
        self._draws[f"{scenario}: {seed}"] = asdict(outcome)
        self._write()

    def _write(self) -> None:
        if self._path is not None:
            with atomic_write(self._path) as file:
                file.write(json.dumps(self._draws, indent=1).encode())
