"""Training with less memorization: rejection in any GAN loop, and the models to study it with."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genmem.training.rejection.lightning import (
        MemorizationRejectionCallback as MemorizationRejectionCallback,
    )
    from genmem.training.rejection.rejection import MemorizationRejection as MemorizationRejection
    from genmem.training.rejection.rejection import RejectsEverythingError as RejectsEverythingError
    from genmem.training.rejection.rejection import ramp as ramp

_HOMES = {
    "MemorizationRejection": "genmem.training.rejection.rejection",
    "MemorizationRejectionCallback": "genmem.training.rejection.lightning",
    "RejectsEverythingError": "genmem.training.rejection.rejection",
    "ramp": "genmem.training.rejection.rejection",
}

# `import *` takes what is there without Lightning; the callback is imported by its name.
__all__ = sorted(  # pyright: ignore[reportUnsupportedDunderAll]
    set(_HOMES) - {"MemorizationRejectionCallback"}
)


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: Lightning only with its callback."""
    if name not in _HOMES:
        raise AttributeError(f"module 'genmem.training' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
