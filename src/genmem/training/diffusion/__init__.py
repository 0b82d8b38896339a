"""Diffusion models and how many images they memorize ("On Memorization in Diffusion Models").

config.py             `DiffusionConfig` and `UNetConfig`: all settings of a training
labels.py             labels to condition on: none, true, random, unique
learning_rate.py      learning rate by step: batch size and warm-up
train.py              `train`: a training from its configuration to its last step
trainer.py            `DiffusionTrainer`: model, average and optimizer, one step of all
run_folder.py         files of a run; a trained model read back; its memorization ratio
networks.py           the U-Net of DDPM++ and NCSN++
layers.py             residual blocks, self-attention, resampling
preconditioning.py    VP, VE and EDM, and their losses
sampler.py            EDM's Heun sampler
optimal_denoiser.py   the minimum of the training loss: it can only replay training images
streaming_softmax.py  its softmax-weighted means, in blocks of training images
evaluation/           what a model copies, and how far it is from the optimal denoiser
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genmem.training.diffusion.config import DiffusionConfig as DiffusionConfig
    from genmem.training.diffusion.config import UNetConfig as UNetConfig
    from genmem.training.diffusion.config import ncsnpp as ncsnpp
    from genmem.training.diffusion.evaluation.evaluate import evaluate_denoiser as evaluate_denoiser
    from genmem.training.diffusion.evaluation.pretrained import open_model as open_model
    from genmem.training.diffusion.optimal_denoiser import OptimalDenoiser as OptimalDenoiser
    from genmem.training.diffusion.run_folder import load_run as load_run
    from genmem.training.diffusion.run_folder import measure_memorization as measure_memorization
    from genmem.training.diffusion.sampler import Denoiser as Denoiser
    from genmem.training.diffusion.sampler import Sampling as Sampling
    from genmem.training.diffusion.sampler import Schedule as Schedule
    from genmem.training.diffusion.sampler import sample as sample
    from genmem.training.diffusion.train import train as train

_HOMES = {
    "Denoiser": "sampler",
    "OptimalDenoiser": "optimal_denoiser",
    "Sampling": "sampler",
    "Schedule": "sampler",
    "DiffusionConfig": "config",
    "UNetConfig": "config",
    "load_run": "run_folder",
    "evaluate_denoiser": "evaluation.evaluate",
    "measure_memorization": "run_folder",
    "ncsnpp": "config",
    "open_model": "evaluation.pretrained",
    "sample": "sampler",
    "train": "train",
}

__all__ = sorted(_HOMES)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
