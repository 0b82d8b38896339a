"""Diffusion models and how many images they memorize ("On Memorization in Diffusion Models").

`OptimalDenoiser` is what their training loss asks for: it can only replay training images.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genmem.training.diffusion.config import TrainingSettings as TrainingSettings
    from genmem.training.diffusion.config import UNetSettings as UNetSettings
    from genmem.training.diffusion.config import ncsnpp as ncsnpp
    from genmem.training.diffusion.evaluation.evaluate import measure_denoiser as measure_denoiser
    from genmem.training.diffusion.evaluation.pretrained import open_model as open_model
    from genmem.training.diffusion.optimal_denoiser import OptimalDenoiser as OptimalDenoiser
    from genmem.training.diffusion.run_folder import load_run as load_run
    from genmem.training.diffusion.run_folder import memorized as memorized
    from genmem.training.diffusion.sampler import Denoiser as Denoiser
    from genmem.training.diffusion.sampler import Schedule as Schedule
    from genmem.training.diffusion.sampler import sample as sample
    from genmem.training.diffusion.train import train as train

_HOMES = {
    "loop": ("train",),
    "optimal": ("OptimalDenoiser",),
    "others": ("measure_denoiser",),
    "others_models": ("open_model",),
    "runs": ("load_run", "memorized"),
    "sampler": ("Denoiser", "Schedule", "sample"),
    "settings": ("TrainingSettings",),
    "unet_settings": ("UNetSettings", "ncsnpp"),
}
_HOME_OF = {name: f"{__name__}.{home}" for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME_OF[name]), name)
