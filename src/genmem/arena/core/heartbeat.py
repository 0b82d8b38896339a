"""Heartbeats of this process's tasks, so that a task that hangs is noticed.

with watch("rescore 5"):    in the thread that does the task
beat()                  whenever something was done, however deep in the call

stalled(1800)               in another thread: tasks without a beat for half an hour
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_beats: dict[str, float] = {}
"""When each task last made progress, in seconds of the monotonic clock."""

_thread = threading.local()


@contextmanager
def watch(label: str) -> Iterator[None]:
    """Watch a task of this thread inside a `with` block."""
    _thread.label = label
    beat()
    try:
        yield
    finally:
        _thread.label = None
        _beats.pop(label, None)


def beat() -> None:
    """Record that this thread's task makes progress; without a task nothing happens."""
    label = getattr(_thread, "label", None)
    if label is not None:
        _beats[label] = time.monotonic()


def beat_from_other_threads() -> Callable[[int], None]:
    """A callback that records progress of this thread's task, whatever thread calls it."""
    label = getattr(_thread, "label", None)

    def callback(_: int) -> None:
        if label in _beats:
            _beats[label] = time.monotonic()

    return callback


def stalled(seconds: float) -> list[str]:
    """The tasks of this process without progress for `seconds`."""
    limit = time.monotonic() - seconds
    return [label for label, at in list(_beats.items()) if at < limit]
