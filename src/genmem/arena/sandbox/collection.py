"""Collect the files that a program left in `/output`, once it has ended."""

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
    """The result of collecting.

    Attributes:
        files: number of files collected.
        bytes: their size.
        skipped: names of files that were not collected, with reasons (the first ten).
        problem: why nothing was collected; "" otherwise.
    """

    files: int = 0
    bytes: int = 0
    skipped: tuple[str, ...] = ()
    problem: str = ""


def collect(raw: Path, output: Path, limits: Limits) -> Collected:
    """Move the regular files below `raw` to `output`, which appears once it is complete.

    Links, pipes, sockets, devices and files with unprintable names are skipped. Nothing is
    collected if the whole exceeds the limits.

    Args:
        raw: the folder that was `/output` in the sandbox.
        output: the folder to create.
        limits: of the run.
    """
    _, problem = usage.of_output(raw, limits)
    if problem:
        return Collected(problem=problem)
    partial = output.with_name(f".{output.name}.partial")
    remove(partial)
    partial.mkdir(parents=True)
    files = total = 0
    skipped: list[str] = []
    for name, status in list(usage.walk(raw)):
        reason = _skip_reason(name, status)
        if reason:
            skipped.append(f"{name.encode(errors='replace').decode()!r}: {reason}")
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
    more = [f"and {len(skipped) - 10:,} more"] if len(skipped) > 10 else []
    return Collected(files, total, (*skipped[:10], *more))


def _skip_reason(name: str, status: os.stat_result) -> str:
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
    """Remove `folder`, however deep, odd or closed its tree is, without following links."""
    if not folder.exists():
        return
    for command in (["chmod", "-R", "u+rwX"], ["rm", "-rf", "--one-file-system"]):
        subprocess.run([*command, "--", folder], stderr=subprocess.DEVNULL, check=False)
