"""Exit codes of a command that did not come to its own end; `app` lists all of them."""

from __future__ import annotations

INTERRUPTED = 130
READER_GONE = 141
ENDING = {"SIGHUP": 129, "SIGTERM": 143}
"""Signals that ask for an end, which then is an orderly one; by name, since not every system has
them all."""


class Ended(BaseException):
    """A signal asked for an end: what is half done is cleared away as the stack unwinds."""

    def __init__(self, name: str) -> None:
        super().__init__(f"ended by {name}")
        self.code = ENDING[name]
