"""Ctrl-C and SIGTERM as a question that a training loop asks after each step."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

STOPPED = 130
"""Exit code of a process that was asked to stop, and has saved."""


@contextmanager
def asked_to_stop(told: Callable[[], None] | None = None) -> Iterator[Callable[[], bool]]:
    """Whether SIGINT or SIGTERM came; the same one once more does what it did before.

    Each is counted for itself: a launcher of several processes sends SIGTERM after a terminal's
    Ctrl-C has come to all of them, and that must not end what is saving.

    Outside the main thread, where signals do not arrive, the answer is always no.

    Args:
        told: called at the first signal, from its handler: to say that it was heard.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return
    before: dict[int, Any] = {
        number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)
    }

    def ask(number: int, frame: Any) -> None:
        del frame
        asked.set()
        signal.signal(number, before[number])
        if told is not None:
            with suppress(RuntimeError):  # into a stream that was being written to just then
                told()

    for number in before:
        signal.signal(number, ask)
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
