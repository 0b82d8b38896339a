"""The learning rate of a diffusion training: proportional to the batch, after a linear warm-up."""

from __future__ import annotations

from genmem.training.diffusion.config import DiffusionConfig

REFERENCE_BATCH = 512
"""The batch size that `DiffusionConfig.learning_rate` goes with."""


def learning_rate_at(config: DiffusionConfig, step: int, images: int) -> float:
    """The learning rate of a step.

    Args:
        config: learning rate, batch size and warm-up epochs.
        step: 0, 1, …
        images: in the training set.
    """
    full = config.learning_rate * config.batch_size / REFERENCE_BATCH
    warm_up = config.warm_up_epochs * images / config.batch_size
    return full * min(1.0, (step + 1) / warm_up) if warm_up else full
