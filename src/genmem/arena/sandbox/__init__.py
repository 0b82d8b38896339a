"""Run submitted programs in isolation.

    report = self_check()                      # does isolation hold here? else code is refused
    start(program, limits, record)             # returns at once; the run outlives this process
    status = poll(record)                      # from any process, until status.state == "ended"
    status = stop(record)
    status = wait(record)                      # poll until the end

bubblewrap starts a program in namespaces of its own, without capabilities, under a filter of system
calls. The program sees Python and the system's libraries (`/usr`, read-only), its own files
(`/code`) and its inputs (`/inputs`), and writes to `/scratch` (in memory) and `/output`. It has no
network, no variable of the worker's environment and no device (so no GPU). Each run has a
supervisor process, which stops the program at its limits, collects the regular files of `/output`
and writes the record.

    program.py           programs, limits, outcomes
    launch.py            start, behind the self-check
    running.py           poll, stop, wait
    supervisor.py        the process that watches one run
    runners.py           the interface of a run, and the one in bubblewrap
    container_engine.py  a run in Docker or Podman, for programs that name an image
    bubblewrap.py        the command: what a program sees and may not do
    syscalls.py          the filter of system calls
    groups.py            cgroup v2, where one can be made
    usage.py             what a run uses, measured ten times a second
    collection.py        the files collected from `/output`
    logs.py              the log of a program, limited in size; explains known error messages
    records.py           the record of a run, and the files beside it
    processes.py         identities of processes; killing them for certain
    cleanup.py           removes what a dead supervisor left
    checks.py            the self-check, and probe/, the program it runs

Guaranteed by the kernel, and checked by the self-check: no network, not even the host's own ports;
no file of the host but those named above; no process of the host can be seen, signalled or traced;
no gain of privileges; the sizes of `/scratch` and of single files; all processes of a program end
with the run or with its supervisor; nothing but regular files is collected from `/output`.

Enforced by measuring, so that a program can exceed it for a tenth of a second: the size of
`/output` always; memory and processes only where no cgroup v2 can be made (see
`SandboxReport.limits`). There rlimits allow at most 16 processes more, and each process a quarter
and 64 MiB more than `memory_bytes`. Only a cgroup measures memory that the kernel holds for a
process (full sockets and pipes); elsewhere the run is stopped when the host has less than 256 MiB
left.

Not guaranteed: resistance to a fault in the kernel, which all programs share (for people you do not
trust at all, use separate machines or an engine with virtual machines); secrecy against side
channels (caches, timing, load); hiding the names of mounted host folders, the kernel's version and
the processors; fair shares between runs (disk and memory bandwidth); originality of results, which
a program may copy from its inputs.

If the worker is root, each program runs as a user of its own. Otherwise it runs as the worker's
user, separated by namespaces only, which is as good while the kernel holds. A run outlives a
restart of the worker, unless the restart kills all processes of the service: with systemd, set
`KillMode=process`.
"""

from __future__ import annotations

from genmem.arena.sandbox.checks import self_check, trusted_report
from genmem.arena.sandbox.launch import start
from genmem.arena.sandbox.program import (
    Check,
    EndReason,
    Limits,
    Outcome,
    Program,
    SandboxReport,
    Status,
)
from genmem.arena.sandbox.running import poll, stop, wait

__all__ = [
    "Check",
    "EndReason",
    "Limits",
    "Outcome",
    "Program",
    "SandboxReport",
    "Status",
    "poll",
    "self_check",
    "start",
    "stop",
    "trusted_report",
    "wait",
]
