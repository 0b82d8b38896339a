"""The files a program leaves in `/output`, taken out once it is dead."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from genmem.arena.sandbox import usage
from genmem.arena.sandbox.program import Limits


@dataclass(frozen=True)
class Collected:
    """How many files and bytes were taken, and what was left behind, why (the first ten).

    `problem` says why nothing was taken; "" where something could be.
    """

    files: int = 0
    bytes: int = 0
    left_behind: tuple[str, ...] = ()
    problem: str = ""


def collect(raw: Path, output: Path, limits: Limits) -> Collected:
    """Move the regular files below `raw` to the folder `output`, which appears when all are there.

    Links, pipes, sockets and devices are left behind, and so are files whose names cannot be
    printed. Nothing is taken where the whole is over the limits.
    """
    _, problem = usage.of_output(raw, limits)
    if problem:
        return Collected(problem=problem)
    partial = output.with_name(f".{output.name}.partial")
    remove(partial)
    partial.mkdir(parents=True)
    files = total = 0
    left: list[str] = []
    for name, status in list(usage.walk(raw)):
        reason = _reason_to_leave(name, status)
        if reason:
            left.append(f"{name.encode(errors='replace').decode()!r}: {reason}")
            continue
        if stat.S_ISDIR(status.st_mode):
            continue
        target = partial / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(raw / name, target)
        os.chown(target, os.geteuid(), os.getegid(), follow_symlinks=False)
        target.chmod(0o644)
        files += 1
        total += status.st_size
    partial.rename(output)
    more = [f"and {len(left) - 10:,} more"] if len(left) > 10 else []
    return Collected(files, total, (*left[:10], *more))


def _reason_to_leave(name: str, status: os.stat_result) -> str:
    if not name.isprintable():
        return "its name cannot be printed"
    kinds = {
        stat.S_IFREG: "",
        stat.S_IFDIR: "",
        stat.S_IFLNK: "a link",
        stat.S_IFIFO: "a named pipe",
        stat.S_IFSOCK: "a socket",
    }
    return kinds.get(stat.S_IFMT(status.st_mode), "a device")


def remove(folder: Path) -> None:
    """Remove `folder` however deep, odd or closed the tree in it is; links are not followed."""
    if not folder.exists():
        return
    for command in (["chmod", "-R", "u+rwX"], ["rm", "-rf", "--one-file-system"]):
        subprocess.run([*command, "--", folder], stderr=subprocess.DEVNULL, check=False)
