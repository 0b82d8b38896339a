"""The errors that genmem raises on purpose.

    GenmemError            anything that the user can fix; exit code 2
    ├── InputError         images, features, archives or tables that cannot be used
    ├── UsageError         unknown names, and arguments that contradict each other
    │   └── NotComputedError   `score["mifid"]` of a score without it; also a KeyError
    └── WeightsError       a backbone's weights are missing and cannot be downloaded; exit code 3

Every message says what was expected, what was given, and how to fix it. The command line prints it
and exits with `exit_code`; no layer below the command line prints anything. The arena adds its own
errors below `GenmemError`.
"""


class GenmemError(Exception):
    """Base of all errors that the user can fix."""

    exit_code = 2


class InputError(GenmemError):
    """The data cannot be used: it is unreadable, empty, malformed, or of another kind."""


class UsageError(GenmemError):
    """The call is wrong: an unknown name, or arguments that contradict each other."""


class NotComputedError(UsageError, KeyError):
    """A score has no such metric: it was left out, was not asked for, or does not exist."""

    def __str__(self) -> str:
        return Exception.__str__(self)  # KeyError's quotes the message


class WeightsError(GenmemError):
    """Weights are missing and cannot be downloaded, or do not match their checksum."""

    exit_code = 3


def os_reason(error: OSError) -> str:
    """What the operating system says about an error, without a path or a number."""
    return (error.strerror or str(error)).lower()
