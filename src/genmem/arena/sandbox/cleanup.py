"""Remove what a run left behind when its supervisor died."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from genmem.arena.sandbox import container_engine, groups, processes


def clean_up(supervisor: processes.Identity, leftovers: dict[str, Any]) -> None:
    """Kill a lost supervisor, should it hang, and everything that it may have left running.

    Args:
        supervisor: the process named in the record.
        leftovers: what `Runner.leftovers` wrote into the record.
    """
    processes.kill(supervisor)
    for process in leftovers.get("processes", ()):
        processes.kill(process)
    _kill_session(supervisor["pid"])
    if leftovers.get("group"):
        groups.remove(Path(leftovers["group"]))
    if leftovers.get("container"):
        container_engine.remove(leftovers["container"])


def _kill_session(leader: int) -> None:
    """Kill what a dead supervisor had no time to write down: it is in its session.

    bubblewrap's second process waits there for ever if the first dies at birth. If that happens
    while the processes are listed, the list has neither, so only two empty lists in a row count.
    """
    deadline = time.monotonic() + processes.TIMEOUT
    empty_lists = 0
    while empty_lists < 2 and time.monotonic() < deadline:
        members = processes.session_members(leader)
        empty_lists = 0 if members else empty_lists + 1
        for process in members:
            processes.kill(process)
