"""Training with less memorization, and models to study memorization with.

common/            what GAN and diffusion training share
rejection/         memorization rejection for any GAN training loop
gan/               GANs with rejection
diffusion/         diffusion models, the optimal denoiser, evaluation of models
sweep/             many trials of a study: locally or on a Ray cluster
rejection_study/   rejection over thresholds, models and seeds
emm/               effective model memorization of diffusion models
"""

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

# `import *` must work without Lightning; import the callback by its name.
__all__ = sorted(  # pyright: ignore[reportUnsupportedDunderAll]
    set(_HOMES) - {"MemorizationRejectionCallback"}
)


def __getattr__(name: str) -> Any:
    """Import a public name at its first use: Lightning only with its callback."""
    if name not in _HOMES:
        raise AttributeError(f"module 'genmem.training' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
