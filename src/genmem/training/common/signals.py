"""Ctrl-C and SIGTERM as a flag that a training loop checks after each step."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any


@contextmanager
def stop_signals(on_stop: Callable[[], None] | None = None) -> Iterator[Callable[[], bool]]:
    """A function that says whether SIGINT or SIGTERM was received.

    A second signal of the same kind does what it did before. Each kind counts for itself: a
    launcher of several processes sends SIGTERM after a terminal's Ctrl-C has reached all of them,
    and that must not end a process that is saving.

    Outside the main thread, which receives no signals, the function always returns False.

    Args:
        on_stop: called at the first signal, from its handler.
    """
    received = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield received.is_set
        return
    before: dict[int, Any] = {
        number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)
    }

    def receive(number: int, frame: Any) -> None:
        del frame
        received.set()
        signal.signal(number, before[number])
        if on_stop is not None:
            with suppress(RuntimeError):  # reentrant write to a stream
                on_stop()

    for number in before:
        signal.signal(number, receive)
    try:
        yield received.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
