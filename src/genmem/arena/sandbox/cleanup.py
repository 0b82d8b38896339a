"""Remove what runs left behind."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from genmem.arena.sandbox import groups, records
from genmem.arena.sandbox.runners import _PATIENCE, _end


def clear_away(supervisor: records.Identity, leftovers: dict[str, Any]) -> None:
    """End a lost supervisor, should it hang, and what it may have left running."""
    _end(supervisor)
    for who in leftovers.get("processes", ()):
        _end(who)
    # Those it had no time to write down are in its session: bubblewrap's second process, should it
    # have lost its first at birth, waits there for ever.
    until = time.monotonic() + _PATIENCE
    while (found := records.session(supervisor["pid"])) and time.monotonic() < until:
        for who in found:
            _end(who)
    if leftovers.get("group"):
        groups.remove(Path(leftovers["group"]))
    if leftovers.get("container"):
        from genmem.arena.sandbox import engine

        engine.remove(leftovers["container"])
