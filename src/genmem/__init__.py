"""genmem measures, ranks and reduces training-sample memorization in generative image models.

This is the one door: every public name is here, imported at first use, so that `import genmem`
is instant and loads neither torch nor a web framework.
"""

from __future__ import annotations

import importlib
from importlib.metadata import version as _version
from typing import TYPE_CHECKING, Any

__version__ = _version("genmem")

if TYPE_CHECKING:
    from genmem.errors import GenmemError, InputError, UsageError, WeightsError
    from genmem.results import InputSummary, Interval, Pair, Result, Score

_HOMES = {
    "GenmemError": "genmem.errors",
    "InputError": "genmem.errors",
    "UsageError": "genmem.errors",
    "WeightsError": "genmem.errors",
    "InputSummary": "genmem.results",
    "Interval": "genmem.results",
    "Pair": "genmem.results",
    "Result": "genmem.results",
    "Score": "genmem.results",
}

__all__ = [
    "GenmemError",
    "InputError",
    "InputSummary",
    "Interval",
    "Pair",
    "Result",
    "Score",
    "UsageError",
    "WeightsError",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module 'genmem' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
