"""The interface of the two ways to run a program, and the one in bubblewrap."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

from genmem.arena.sandbox import bubblewrap, groups, processes
from genmem.arena.sandbox.program import Limits, Program, readable_by_others
from genmem.arena.sandbox.usage import Usage, of_processes

_REPORTS_BYTES = 4096
"""More than all reports of bubblewrap."""


class CannotStartError(Exception):
    """The program was not started; the message says why."""


class Runner(Protocol):
    """One run, as the supervisor handles it."""

    def prepare(self, output: int) -> None:
        """Do everything but start the program, whose output goes to the descriptor `output`."""
        ...

    def release(self) -> subprocess.Popen[bytes]:
        """Start the program. The record must hold `leftovers` by now."""
        ...

    def leftovers(self) -> dict[str, Any]:
        """What `cleanup.clean_up` needs to end this run from another process."""
        ...

    def measure(self) -> Usage | None:
        """What the run uses now; None if that is unknown."""
        ...

    def kill(self) -> None:
        """Kill every process of the run."""
        ...

    def finish(self) -> tuple[int | None, str]:
        """After the end: the exit code (None: it never began) and the limit that was hit, or ""."""
        ...


def refuse_unreadable(mounts: Iterable[bubblewrap.Mount]) -> None:
    """Raise CannotStartError if programs run as another user that could not read a mount."""
    for mount in mounts if bubblewrap.has_own_user() else ():
        if not mount.writable and not readable_by_others(mount.source):
            raise CannotStartError(
                f"expected {mount.source} to be readable by others, because programs run as a user "
                f"of their own; fix it with: chmod -R o+rX {mount.source}"
            )


class Bubblewrap:
    """A run in bubblewrap, started by the supervisor's own process."""

    def __init__(self, program: Program, limits: Limits, *, work: Path, raw: Path) -> None:
        self._program, self._limits, self._raw = program, limits, raw
        etc = work / "etc"
        bubblewrap.write_etc(etc)
        self._mounts = bubblewrap.mounts(program, raw, etc)
        refuse_unreadable(self._mounts)
        if bubblewrap.has_own_user():
            os.chown(raw, bubblewrap.user_id(), bubblewrap.user_id())
        self._group: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._init: processes.Identity | None = None
        self._is_ready = False
        self._status = -1

    def prepare(self, output: int) -> None:
        """See `Runner`.

        Inside, a shell sends "ready" and waits for "go". If this process dies before it sends
        "go", the shell reads the end of the socket and exits. By the time "go" is sent, every
        process has asked the kernel to die with its parent.
        """
        self._group = groups.make(
            f"genmem-{os.getpid()}",
            self._limits,
            scratch_bytes=self._program.scratch_bytes,
            tasks=self._limits.processes + bubblewrap.OWN_TASKS,
        )
        # A file and not a pipe, whose end would kill bubblewrap's first process before its second
        # may begin, if this process dies early; the second would then wait for ever.
        self._status = os.memfd_create("status")
        words, descriptors = bubblewrap.command(
            self._program, self._limits, self._mounts, group=self._group, status=self._status
        )
        self._socket, child = socket.socketpair()
        try:
            self._process = subprocess.Popen(
                words,
                stdin=child.fileno(),
                stdout=output,
                stderr=output,
                pass_fds=descriptors,
                # The program could read all of it as /proc/1/environ.
                env={"PATH": bubblewrap.PATH},
                cwd="/",
            )
        finally:
            child.close()
            for descriptor in set(descriptors) - {self._status}:
                os.close(descriptor)
        self._socket.settimeout(processes.TIMEOUT)
        with contextlib.suppress(TimeoutError):
            self._is_ready = self._socket.recv(64) == b"ready\n"

    def release(self) -> subprocess.Popen[bytes]:
        """See `Runner`."""
        assert self._process is not None
        if self._is_ready and self._init_process():
            self._socket.sendall(b"go\n")
        self._socket.close()
        return self._process

    def _reported(self, name: str) -> int | None:
        """The number that bubblewrap has reported under `name`; None if it has not yet."""
        reports = os.pread(self._status, _REPORTS_BYTES, 0)
        for line in reports.splitlines():
            with contextlib.suppress(json.JSONDecodeError):
                if name in (report := json.loads(line)):
                    return report[name]
        return None

    def _init_process(self) -> processes.Identity | None:
        """The first process inside, whose end ends all others; None until it is known."""
        if self._init is None:
            pid = self._reported("child-pid")
            self._init = None if pid is None else processes.identity(pid)
        return self._init

    def leftovers(self) -> dict[str, Any]:
        """See `Runner`."""
        assert self._process is not None
        known = [processes.identity(self._process.pid), self._init_process()]
        return {
            "processes": [process for process in known if process],
            "group": str(self._group or ""),
        }

    def measure(self) -> Usage | None:
        """See `Runner`."""
        init = self._init_process()
        if init is None:
            return None
        limit = self._limits.memory_bytes
        current = of_processes(init["pid"], self._raw, precise_above=limit)
        if current and current.memory > limit:
            # Between fork and exec a process shares its parent's memory and would count twice.
            time.sleep(0.02)
            current = of_processes(init["pid"], self._raw, precise_above=limit)
        return current

    def kill(self) -> None:
        """See `Runner`."""
        assert self._process is not None
        deadline = time.monotonic() + processes.TIMEOUT
        while self._process.poll() is None and time.monotonic() < deadline:
            if self._init_process():
                break
            time.sleep(0.01)
        processes.kill(self._init_process())
        self._process.kill()
        self._process.wait()

    def finish(self) -> tuple[int | None, str]:
        """See `Runner`."""
        code = self._reported("exit-code")
        limit = groups.limit_hit(self._group) if self._group else ""
        # bubblewrap's end ends its first process, whose end waits for all others.
        if not processes.kill(self._init_process()):
            raise RuntimeError("the processes of the run could not be killed")
        if self._group:
            groups.remove(self._group)
        os.close(self._status)
        return code, limit
