"""How far a denoiser is from the optimal one, by noise level.

    E ‖D(y + σn; σ) − D*(y + σn; σ)‖² / (C·H·W) ,   n ~ N(0, I)

over images y in [−1, 1]. D* is the closed-form optimum of the training loss, which can only replay
training images ("On Memorization in Diffusion Models", Gu et al. 2023, arXiv 2310.02664).
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from genmem.errors import InputError
from genmem.training.common.dataset import TrainingImages
from genmem.training.diffusion.evaluation.results import Curve
from genmem.training.diffusion.optimal_denoiser import OptimalDenoiser
from genmem.training.diffusion.sampler import Denoiser, Sampling

POINTS = 1_000
"""Images of each set at which the distance to the optimal denoiser is taken."""


def distance_to_optimal(
    model: Denoiser,
    optimal: OptimalDenoiser,
    images: TrainingImages,
    *,
    points: int = POINTS,
    sampling: Sampling | None = None,
    stage: str = "distance",
) -> Curve:
    """‖D − D*‖²/(C·H·W) around images, by noise level.

    The images and the noise of each at each level are functions of the seed alone.

    Args:
        model: see `Denoiser`.
        optimal: D* of the training images.
        images: around which the distance is taken; with labels for a conditional model.
        points: how many of them, drawn by the seed.
        sampling: seed, classes, noise levels, batch size, device and progress.
        stage: the name under which progress is reported.
    """
    how = sampling or Sampling()
    seed, device, batch_size = how.seed, how.device, how.batch_size or 256
    sigmas = how.schedule.sigmas()[:-1]
    chosen = np.sort(np.random.default_rng([seed, 3]).permutation(len(images))[:points])
    clean = torch.from_numpy(images.pixels[chosen]).double() / 127.5 - 1
    labels = None
    if how.classes and images.labels is not None:
        labels = torch.from_numpy(images.labels[chosen]).to(device)
    gaps, clean_gaps = np.empty((2, len(sigmas), len(chosen)))
    for level, sigma in enumerate(sigmas.tolist()):
        noise = torch.stack([_noise(clean.shape[1:], seed, level, int(i)) for i in chosen])
        # The model and D* get the same float32 numbers.
        x = (clean + sigma * noise).float().to(device)
        best = optimal.denoise(x.double(), sigma, labels)
        for start in range(0, len(x), batch_size):
            part = slice(start, start + batch_size)
            part_labels = None if labels is None else labels[part]
            output = _denoise(model, x[part], sigma, part_labels)
            gaps[level, part] = _mean_square(output - best[part])
        clean_gaps[level] = _mean_square(clean.to(best.device) - best)
        if how.progress:
            how.progress(stage, (level + 1) * len(x), len(sigmas) * len(x))
    spread = gaps.std(axis=1, ddof=1) if len(chosen) > 1 else np.full(len(sigmas), np.nan)
    return Curve(
        sigmas=sigmas,
        distance=gaps.mean(axis=1),
        standard_error=spread / np.sqrt(len(chosen)),
        clean=clean_gaps.mean(axis=1),
        images=len(chosen),
    )


def _denoise(
    model: Denoiser, x: torch.Tensor, sigma: float, labels: torch.Tensor | None
) -> torch.Tensor:
    """The model's output, float64."""
    with torch.no_grad():
        level = torch.full((len(x),), sigma, dtype=torch.float32, device=x.device)
        output = model.denoise(x, level, labels)
    if output.shape != x.shape:
        raise InputError(
            f"denoise: expected images of shape {list(x.shape)}, like the input, got "
            f"{list(output.shape)}."
        )
    if not bool(output.isfinite().all()):
        raise InputError(
            f"denoise: got NaN or infinite pixels at σ = {sigma:.3g}; the model has diverged."
        )
    return output.double()


def _mean_square(gaps: torch.Tensor) -> NDArray[np.float64]:
    return gaps.double().square().flatten(1).mean(dim=1).cpu().numpy()


def _noise(shape: torch.Size, *numbers: int) -> torch.Tensor:
    random = np.random.default_rng([*numbers, 4])
    return torch.from_numpy(random.standard_normal(tuple(shape)))
