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
    # Processes that it had no time to write down are in its session: bubblewrap's second process
    # waits there for ever if its first process died at birth.
    deadline = time.monotonic() + processes.TIMEOUT
    while (left := processes.session_members(supervisor["pid"])) and time.monotonic() < deadline:
        for process in left:
            processes.kill(process)
    if leftovers.get("group"):
        groups.remove(Path(leftovers["group"]))
    if leftovers.get("container"):
        container_engine.remove(leftovers["container"])
