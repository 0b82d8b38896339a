"""The few errors genmem raises on purpose.

    GenmemError            anything the person at the keyboard can mend; exit code 2
    ├── InputError         images, features, archives or tables that cannot be used
    ├── UsageError         arguments that contradict each other or name nothing known
    └── WeightsError       a backbone's weights are neither here nor obtainable; exit code 3

Each message says what was expected, what came, and how to fix it. The command line prints the
message and exits with `exit_code`; no layer below it prints anything.
"""


class GenmemError(Exception):
    """Base of all errors a user can mend."""

    exit_code = 2


class InputError(GenmemError):
    """The given data cannot be used: unreadable, empty, malformed, or not what it claims to be."""


class UsageError(GenmemError):
    """The call itself is wrong: an unknown name, or arguments that do not go together."""


class WeightsError(GenmemError):
    """Weights are missing and cannot be obtained, or do not match their checksum."""

    exit_code = 3
