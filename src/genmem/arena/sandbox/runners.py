"""The two ways to run a program, bubblewrap and a container engine, behind the same functions."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

from genmem.arena.sandbox import bubblewrap, groups, records, usage
from genmem.arena.sandbox.program import Limits, Program, readable_by_others

_PATIENCE = 30.0
"""Seconds to wait for processes to begin or to end."""


class CannotStartError(Exception):
    """The program was not started; says why."""


class Runner(Protocol):
    """One run, as the supervisor handles it."""

    def prepare(self, printed: int) -> None:
        """Do all but start the program, whose output goes to the descriptor `printed`."""
        ...

    def release(self) -> subprocess.Popen[bytes]:
        """Start the program: what `leftovers` says must be in the record by now."""
        ...

    def leftovers(self) -> dict[str, Any]:
        """What `clear_away` needs to end this run from another process."""
        ...

    def look(self) -> usage.Usage | None:
        """What the run takes now; None where that is not known."""
        ...

    def kill(self) -> None:
        """End every process of the run."""
        ...

    def finish(self) -> tuple[int | None, str]:
        """After the end: the program's exit code (None: it never began) and the limit it met."""
        ...


def refuse_unreadable(seen: Iterable[bubblewrap.Mount]) -> None:
    """Raise CannotStartError where a user of its own could not read what it is given."""
    for mount in seen if bubblewrap.own_user() else ():
        if not mount.writable and not readable_by_others(mount.source):
            raise CannotStartError(
                f"expected {mount.source} to be readable by others, as programs run as a user of "
                f"their own; mend it with: chmod -R o+rX {mount.source}"
            )


class Bubblewrap:
    """A run in bubblewrap, from the supervisor's own process."""

    def __init__(self, program: Program, limits: Limits, *, work: Path, raw: Path) -> None:
        self._program, self._limits, self._raw = program, limits, raw
        etc = work / "etc"
        bubblewrap.write_etc(etc)
        self._seen = bubblewrap.mounts(program, raw, etc)
        refuse_unreadable(self._seen)
        if bubblewrap.own_user():
            os.chown(raw, bubblewrap.user_id(), bubblewrap.user_id())
        self._group: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._init: records.Identity | None = None
        self._is_ready = False
        self._status = -1
        self._said = b""

    def prepare(self, printed: int) -> None:
        """See `Runner`.

        Inside, a shell says that it is there and waits for a word. Should this process die before
        it gives that word, the shell reads the end of the line and ends; by the time the word is
        given, all processes have asked the kernel to die with the one above them.
        """
        self._group = groups.make(
            f"genmem-{os.getpid()}",
            self._limits,
            scratch_bytes=self._program.scratch_bytes,
            tasks=self._limits.processes + bubblewrap.OWN_TASKS,
        )
        self._status, status = os.pipe()
        os.set_blocking(self._status, False)
        words, passed = bubblewrap.command(
            self._program, self._limits, self._seen, group=self._group, status=status
        )
        self._line, theirs = socket.socketpair()
        try:
            self._process = subprocess.Popen(
                words,
                stdin=theirs.fileno(),
                stdout=printed,
                stderr=printed,
                pass_fds=passed,
                # All of it could be read inside as /proc/1/environ.
                env={"PATH": bubblewrap.PATH},
                cwd="/",
            )
        finally:
            theirs.close()
            for descriptor in passed:
                os.close(descriptor)
        self._line.settimeout(_PATIENCE)
        with contextlib.suppress(TimeoutError):
            self._is_ready = self._line.recv(64) == b"ready\n"

    def release(self) -> subprocess.Popen[bytes]:
        """See `Runner`."""
        assert self._process is not None
        if self._is_ready and self._first():
            self._line.sendall(b"go\n")
        self._line.close()
        return self._process

    def _reported(self, name: str) -> int | None:
        """The number that bubblewrap has reported under `name`."""
        with contextlib.suppress(BlockingIOError):
            while piece := os.read(self._status, 4096):
                self._said += piece
        for line in self._said.splitlines():
            with contextlib.suppress(json.JSONDecodeError):
                if name in (found := json.loads(line)):
                    return found[name]
        return None

    def _first(self) -> records.Identity | None:
        """The first process inside, which takes all others with it; None until it is known."""
        if self._init is None:
            pid = self._reported("child-pid")
            self._init = None if pid is None else records.identity(pid)
        return self._init

    def leftovers(self) -> dict[str, Any]:
        """See `Runner`."""
        assert self._process is not None
        known = [records.identity(self._process.pid), self._first()]
        return {"processes": [who for who in known if who], "group": str(self._group or "")}

    def look(self) -> usage.Usage | None:
        """See `Runner`."""
        first = self._first()
        if first is None:
            return None
        most = self._limits.memory_bytes
        seen = usage.of_processes(first["pid"], self._raw, precise_above=most)
        if seen and seen.memory > most:
            # For the instant before it executes, a process that is being started has its parent's
            # memory too, and would count twice.
            time.sleep(0.02)
            seen = usage.of_processes(first["pid"], self._raw, precise_above=most)
        return seen

    def kill(self) -> None:
        """See `Runner`."""
        assert self._process is not None
        until = time.monotonic() + _PATIENCE
        while self._process.poll() is None and not self._first() and time.monotonic() < until:
            time.sleep(0.01)
        _end(self._first())
        self._process.kill()
        self._process.wait()

    def finish(self) -> tuple[int | None, str]:
        """See `Runner`."""
        code = self._reported("exit-code")
        limit = groups.met(self._group) if self._group else ""
        # bubblewrap's end takes its first process, and that one's end waits for all others.
        if not _end(self._first()):
            raise RuntimeError("the processes of the run could not be ended")
        if self._group:
            groups.remove(self._group)
        os.close(self._status)
        return code, limit


def _end(who: records.Identity | None) -> bool:
    """End that very process, and wait for it; whether it is gone."""
    until = time.monotonic() + _PATIENCE
    while who is not None and records.alive(who) and time.monotonic() < until:
        with contextlib.suppress(ProcessLookupError):
            os.kill(who["pid"], signal.SIGKILL)
        time.sleep(0.01)
    return who is None or not records.alive(who)
