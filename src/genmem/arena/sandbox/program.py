"""What is run, within which limits, and its outcome."""

from __future__ import annotations

import re
import stat
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from genmem.errors import UsageError

EndReason = Literal[
    "exited", "wall clock", "memory", "disk", "processes", "killed", "refused", "lost"
]
"""How a run ended: `exited` by itself; stopped at a limit (`wall clock`, `memory`, `disk`,
`processes`); `killed` by `stop` or to protect the host; `refused` before it began; `lost` with its
supervisor, so that only one thing is known: none of its processes runs any more."""

INPUT_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class Program:
    """A submitted program. It sees `/code`, `/inputs/NAME`, `/output`, `/scratch` and Python.

    Attributes:
        folder: its files, read-only as `/code`, where it starts.
        command: the program and its arguments; found on the PATH of the environment.
        output: the folder that receives the files left in `/output`; must be missing or empty.
        inputs: files or folders mounted read-only as `/inputs/NAME`.
        scratch_bytes: size of the writable `/scratch` (also `/tmp`, `$HOME` and `/dev/shm`), which
            lives in memory, beside `Limits.memory_bytes`.
        environment: a Python environment (a venv or a prefix), mounted read-only at its own path;
            None means the system's Python.
        image: a container image, run by Docker or Podman instead of bubblewrap; None means
            bubblewrap.
    """

    folder: Path
    command: tuple[str, ...]
    output: Path
    inputs: Mapping[str, Path] = field(default_factory=dict)
    scratch_bytes: int = 2**30
    environment: Path | None = None
    image: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """This program as a JSON object, with absolute paths."""
        environment = self.environment
        return vars(self) | {
            "folder": str(self.folder.absolute()),
            "output": str(self.output.absolute()),
            "inputs": {name: str(path.absolute()) for name, path in self.inputs.items()},
            "environment": None if environment is None else str(environment.absolute()),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Program:
        """The inverse of `to_dict`."""
        environment = data["environment"]
        paths = {
            "folder": Path(data["folder"]),
            "command": tuple(data["command"]),
            "output": Path(data["output"]),
            "inputs": {name: Path(path) for name, path in data["inputs"].items()},
            "environment": None if environment is None else Path(environment),
        }
        return cls(**{**data, **paths})


@dataclass(frozen=True)
class Limits:
    """What one run may use.

    Attributes:
        wall_seconds: wall-clock time from the start of the program.
        memory_bytes: memory of all its processes together, without files in `/scratch`.
        processes: processes and threads together.
        disk_bytes: bytes of all files in `/output`.
        file_bytes: bytes of any one file.
        cpus: processors it may use.
        files: files and folders in `/output`, and again in `/scratch`.
        log_bytes: bytes of its output that the log keeps.
    """

    wall_seconds: float = 9 * 3600
    memory_bytes: int = 8 * 2**30
    processes: int = 512
    disk_bytes: int = 10 * 2**30
    file_bytes: int = 10 * 2**30
    cpus: int = 1
    files: int = 100_000
    log_bytes: int = 2**20


@dataclass(frozen=True)
class Outcome:
    """The result of a run.

    Attributes:
        exit_code: None if it was stopped or never began; 128 + n after signal n.
        ended: see `EndReason`.
        seconds: from the start of the program to its end.
        log_path: what the program printed, and the sandbox's notes.
        log_truncated: whether part of what it printed is missing from the log.
        output_bytes: bytes of the files collected.
        output_files: number of files collected.
        peak_memory_bytes: the highest memory use seen.
        message: how it ended, in sentences for the team that submitted it.
    """

    exit_code: int | None
    ended: EndReason
    seconds: float
    log_path: Path
    log_truncated: bool = False
    output_bytes: int = 0
    output_files: int = 0
    peak_memory_bytes: int = 0
    message: str = ""

    def to_dict(self) -> dict[str, Any]:
        """This outcome as a JSON object."""
        return asdict(self) | {"log_path": str(self.log_path)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Outcome:
        """The inverse of `to_dict`."""
        return cls(**{**data, "log_path": Path(data["log_path"])})


@dataclass(frozen=True)
class Status:
    """The status of a run; `outcome` is None while it starts or runs."""

    state: Literal["starting", "running", "ended"]
    outcome: Outcome | None = None
    seconds: float = 0.0
    memory_bytes: int = 0
    processes: int = 0
    output_bytes: int = 0


@dataclass(frozen=True)
class Check:
    """One check of the sandbox: whether isolation held, and details if it did not."""

    name: str
    held: bool
    detail: str = ""


@dataclass(frozen=True)
class SandboxReport:
    """Whether isolation holds on this machine.

    Attributes:
        holds: whether all checks held; if not, code is refused.
        runner: "bubblewrap 0.8.0", "docker 27.1", or what was looked for.
        limits: what enforces the limits on memory and processes: "cgroup v2",
            "rlimits and supervisor" or "engine".
        user: whose processes the programs are on the host: "a user of their own" or "the user of
            the worker".
        checks: all checks made.
    """

    holds: bool
    runner: str
    limits: str
    user: str
    checks: tuple[Check, ...]

    @property
    def problems(self) -> tuple[str, ...]:
        """The failed checks, a sentence each."""
        return tuple(f"{check.name}: {check.detail}" for check in self.checks if not check.held)


def validate(program: Program, limits: Limits) -> None:
    """Check that `program` and `limits` can be run.

    Raises:
        UsageError: says what was expected and what was found.
    """
    if not program.command or any("\0" in word or not word for word in program.command[:1]):
        raise UsageError("expected a command of one word or more, got none")
    if not program.folder.is_dir():
        raise UsageError(f"expected the program's folder, found no folder at {program.folder}")
    for name, path in program.inputs.items():
        if not INPUT_NAME.fullmatch(name):
            raise UsageError(
                f"expected an input's name of letters, digits, '.', '_' and '-', got {name!r}"
            )
        if not path.exists():
            raise UsageError(f"input {name}: found nothing at {path}")
    if program.output.is_symlink() or (
        program.output.exists() and (not program.output.is_dir() or any(program.output.iterdir()))
    ):
        raise UsageError(f"expected no or an empty output folder, found {program.output}")
    if program.environment is not None and not (program.environment / "bin/python").exists():
        raise UsageError(
            f"expected a Python environment, found no bin/python in {program.environment}"
        )
    for name, value in (asdict(limits) | {"scratch_bytes": program.scratch_bytes}).items():
        if value <= 0:
            raise UsageError(f"{name}: expected more than 0, got {value}")


def readable_by_others(path: Path) -> bool:
    """Whether any user may read the file or enter the folder `path`."""
    mode = path.stat().st_mode
    required = stat.S_IROTH | (stat.S_IXOTH if stat.S_ISDIR(mode) else 0)
    return mode & required == required
