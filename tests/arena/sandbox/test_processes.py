"""Identities of processes."""

import os
import time

from genmem.arena.sandbox import processes


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
