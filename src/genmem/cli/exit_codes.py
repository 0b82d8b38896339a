"""Exit codes of a command that does not complete. `app` lists all exit codes."""

from __future__ import annotations

INTERRUPTED = 130
BROKEN_PIPE = 141
TERMINATION_SIGNALS = {"SIGHUP": 129, "SIGTERM": 143}
"""Exit code by signal. The signals have names because not every system has all of them."""


class Stopped(BaseException):
    """Ends the command with one line on stderr and its own exit code, after all clean-up.

    A BaseException, like KeyboardInterrupt, so that no `except Exception` intercepts it.
    """

    def __init__(self, message: str, code: int = INTERRUPTED) -> None:
        super().__init__(message)
        self.code = code


class Terminated(Stopped):
    """A signal asked the process to terminate."""

    def __init__(self, signal_name: str) -> None:
        super().__init__(f"terminated by {signal_name}", TERMINATION_SIGNALS[signal_name])
