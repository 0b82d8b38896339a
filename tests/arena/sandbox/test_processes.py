"""Identities of processes."""

import os
import signal
import time

import pytest

from genmem.arena.sandbox import cleanup, processes


def test_a_zombie_is_not_alive() -> None:
    child = os.fork()
    if child == 0:
        time.sleep(0.1)
        os._exit(0)
    process = processes.identity(child)
    assert process is not None
    assert processes.is_alive(process)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    assert not processes.is_alive(process)
    os.waitpid(child, 0)
    assert not processes.is_alive(process)


def session_with_a_parent(release: int, pids: int) -> int:
    """Start a session whose leader ends at once; its other process has a child when released.

    That process then writes the child's number to `pids` and ends; the child sleeps.
    """
    leader = os.fork()
    if leader == 0:
        os.setsid()
        if os.fork() == 0:
            os.read(release, 1)
            child = os.fork()
            if child == 0:
                time.sleep(600)
            os.write(pids, b"%d\n" % child)
            os._exit(0)
        os._exit(0)
    os.waitpid(leader, 0)
    return leader


def test_clean_up_finds_a_child_whose_parent_ends_while_processes_are_listed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (waits, release), (pids, writes) = os.pipe(), os.pipe()
    leader = session_with_a_parent(waits, writes)
    supervisor = {"pid": leader, "started": 0} | processes._here()
    (parent,) = processes.session_members(leader)
    born: list[int] = []
    stat = processes._stat

    def stat_after_birth(pid: int) -> list[str] | None:
        if pid == parent["pid"] and not born:
            os.write(release, b"x")
            born.append(int(os.read(pids, 16)))
            while processes._start_ticks(pid):
                time.sleep(0.01)
        return stat(pid)

    monkeypatch.setattr(processes, "_stat", stat_after_birth)
    cleanup.clean_up(supervisor, {})
    child = processes.identity(born[0])
    if child:
        os.kill(born[0], signal.SIGKILL)
    assert child is None
