"""Does isolation hold here? Programs that try to leave, in the real sandbox, before any other.

Nothing is taken on trust: the same `start` runs a program that asks from inside for a secret file,
a port, the environment, capabilities and so on, and four that take too much of something. A check
that cannot be made has failed, and while one fails, code is refused.
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

from genmem.arena.sandbox import bubblewrap, groups, records, running, syscalls
from genmem.arena.sandbox.program import (
    Check,
    Ended,
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

# What a program takes too much of: (how the run must end, arguments of the probe).
_EXCESSES: tuple[tuple[Ended, tuple[str, ...]], ...] = (
    ("memory", ("memory", str(60 * _MEGABYTE), "3")),
    ("processes", ("processes", "60")),
    ("disk", ("disk", str(64 * _MEGABYTE))),
    ("wall clock", ("sleep",)),
)

_reports: dict[str | None, SandboxReport] = {}
_asking = threading.Lock()


def trusted_report(image: str | None = None) -> SandboxReport:
    """`self_check(image)`, asked once in this process and again only where it failed."""
    with _asking:
        known = _reports.get(image)
        if known is None or not known.holds:
            known = _reports[image] = self_check(image)
        return known


def self_check(image: str | None = None) -> SandboxReport:
    """Whether programs are held on this machine, in a few seconds.

    Args:
        image: ask for a container engine with this image, which must hold `python3`; None means
            bubblewrap.
    """
    if image is None:
        runner, problem = _bubblewrap_version()
        limits = "cgroup v2" if _group_works() else "rlimits and supervisor"
        user = "a user of their own" if bubblewrap.own_user() else "the user of the worker"
    else:
        from genmem.arena.sandbox import engine

        runner, problem, _ = engine.examine(image)
        limits, user = "engine", "a user of their own" if os.geteuid() == 0 else "the worker's user"
    if problem:
        checks = (Check("the sandbox is there", False, problem),)
    else:
        with tempfile.TemporaryDirectory(prefix="genmem-check-") as folder:
            checks = tuple(_asked(Path(folder), image))
    return SandboxReport(all(check.held for check in checks), runner, limits, user, checks)


def _group_works() -> bool:
    group = groups.make(
        f"genmem-check-{os.getpid()}", _LIMITS, scratch_bytes=_SCRATCH, tasks=_LIMITS.processes
    )
    if group is None:
        return False
    groups.remove(group)
    return True


def _bubblewrap_version() -> tuple[str, str]:
    problem = bubblewrap.available()
    if problem:
        return "bubblewrap", problem
    done = subprocess.run(["bwrap", "--version"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "bubblewrap", ""


def _asked(folder: Path, image: str | None) -> list[Check]:
    (folder / "secret").write_text("private side")
    (folder / "in").mkdir()
    # The runs go on side by side: they sleep most of the time.
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        facts = _facts(folder / "secret", listener.getsockname()[1], image)
        questions = [("isolation", facts), *(arguments for _, arguments in _EXCESSES)]
        try:
            begun = [
                _begun(folder, str(index), words, image) for index, words in enumerate(questions)
            ]
        except UsageError as error:
            return [Check("the self-check can be made", False, str(error))]
        outcomes = []
        for record in begun:
            stack.callback(running.stop, record)
        for record in begun:
            outcomes.append(running.wait(record, patience=2 * _LIMITS.wall_seconds).outcome)
    answers = _answers(outcomes[0], folder / "0")
    excesses = [
        _limit(ended, outcome) for (ended, _), outcome in zip(_EXCESSES, outcomes[1:], strict=True)
    ]
    return [*answers, *excesses]


def _facts(secret: Path, port: int, image: str | None) -> str:
    """What the probe is to try, and what it may find, as JSON."""
    variables = ["PATH", "HOME", "PWD", "SHLVL", "OLDPWD", "HOSTNAME", "TERM", "container", "_"]
    folders = []
    if image is None:
        variables += list(bubblewrap.variables(_environment()))
        seen = [Path(mount.place) for mount in bubblewrap.environment_mounts(_environment())]
        folders = [*bubblewrap.FOLDERS, *(path.parts[1] for path in seen)]
    else:
        from genmem.arena.sandbox import engine

        variables += ["TMPDIR", *engine.examine(image)[2]]
    return json.dumps(
        {
            "secret": str(secret),
            "port": port,
            "scratch": _SCRATCH,
            "file": _LIMITS.file_bytes,
            "seccomp": "2" if image or syscalls.supported() else "0",
            "variables": variables,
            "folders": folders,
        }
    )


def _environment() -> Path:
    """The environment of this very process, in which the probe's Python is."""
    return Path(sys.prefix)


def _begun(folder: Path, name: str, words: tuple[str, ...], image: str | None) -> Path:
    program = Program(
        folder=_PROBE,
        command=("python3", "-I", "main.py", *words),
        output=folder / name,
        inputs={"in": folder / "in"},
        scratch_bytes=_SCRATCH,
        environment=None if image else _environment(),
        image=image,
    )
    seconds = 1.5 if words[0] == "sleep" else _LIMITS.wall_seconds
    limits = Limits(**{**vars(_LIMITS), "wall_seconds": seconds})
    return running.begin(program, limits, folder / f"{name}.json").record


def _answers(outcome: Outcome | None, output: Path) -> list[Check]:
    try:
        found = json.loads((output / "answers.json").read_text())
        return [Check(name, bool(held), detail) for name, held, detail in found]
    except (OSError, ValueError) as error:
        said = records.log_of(output.with_suffix(".json"))
        log = said.read_text(errors="replace").strip() if said.exists() else ""
        how = outcome.message if outcome else "it has not ended"
        return [Check("the probe answers", False, f"{error}; {how}; it printed: {log[-500:]}")]


def _limit(ended: Ended, outcome: Outcome | None) -> Check:
    came = f"{outcome.ended}: {outcome.message}" if outcome else "it has not ended"
    held = outcome is not None and outcome.ended == ended
    return Check(f"the limit of {ended} is kept", held, "" if held else came)
