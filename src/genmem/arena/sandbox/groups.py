"""Control groups (cgroup v2), where this process may make one: limits that the kernel keeps.

A group is made beside the ones that this process lives in: in the nearest group above it that may
be written and hands the memory and process controllers down. Elsewhere (no cgroup v2, or not
delegated) there is none, and rlimits and the supervisor hold.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from pathlib import Path

from genmem.arena.sandbox.program import Limits

_NEEDED = {"memory", "pids"}


def parent() -> Path | None:
    """The group below which groups can be made; None where there is no such group."""
    root = _mounted_at()
    if root is None:
        return None
    place = root / _own().strip("/")
    for group in (place, *place.parents):
        if not group.is_relative_to(root):
            break
        with contextlib.suppress(OSError):
            handed_down = set((group / "cgroup.subtree_control").read_text().split())
            files = (group, group / "cgroup.procs")
            if handed_down >= _NEEDED and all(os.access(file, os.W_OK) for file in files):
                return group
    return None


def _own() -> str:
    """The path of this process's own group below the root of all."""
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    return next((line[3:] for line in lines if line.startswith("0::")), "/")


def _mounted_at() -> Path | None:
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        if after.startswith("cgroup2 "):
            return Path(before.split()[4])
    return None


def make(name: str, limits: Limits, *, scratch_bytes: int, tasks: int) -> Path | None:
    """A new group under these limits; None where none can be made.

    Files in the scratch are memory to the kernel, so that their size is added.
    """
    above = parent()
    if above is None:
        return None
    group = above / name
    try:
        group.mkdir()
        (group / "memory.max").write_text(str(limits.memory_bytes + scratch_bytes))
        (group / "memory.oom.group").write_text("1")
        (group / "pids.max").write_text(str(tasks))
        # Whether a process may move there is known only when one has.
        move = ["sh", "-c", 'echo $$ >"$0"', group / "cgroup.procs"]
        subprocess.run(move, check=True, stderr=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError):
        remove(group)
        return None
    # Not every kernel counts swap, and the CPU controller may not be handed down.
    with contextlib.suppress(OSError):
        (group / "memory.swap.max").write_text("0")
    with contextlib.suppress(OSError):
        (group / "cpu.max").write_text(f"{limits.cpus * 100_000} 100000")
    return group


def met(group: Path) -> str:
    """Which of its limits a group has met: "memory", "processes" or ""."""
    for file, event, limit in (
        ("memory.events", "oom_kill", "memory"),
        ("pids.events", "max", "processes"),
    ):
        with contextlib.suppress(OSError):
            lines = (group / file).read_text().splitlines()
            if int(dict(line.split() for line in lines).get(event, 0)):
                return limit
    return ""


def remove(group: Path, *, patience: float = 5.0) -> None:
    """End all processes of a group, then the group; None are left after at most `patience` s."""
    with contextlib.suppress(OSError):
        (group / "cgroup.kill").write_text("1")
    until = time.monotonic() + patience
    while group.exists():
        try:
            group.rmdir()
        except OSError:
            if time.monotonic() > until:
                return
            time.sleep(0.02)
