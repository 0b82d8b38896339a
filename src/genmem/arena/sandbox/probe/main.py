"""The program of the self-check: tries to leave the sandbox from inside.

It runs as submitted code would: with the standard library only, without this package.
"""

import ctypes
import json
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

MEGABYTE = 2**20
NEW_USER_NAMESPACE = 0x10000000

Answer = tuple[str, bool, str]


def fails(action: Callable[[], object]) -> tuple[bool, str]:
    """Whether `action` raises an OSError, and its message."""
    try:
        result = action()
    except OSError as error:
        return True, str(error)
    return False, f"it worked: {result!r:.80}"


def cannot_write(folder: str) -> Answer:
    """Whether nothing can be written to `folder`."""
    held, detail = fails(Path(folder, "probe").touch)
    return f"{folder} cannot be written", held, detail


def can_write(folder: str) -> Answer:
    """Whether files can be written to `folder`."""
    failed, detail = fails(Path(folder, "probe").touch)
    return f"{folder} can be written", not failed, detail if failed else ""


def status() -> dict[str, str]:
    """The kernel's view of this process."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def environment(known: set[str]) -> Answer:
    """Whether the processes have no other environment variables than the sandbox's."""
    seen = set()
    for process in Path("/proc").glob("[0-9]*/environ"):
        words = process.read_bytes().decode(errors="replace").split("\0")
        seen |= {word.partition("=")[0] for word in words if word}
    return "the environment is cleared", seen <= known, " ".join(sorted(seen - known))


def no_namespace() -> Answer:
    """Whether no user namespace can be made."""
    libc = ctypes.CDLL(None, use_errno=True)
    held = libc.unshare(NEW_USER_NAMESPACE) == -1
    return "no namespaces can be made", held, os.strerror(ctypes.get_errno()) if held else ""


def fill(path: str, size: int) -> tuple[bool, str]:
    """Whether `size` bytes cannot be written to `path`."""

    def write() -> str:
        with Path(path).open("wb", buffering=0) as file:
            for _ in range(size // MEGABYTE):
                file.write(bytes(MEGABYTE))
        return f"{size} bytes"

    held = fails(write)
    Path(path).unlink(missing_ok=True)
    return held


def isolation(facts: str) -> list[Answer]:
    """Make all checks that are made from inside; `facts` says what to try, as JSON."""
    known = json.loads(facts)
    folders = {path.name for path in Path("/").iterdir()}
    unknown = folders - set(known["folders"]) if known["folders"] else set()
    own = status()
    capabilities = {own[name] for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb", "CapInh")}
    interfaces = Path("/proc/net/dev").read_text(encoding="utf-8").splitlines()[2:]
    names = sorted(line.partition(":")[0].strip() for line in interfaces)
    processes = [name.name for name in Path("/proc").glob("[0-9]*")]
    return [
        ("private files are out of reach", *fails(Path(known["secret"]).read_text)),
        ("the host's passwords are out of reach", *fails(Path("/etc/shadow").read_text)),
        ("no other folder is there", not unknown, " ".join(sorted(unknown))),
        (
            "the host's own ports are out of reach",
            *fails(lambda: socket.create_connection(("127.0.0.1", known["port"]), timeout=2)),
        ),
        (
            "other machines are out of reach",
            *fails(lambda: socket.create_connection(("192.0.2.1", 80), timeout=2)),
        ),
        ("there is no network device", set(names) <= {"lo"}, " ".join(names)),
        environment(set(known["variables"])),
        ("other processes cannot be seen", len(processes) < 8, f"{len(processes)} seen"),
        ("all capabilities are dropped", capabilities == {"0" * 16}, " ".join(capabilities)),
        ("no privileges can be gained", own["NoNewPrivs"] == "1", own["NoNewPrivs"]),
        ("system calls are filtered", own["Seccomp"] == known["seccomp"], own["Seccomp"]),
        no_namespace(),
        *(cannot_write(folder) for folder in ("/", "/usr", "/etc", "/dev", "/code", "/inputs/in")),
        *(can_write(folder) for folder in ("/output", "/scratch", "/tmp", "/dev/shm")),
        ("/scratch has its size", *fill("/scratch/filled", known["scratch"] + MEGABYTE)),
        ("files have their size", *fill("/output/filled", known["file"] + MEGABYTE)),
    ]


def take_memory(size: str, processes: str) -> None:
    """Allocate `size` bytes in each of `processes` processes, and wait."""
    for _ in range(int(processes) - 1):
        if os.fork() == 0:
            break
    held = b"x" * int(size)
    time.sleep(60)
    del held


def take_processes(count: str) -> None:
    """Start up to `count` processes, and wait."""
    for _ in range(int(count)):
        try:
            if os.fork() == 0:
                break
        except OSError:
            time.sleep(0.01)
    time.sleep(60)


def take_disk(size: str) -> None:
    """Write `size` bytes to many files in `/output`, and wait."""
    for index in range(int(size) // MEGABYTE):
        Path(f"/output/{index}").write_bytes(bytes(MEGABYTE))
    time.sleep(60)


def main(question: str, *arguments: str) -> None:
    """Answer one question; the answers to `isolation` are a file in `/output`."""
    if question == "isolation":
        Path("/output/answers.json").write_text(json.dumps(isolation(*arguments)), encoding="utf-8")
        return
    actions = {"memory": take_memory, "processes": take_processes, "disk": take_disk}
    actions.get(question, time.sleep)(*arguments) if question in actions else time.sleep(60)


if __name__ == "__main__":
    main(*sys.argv[1:])
