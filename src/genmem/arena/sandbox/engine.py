"""A run in a container of Docker or Podman, where an engine answers and the program names an image.

The engine limits memory, processes and processors, and its default filter of system calls holds;
the supervisor keeps the clock and the size of `/output`. The image must be there: none is fetched.
A container whose supervisor dies goes on until `poll` finds it lost, and removes it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from genmem.arena.sandbox import bubblewrap, usage
from genmem.arena.sandbox.program import Limits, Program
from genmem.arena.sandbox.runners import CannotStartError, refuse_unreadable


def find() -> str | None:
    """Docker or Podman, the first that answers; None where neither does."""
    here = (name for name in ("docker", "podman") if shutil.which(name))
    return next((name for name in here if _ask(name, "info")[0] == 0), None)


def _ask(*words: str) -> tuple[int, str]:
    """The exit code of a command and what it prints; it has 30 s."""
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, check=False, timeout=30, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return 1, str(error)
    return done.returncode, (done.stdout if done.returncode == 0 else done.stderr).strip()


def examine(image: str) -> tuple[str, str, list[str]]:
    """The engine's version, why it cannot run `image` ("" where it can), the image's variables."""
    engine = find()
    if engine is None:
        return "docker or podman", "expected a container engine that answers, found none", []
    code, said = _ask(engine, "image", "inspect", "--format", "{{json .Config.Env}}", image)
    problem = f"expected the image {image} here; fetch it first: {said}" if code else ""
    words = [] if code else json.loads(said) or []
    return _ask(engine, "--version")[1], problem, [word.partition("=")[0] for word in words]


def remove(container: str) -> None:
    """End and remove `container`, if it is there."""
    _ask(find() or "docker", "rm", "--force", container)


def command(
    engine: str, program: Program, limits: Limits, *, raw: Path, name: str, user: int
) -> list[str]:
    """The words that run `program` as the host's user number `user`, its output in `raw`."""
    # Files in memory count as the container's memory.
    memory = str(limits.memory_bytes + program.scratch_bytes)
    words = [engine, "run", "--name", name, "--pull", "never", "--init", "--log-driver", "none"]
    words += ["--network", "none", "--read-only", "--cap-drop", "ALL"]
    words += ["--security-opt", "no-new-privileges", "--ipc", "private", "--hostname", "sandbox"]
    words += ["--user", f"{user}:{user}", "--memory", memory, "--memory-swap", memory]
    words += ["--pids-limit", str(limits.processes), "--cpus", str(limits.cpus)]
    words += ["--ulimit", f"fsize={limits.file_bytes}", "--ulimit", "core=0"]
    words += ["--ulimit", "nofile=4096", "--shm-size", str(program.scratch_bytes)]
    for place in ("/scratch", "/tmp"):
        words += ["--tmpfs", f"{place}:rw,nosuid,nodev,mode=1777,size={program.scratch_bytes}"]
    words += ["--env", "HOME=/scratch", "--env", "TMPDIR=/scratch", "--workdir", "/code"]
    for mount in bubblewrap.own_mounts(program, raw):
        end = "" if mount.writable else ",readonly"
        words += ["--mount", f"type=bind,source={mount.source},target={mount.place}{end}"]
    if engine == "podman" and os.geteuid() != 0:
        words += ["--userns", "keep-id"]
    return [*words, "--entrypoint", program.command[0], str(program.image), *program.command[1:]]


class Container:
    """A run in a container, as `runners.Runner` has it."""

    def __init__(self, program: Program, limits: Limits, *, raw: Path, name: str) -> None:
        engine, seen = find(), bubblewrap.own_mounts(program, raw)
        if engine is None or any("," in str(mount.source) for mount in seen):
            raise CannotStartError("expected an engine that answers, and no folder with a comma")
        refuse_unreadable(seen)
        os.chown(raw, bubblewrap.user_id(), -1)
        self._engine, self._name, user = engine, name, bubblewrap.user_id()
        self._words = command(engine, program, limits, raw=raw, name=name, user=user)

    def prepare(self, printed: int) -> None:
        """See `runners.Runner`."""
        self._printed = printed

    def release(self) -> subprocess.Popen[bytes]:
        """See `runners.Runner`."""
        out, nothing = self._printed, subprocess.DEVNULL
        self._client = subprocess.Popen(self._words, stdin=nothing, stdout=out, stderr=out)
        return self._client

    def leftovers(self) -> dict[str, Any]:
        """See `runners.Runner`."""
        return {"container": self._name}

    def look(self) -> usage.Usage | None:
        """See `runners.Runner`: the engine counts."""
        return None

    def kill(self) -> None:
        """See `runners.Runner`."""
        _ask(self._engine, "kill", self._name)
        self._client.kill()
        self._client.wait()

    def finish(self) -> tuple[int | None, str]:
        """See `runners.Runner`; 125 is the engine's own exit code where it cannot start one."""
        form = "{{.State.OOMKilled}} {{.State.ExitCode}}"
        code, said = _ask(self._engine, "container", "inspect", "--format", form, self._name)
        remove(self._name)
        killed, _, number = said.partition(" ")
        if code or not number.isdecimal() or int(number) == 125:
            return None, ""
        return int(number), "memory" if killed == "true" else ""
