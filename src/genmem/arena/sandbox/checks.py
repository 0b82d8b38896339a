"""The self-check: does isolation hold on this machine?

Nothing is taken on trust. Before any submitted code, the real sandbox runs a probe that tries to
reach a secret file, a port, the environment, capabilities and so on, and four programs that each
exceed a limit. A check that cannot be made has failed, and while one fails, code is refused.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path

from genmem.arena.sandbox import (
    bubblewrap,
    container_engine,
    groups,
    records,
    running,
    syscalls,
)
from genmem.arena.sandbox.program import (
    Check,
    EndReason,
    Limits,
    Outcome,
    Program,
    SandboxReport,
    UsageError,
)

_MEGABYTE = 2**20
_PROBE = Path(__file__).parent / "probe"
_SCRATCH = 4 * _MEGABYTE
_LIMITS = Limits(
    wall_seconds=20,
    memory_bytes=96 * _MEGABYTE,
    processes=20,
    disk_bytes=16 * _MEGABYTE,
    file_bytes=8 * _MEGABYTE,
)
_EXCESSES: tuple[tuple[EndReason, tuple[str, ...]], ...] = (
    ("memory", ("memory", str(60 * _MEGABYTE), "3")),
    ("processes", ("processes", "60")),
    ("disk", ("disk", str(64 * _MEGABYTE))),
    ("wall clock", ("sleep",)),
)
"""Programs that exceed a limit: how the run must end, and the arguments of the probe."""

_PYTHON = Path(sys.prefix)
"""The environment of this process, whose Python runs the probe."""

_reports: dict[str | None, SandboxReport] = {}
_lock = threading.Lock()


def trusted_report(image: str | None = None) -> SandboxReport:
    """`self_check(image)`, cached in this process once it holds; a failed one is repeated."""
    with _lock:
        report = _reports.get(image)
        if report is None or not report.holds:
            report = _reports[image] = self_check(image)
        return report


def self_check(image: str | None = None) -> SandboxReport:
    """Check in a few seconds whether programs are isolated on this machine.

    Args:
        image: container image to check with a container engine; it must contain `python3`. None
            checks bubblewrap.
    """
    if image is None:
        runner, problem = _bubblewrap_version()
        limits = "cgroup v2" if _can_make_group() else "rlimits and supervisor"
        user = "a user of their own" if bubblewrap.has_own_user() else "the user of the worker"
    else:
        runner, problem, _ = container_engine.examine(image)
        limits, user = "engine", "a user of their own" if os.geteuid() == 0 else "the worker's user"
    if problem:
        checks = (Check("the sandbox is there", False, problem),)
    else:
        with tempfile.TemporaryDirectory(prefix="genmem-check-") as folder:
            checks = tuple(_run_checks(Path(folder), image))
    return SandboxReport(all(check.held for check in checks), runner, limits, user, checks)


def _can_make_group() -> bool:
    group = groups.make(
        f"genmem-check-{os.getpid()}", _LIMITS, scratch_bytes=_SCRATCH, tasks=_LIMITS.processes
    )
    if group is None:
        return False
    groups.remove(group)
    return True


def _bubblewrap_version() -> tuple[str, str]:
    """The version of bubblewrap, and why it cannot be used ("" if it can)."""
    problem = bubblewrap.problem_here()
    if problem:
        return "bubblewrap", problem
    process = subprocess.run(
        ["bwrap", "--version"], capture_output=True, encoding="utf-8", check=False
    )
    return process.stdout.strip() or "bubblewrap", ""


def _run_checks(folder: Path, image: str | None) -> list[Check]:
    (folder / "secret").write_text("private split", encoding="utf-8")
    (folder / "in").mkdir()
    # The runs go on side by side: they sleep most of the time.
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        facts = _facts(folder / "secret", listener.getsockname()[1], image)
        questions = [("isolation", facts), *(arguments for _, arguments in _EXCESSES)]
        try:
            runs = [
                _start_probe(folder, str(index), arguments, image)
                for index, arguments in enumerate(questions)
            ]
        except UsageError as error:
            return [Check("the self-check can be made", False, str(error))]
        for record in runs:
            stack.callback(running.stop, record)
        timeout = 2 * _LIMITS.wall_seconds
        outcomes = [running.wait(record, timeout=timeout).outcome for record in runs]
    answers = _probe_answers(outcomes[0], folder / "0")
    excesses = [
        _limit_check(expected, outcome)
        for (expected, _), outcome in zip(_EXCESSES, outcomes[1:], strict=True)
    ]
    return [*answers, *excesses]


def _facts(secret: Path, port: int, image: str | None) -> str:
    """What the probe is to try, and what it may see, as JSON."""
    variables = ["PATH", "HOME", "PWD", "SHLVL", "OLDPWD", "HOSTNAME", "TERM", "container", "_"]
    folders = []
    if image is None:
        variables += list(bubblewrap.variables(_PYTHON))
        places = [Path(mount.place) for mount in bubblewrap.environment_mounts(_PYTHON)]
        folders = [*bubblewrap.FOLDERS, *(path.parts[1] for path in places)]
    else:
        variables += ["TMPDIR", *container_engine.examine(image)[2]]
    return json.dumps(
        {
            "secret": str(secret),
            "port": port,
            "scratch": _SCRATCH,
            "file": _LIMITS.file_bytes,
            "seccomp": "2" if image or syscalls.is_supported() else "0",
            "variables": variables,
            "folders": folders,
        }
    )


def _start_probe(folder: Path, name: str, arguments: tuple[str, ...], image: str | None) -> Path:
    program = Program(
        folder=_PROBE,
        command=("python3", "-I", "main.py", *arguments),
        output=folder / name,
        inputs={"in": folder / "in"},
        scratch_bytes=_SCRATCH,
        environment=None if image else _PYTHON,
        image=image,
    )
    seconds = 1.5 if arguments[0] == "sleep" else _LIMITS.wall_seconds
    limits = Limits(**{**vars(_LIMITS), "wall_seconds": seconds})
    record = folder / f"{name}.json"
    running.start_unchecked(program, limits, record)
    return record


def _probe_answers(outcome: Outcome | None, output: Path) -> list[Check]:
    try:
        answers = json.loads((output / "answers.json").read_text(encoding="utf-8"))
        return [Check(name, bool(held), detail) for name, held, detail in answers]
    except (OSError, ValueError) as error:
        path = records.log_path(output.with_suffix(".json"))
        log = path.read_text(encoding="utf-8", errors="replace").strip() if path.exists() else ""
        end = outcome.message if outcome else "it has not ended"
        return [Check("the probe answers", False, f"{error}; {end}; its log: {log[-500:]}")]


def _limit_check(expected: EndReason, outcome: Outcome | None) -> Check:
    end = f"{outcome.ended}: {outcome.message}" if outcome else "it has not ended"
    held = outcome is not None and outcome.ended == expected
    return Check(f"the limit of {expected} is kept", held, "" if held else end)
