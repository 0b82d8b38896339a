"""Control groups (cgroup v2): limits enforced by the kernel, where this process may make a group.

A group is made in the nearest ancestor of this process's group that is writable and delegates the
memory and pids controllers. Without one (no cgroup v2, or not delegated), rlimits and the
supervisor enforce the limits.
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
    """The group below which groups can be made; None if there is none."""
    root = _mount_point()
    if root is None:
        return None
    place = root / _own_group().strip("/")
    for group in (place, *place.parents):
        if not group.is_relative_to(root):
            break
        with contextlib.suppress(OSError):
            delegated = set((group / "cgroup.subtree_control").read_text(encoding="utf-8").split())
            files = (group, group / "cgroup.procs")
            if delegated >= _NEEDED and all(os.access(file, os.W_OK) for file in files):
                return group
    return None


def _own_group() -> str:
    """The path of this process's group below the root."""
    lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    return next((line[3:] for line in lines if line.startswith("0::")), "/")


def _mount_point() -> Path | None:
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        before, _, after = line.partition(" - ")
        if after.startswith("cgroup2 "):
            return Path(before.split()[4])
    return None


def make(name: str, limits: Limits, *, scratch_bytes: int, tasks: int) -> Path | None:
    """Make a group with these limits; None if none can be made.

    Args:
        name: of the new group.
        limits: of the run.
        scratch_bytes: size of `/scratch`, added because the kernel counts its files as memory.
        tasks: limit of processes and threads, the sandbox's own included.
    """
    above = parent()
    if above is None:
        return None
    group = above / name
    try:
        group.mkdir()
        (group / "memory.max").write_text(
            str(limits.memory_bytes + scratch_bytes), encoding="utf-8"
        )
        (group / "memory.oom.group").write_text("1", encoding="utf-8")
        (group / "pids.max").write_text(str(tasks), encoding="utf-8")
        # Only a try shows whether a process may move there.
        move = ["sh", "-c", 'echo $$ >"$0"', group / "cgroup.procs"]
        subprocess.run(move, check=True, stderr=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError):
        remove(group)
        return None
    # Not every kernel counts swap, and the CPU controller may not be delegated.
    with contextlib.suppress(OSError):
        (group / "memory.swap.max").write_text("0", encoding="utf-8")
    with contextlib.suppress(OSError):
        (group / "cpu.max").write_text(f"{limits.cpus * 100_000} 100000", encoding="utf-8")
    return group


def limit_hit(group: Path) -> str:
    """The limit that a group has hit: "memory", "processes" or ""."""
    for file, event, limit in (
        ("memory.events", "oom_kill", "memory"),
        ("pids.events", "max", "processes"),
    ):
        with contextlib.suppress(OSError):
            lines = (group / file).read_text(encoding="utf-8").splitlines()
            if int(dict(line.split() for line in lines).get(event, 0)):
                return limit
    return ""


def remove(group: Path, *, timeout: float = 5.0) -> None:
    """Kill all processes of a group and remove it.

    Args:
        group: folder of the group.
        timeout: seconds to wait for its processes at most.
    """
    with contextlib.suppress(OSError):
        (group / "cgroup.kill").write_text("1", encoding="utf-8")
    deadline = time.monotonic() + timeout
    while group.exists():
        try:
            group.rmdir()
        except OSError:
            if time.monotonic() > deadline:
                return
            time.sleep(0.02)
