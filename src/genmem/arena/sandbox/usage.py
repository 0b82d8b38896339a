"""What a run takes: its processes' memory, its files, and what the host has left."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from genmem.arena.sandbox.program import Limits

MAX_DEPTH = 16
"""Folders within folders, below `/output`."""

HOST_RESERVE = 2**28
"""Bytes of memory and of disk that are left to the host, whatever the limits: 256 MiB."""

REWRITES = 4
"""How often its disk limit a program may write in all (plus 256 MiB). What is written to files
that are already removed, or moved about while they are counted, is seen only so."""


@dataclass(frozen=True)
class Usage:
    """A look at a run: bytes of memory, processes and threads, bytes written to disk so far,
    files in its scratch.
    """

    memory: int
    tasks: int
    written: int = 0
    scratch_files: int = 0


class TooDeepError(Exception):
    """Folders are nested deeper than MAX_DEPTH."""


def of_processes(init: int, output: Path, *, precise_above: int) -> Usage | None:
    """What the processes of the sandbox take whose first process is `init`.

    They are read from the sandbox's own `/proc`, which lists all of them and no others, whatever
    they do. Memory is what cannot be dropped: anonymous and shared pages, swapped ones too, but
    not pages of files, such as a memory-mapped training set. Pages that processes share count once
    for each, unless the sum is above `precise_above`: then they are divided, which takes longer.
    None when `init` is gone, or does not see the folder `output` as `/output` yet: until then its
    root is the host's.
    """
    root = Path(f"/proc/{init}/root")
    try:
        if not (root / "output").samefile(output):
            return None
        processes = [root / "proc" / name for name in os.listdir(root / "proc")]  # noqa: PTH208
        scratch = os.statvfs(root / "scratch")
    except (FileNotFoundError, ProcessLookupError):
        return None
    processes = [process for process in processes if process.name.isdecimal()]
    tasks = written = 0
    resident: dict[Path, int] = {}
    for process in processes:
        status = _fields(process / "status")
        resident[process] = _sum(status, "RssAnon", "RssShmem", "VmSwap")
        tasks += status.get("Threads", 0)
        written += _fields(process / "io").get("write_bytes", 0)
    memory = sum(resident.values())
    if memory > precise_above:
        memory = 0
        for process in processes:
            shares = _fields(process / "smaps_rollup")
            divided = "Pss_Anon" in shares
            memory += (
                _sum(shares, "Pss_Anon", "Pss_Shmem", "SwapPss") if divided else resident[process]
            )
    return Usage(memory, tasks, written, scratch.f_files - scratch.f_ffree)


def _sum(fields: dict[str, int], *names: str) -> int:
    return 1024 * sum(fields.get(name, 0) for name in names)


def _fields(path: Path) -> dict[str, int]:
    """The numbers in a file of lines `Name: number …`; empty where it cannot be read any more."""
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return {}
    pairs = (line.partition(":") for line in lines)
    return {
        name: int(words[0])
        for name, _, value in pairs
        if (words := value.split()) and words[0].isdecimal()
    }


def walk(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Everything below `folder` as (relative path, its own status); no link is followed, even one
    that takes a folder's place meanwhile.

    Raises:
        TooDeepError: folders are nested deeper than MAX_DEPTH.
        PermissionError: a folder cannot be entered.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        yield from _below(descriptor, "", 0)
    finally:
        os.close(descriptor)


def _below(folder: int, prefix: str, depth: int) -> Iterator[tuple[str, os.stat_result]]:
    if depth > MAX_DEPTH:
        raise TooDeepError(prefix)
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            yield prefix + entry.name, status
            if not stat.S_ISDIR(status.st_mode):
                continue
            try:
                inner = os.open(
                    entry.name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder
                )
            except (FileNotFoundError, NotADirectoryError):
                continue
            try:
                yield from _below(inner, f"{prefix}{entry.name}/", depth + 1)
            finally:
                os.close(inner)


def of_output(folder: Path, limits: Limits) -> tuple[int, str]:
    """Bytes of the files in `folder`, and what is wrong with them ("" where nothing is).

    Looks no further than the first limit that is passed.
    """
    total = count = 0
    try:
        for _, status in walk(folder):
            count += 1
            if stat.S_ISREG(status.st_mode):
                total += max(status.st_size, status.st_blocks * 512)
            if total > limits.disk_bytes:
                return total, f"more than {in_words(limits.disk_bytes)} in /output"
            if count > limits.files:
                return total, f"more than {limits.files:,} files and folders in /output"
    except TooDeepError:
        return total, f"folders in /output nested deeper than {MAX_DEPTH}"
    except PermissionError:
        return total, "a folder in /output that cannot be looked into"
    return total, ""


def host_is_short(folder: Path) -> str:
    """What the host runs out of, memory or the disk of `folder`; "" where it does not."""
    if _fields(Path("/proc/meminfo")).get("MemAvailable", HOST_RESERVE) * 1024 < HOST_RESERVE:
        return "memory"
    disk = os.statvfs(folder)
    return "disk" if disk.f_bavail * disk.f_frsize < HOST_RESERVE else ""


def in_words(size: int) -> str:
    """`size` bytes in words: "256 MiB"."""
    for unit, name in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if size >= unit:
            return f"{size / unit:.4g} {name}"
    return f"{size} bytes"
