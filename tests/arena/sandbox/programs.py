"""Short Python programs, run in the real sandbox with small limits."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from genmem.arena.sandbox import Limits, Outcome, Program, start, stop, wait

needs_bubblewrap = pytest.mark.skipif(
    shutil.which("bwrap") is None and not os.environ.get("CI"),
    reason="needs bubblewrap (Debian: bubblewrap)",
)

MIB = 2**20
SMALL = Limits(
    wall_seconds=10,
    memory_bytes=256 * MIB,
    processes=30,
    disk_bytes=32 * MIB,
    file_bytes=8 * MIB,
    files=500,
    log_bytes=2**16,
)


@dataclass(frozen=True)
class RunResult:
    outcome: Outcome
    log: str
    output: Path

    @property
    def collected(self) -> list[str]:
        if not self.output.exists():
            return []
        files = (path for path in self.output.rglob("*") if not path.is_dir())
        return sorted(str(path.relative_to(self.output)) for path in files)


def program(
    folder: Path,
    source: str,
    *,
    inputs: Mapping[str, Path] | None = None,
    scratch_bytes: int = 16 * MIB,
    name: str = "program",
) -> Program:
    """The program whose main.py is `source`, below `folder`."""
    code = folder / name
    code.mkdir()
    (code / "main.py").write_text(textwrap.dedent(source))
    return Program(
        folder=code,
        command=("python3", "main.py"),
        output=folder / f"{name}-output",
        inputs=inputs or {},
        scratch_bytes=scratch_bytes,
        environment=Path(sys.prefix),
    )


def run_source(
    folder: Path,
    source: str,
    *,
    limits: Limits = SMALL,
    inputs: Mapping[str, Path] | None = None,
) -> RunResult:
    """Run `source` to its end."""
    submitted = program(folder, source, inputs=inputs)
    record = folder / f"{submitted.folder.name}.json"
    start(submitted, limits, record)
    try:
        outcome = wait(record).outcome
    finally:
        stop(record)
    assert outcome is not None
    return RunResult(outcome, outcome.log_path.read_text(errors="replace"), submitted.output)


def processes_with(word: str) -> list[str]:
    """Command lines on this host, its containers too, that contain `word`."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if word in line:
            lines.append(line)
    return lines
