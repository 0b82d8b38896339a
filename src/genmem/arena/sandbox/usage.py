"""What a run uses: memory and processes, files, and what is left on the host."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from genmem.arena.sandbox.program import Limits

MAX_DEPTH = 16
"""Levels of folders allowed below `/output`."""

HOST_RESERVE = 2**28
"""Bytes of memory and of disk reserved for the host, whatever the limits: 256 MiB."""

REWRITES = 4
"""A program may write this multiple of its disk limit in total (plus 256 MiB). Only this limit
covers files that are removed again, or moved while they are counted."""


@dataclass(frozen=True)
class Usage:
    """One measurement of a run.

    Attributes:
        memory: bytes.
        tasks: processes and threads.
        written: bytes written to disk so far.
        scratch_files: files in `/scratch`.
    """

    memory: int
    tasks: int
    written: int = 0
    scratch_files: int = 0


class TooDeepError(Exception):
    """Folders are nested deeper than MAX_DEPTH."""


def of_processes(init: int, output: Path, *, precise_above: int) -> Usage | None:
    """Measure the processes of a sandbox.

    They are read from the sandbox's own `/proc`, which lists all of them and no others. Memory
    counts pages that cannot be dropped: anonymous, shared and swapped ones, but no pages of files
    such as a memory-mapped training set.

    Args:
        init: process id of the sandbox's first process.
        output: folder of the host that becomes `/output`.
        precise_above: bytes. Shared pages count once for each process; only if the sum exceeds
            this value are they divided among processes, which takes longer.

    Returns:
        None if `init` is gone, or still has the host's root instead of the sandbox's.
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
            is_divided = "Pss_Anon" in shares
            memory += (
                _sum(shares, "Pss_Anon", "Pss_Shmem", "SwapPss")
                if is_divided
                else resident[process]
            )
    return Usage(memory, tasks, written, scratch.f_files - scratch.f_ffree)


def _sum(fields: dict[str, int], *names: str) -> int:
    return 1024 * sum(fields.get(name, 0) for name in names)


def _fields(path: Path) -> dict[str, int]:
    """The numbers in a file of lines `Name: number …`; empty if it cannot be read any more."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    pairs = (line.partition(":") for line in lines)
    return {
        name: int(words[0])
        for name, _, value in pairs
        if (words := value.split()) and words[0].isdecimal()
    }


def walk(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yield everything below `folder` as (relative path, status), without following links.

    A link that replaces a folder during the walk is not followed either.

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
    """Measure an output folder, up to the first limit that it exceeds.

    Args:
        folder: the folder that is `/output` in the sandbox.
        limits: of the run.

    Returns:
        Bytes of its files, and what is wrong with them ("" if nothing is).
    """
    total = count = 0
    try:
        for _, status in walk(folder):
            count += 1
            if stat.S_ISREG(status.st_mode):
                total += max(status.st_size, status.st_blocks * 512)
            if total > limits.disk_bytes:
                return total, f"more than {format_size(limits.disk_bytes)} in /output"
            if count > limits.files:
                return total, f"more than {limits.files:,} files and folders in /output"
    except TooDeepError:
        return total, f"folders in /output nested deeper than {MAX_DEPTH}"
    except PermissionError:
        return total, "a folder in /output that cannot be read"
    return total, ""


def host_shortage(folder: Path) -> str:
    """What the host is short of: "memory", "disk" (of `folder`) or ""."""
    if _fields(Path("/proc/meminfo")).get("MemAvailable", HOST_RESERVE) * 1024 < HOST_RESERVE:
        return "memory"
    disk = os.statvfs(folder)
    return "disk" if disk.f_bavail * disk.f_frsize < HOST_RESERVE else ""


def format_size(size: int) -> str:
    """A number of bytes with its unit: "256 MiB"."""
    for unit, name in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if size >= unit:
            return f"{size / unit:.4g} {name}"
    return f"{size} bytes"
