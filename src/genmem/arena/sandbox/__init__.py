"""Foreign programs, run where they can harm and learn nothing.

    report = self_check()                      # does isolation hold here? else code is refused
    handle = start(program, limits, record)    # returns at once; the run outlives this process
    status = poll(record)                      # from any process, until status.state == "ended"
    status = stop(record)
    outcome = run(program, limits)             # start and wait

A program is started by bubblewrap in namespaces of its own, without capabilities, under a filter
of system calls. It sees Python and the system's libraries (`/usr`, read-only), its own files
(`/code`), what it is given (`/inputs`), and writes to `/scratch` (in memory) and `/output`. It has
no network, no variable of the worker's environment and no device (so no GPU). A supervisor, one
process for each run, stops it at the limits, collects the regular files of `/output` and keeps the
record.

    program.py      what is run, within which limits, what came of it
    running.py      start, poll, stop, wait, run
    supervisor.py   the process that watches one run
    runners.py      bubblewrap or a container engine, behind the same functions
    bubblewrap.py   the command: what a program sees and may not do
    syscalls.py     the filter of system calls
    groups.py       cgroup v2, where one can be made
    usage.py        what a run takes, looked at ten times a second
    collection.py   the files taken from `/output`
    logs.py         what a program prints, bounded; what known complaints mean
    records.py      the record of a run, and who keeps it
    engine.py       Docker or Podman, where a program names an image
    checks.py       the self-check, and probe/, the program it runs

What is guaranteed (by the kernel, and asked by the self-check): no network, not even the host's
own ports; no file of the host but those named above; no process of the host to be seen, signalled
or traced; no gain of privileges; sizes of `/scratch` and of single files; the end of all its
processes with the run, or with its supervisor; nothing taken from `/output` but regular files.

What is kept by measuring, and can be passed for the tenth of a second between two looks: the size
of `/output` always; memory and processes only where no cgroup v2 can be made (see
`SandboxReport.limits`), and there not beyond rlimits: 16 processes more, and for each of them a
quarter and 64 MiB more than `memory_bytes`. Memory that the kernel holds for a process (full
sockets and pipes) is measured only by a cgroup; elsewhere the run is stopped when the host has less
than 256 MiB left.

What is not guaranteed: holding out against a fault in the kernel, which all programs share (use
machines of their own for people you do not trust at all, or an engine with a virtual machine);
secrecy against side channels (caches, timing, load); that a program cannot see the names of the
host's folders that are mounted, the kernel's version and the processors; fair shares between runs
(disk and memory bandwidth); results, which a program may fetch from anything in its inputs.

Where the worker is root, each program becomes a user of its own; where not, it is the worker's user
on the host, kept away by namespaces only, which is as good while the kernel holds. A run outlives
the restart of the worker, unless what restarts it kills all processes of the service: with systemd
write `KillMode=process`.
"""

from __future__ import annotations

from genmem.arena.sandbox.checks import self_check, trusted_report
from genmem.arena.sandbox.program import (
    Check,
    Ended,
    Limits,
    Outcome,
    Program,
    SandboxReport,
    Status,
)
from genmem.arena.sandbox.running import Handle, poll, run, start, stop, wait

__all__ = [
    "Check",
    "Ended",
    "Handle",
    "Limits",
    "Outcome",
    "Program",
    "SandboxReport",
    "Status",
    "poll",
    "run",
    "self_check",
    "start",
    "stop",
    "trusted_report",
    "wait",
]
