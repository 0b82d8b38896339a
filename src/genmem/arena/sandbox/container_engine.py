"""Runs in a container of Docker or Podman, for programs that name an image.

The engine limits memory, processes and processors, and applies its default filter of system calls;
the supervisor limits time and the size of `/output`. Images are never fetched: they must be there.
A container whose supervisor dies goes on until `poll` finds the run lost and removes it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from genmem.arena.sandbox import bubblewrap
from genmem.arena.sandbox.program import Limits, Program
from genmem.arena.sandbox.runners import CannotStartError, refuse_unreadable
from genmem.arena.sandbox.usage import Usage


def find() -> str | None:
    """Docker or Podman, the first that answers; None if neither does."""
    installed = (name for name in ("docker", "podman") if shutil.which(name))
    return next((name for name in installed if _call(name, "info")[0] == 0), None)


def _call(*words: str) -> tuple[int, str]:
    """The exit code and the output of a command, which has 30 s."""
    try:
        process = subprocess.run(
            words,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=30,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return 1, str(error)
    output = process.stderr if process.returncode else process.stdout
    return process.returncode, output.strip()


def examine(image: str) -> tuple[str, str, list[str]]:
    """The engine's version, why it cannot run `image` ("" if it can), the image's variables."""
    engine = find()
    if engine is None:
        return "docker or podman", "expected a running container engine, found none", []
    code, output = _call(engine, "image", "inspect", "--format", "{{json .Config.Env}}", image)
    problem = f"the image {image} is missing here; pull it first: {output}" if code else ""
    variables = [] if code else json.loads(output) or []
    names = [variable.partition("=")[0] for variable in variables]
    return _call(engine, "--version")[1], problem, names


def remove(container: str) -> None:
    """Kill and remove `container`, if it exists."""
    _call(find() or "docker", "rm", "--force", container)


def command(
    engine: str, program: Program, limits: Limits, *, raw: Path, name: str, user: int
) -> list[str]:
    """The command that runs `program` in a container.

    Args:
        engine: "docker" or "podman".
        program: what to run.
        limits: what it may use.
        raw: folder of the host that becomes `/output`.
        name: name of the container.
        user: user id that the program has on the host.
    """
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
    """A run in a container; implements `runners.Runner`."""

    def __init__(self, program: Program, limits: Limits, *, raw: Path, name: str) -> None:
        engine, mounts = find(), bubblewrap.own_mounts(program, raw)
        if engine is None or any("," in str(mount.source) for mount in mounts):
            raise CannotStartError("expected a running engine, and folders without commas")
        refuse_unreadable(mounts)
        os.chown(raw, bubblewrap.user_id(), -1)
        self._engine, self._name, user = engine, name, bubblewrap.user_id()
        self._words = command(engine, program, limits, raw=raw, name=name, user=user)

    def prepare(self, output: int) -> None:
        """See `runners.Runner`."""
        self._output = output

    def release(self) -> subprocess.Popen[bytes]:
        """See `runners.Runner`."""
        out, nothing = self._output, subprocess.DEVNULL
        self._client = subprocess.Popen(self._words, stdin=nothing, stdout=out, stderr=out)
        return self._client

    def leftovers(self) -> dict[str, Any]:
        """See `runners.Runner`."""
        return {"container": self._name}

    def measure(self) -> Usage | None:
        """See `runners.Runner`: the engine enforces the limits."""
        return None

    def kill(self) -> None:
        """See `runners.Runner`."""
        _call(self._engine, "kill", self._name)
        self._client.kill()
        self._client.wait()

    def finish(self) -> tuple[int | None, str]:
        """See `runners.Runner`; 125 is the engine's exit code if it cannot start a container."""
        form = "{{.State.OOMKilled}} {{.State.ExitCode}}"
        code, output = _call(self._engine, "container", "inspect", "--format", form, self._name)
        remove(self._name)
        killed, _, number = output.partition(" ")
        if code or not number.isdecimal() or int(number) == 125:
            return None, ""
        return int(number), "memory" if killed == "true" else ""
