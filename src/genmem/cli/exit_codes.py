"""Exit codes of `genmem`.

0              done
2              bad input or usage (`InputError`, `UsageError` in `genmem.errors`)
3              weights are missing and cannot be downloaded (`WeightsError`)
130            interrupted (Ctrl-C)
141            the reader of standard output is gone
129, 143       terminated by SIGHUP or SIGTERM
"""

from __future__ import annotations

INTERRUPTED = 130
BROKEN_PIPE = 141
TERMINATION_SIGNALS = {"SIGHUP": 129, "SIGTERM": 143}
"""Exit code by signal. The signals have names because not every system has all of them."""


class Terminated(BaseException):
    """A signal asked the process to terminate; raised so that all clean-up runs.

    A BaseException, like KeyboardInterrupt, so that no `except Exception` intercepts it.
    """

    def __init__(self, signal_name: str) -> None:
        super().__init__(f"terminated by {signal_name}")
        self.code = TERMINATION_SIGNALS[signal_name]
