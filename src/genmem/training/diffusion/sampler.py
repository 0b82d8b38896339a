"""EDM's deterministic Heun sampler, for anything with `denoise(x, sigma, labels)`.

"Elucidating the Design Space of Diffusion-Based Generative Models" (Karras et al. 2022, arXiv
2206.00364), algorithm 1 with σ(t) = t, s(t) = 1 and equation 5 for the steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from genmem.errors import InputError, UsageError
from genmem.images import Progress


class Denoiser(Protocol):
    """A model that can be sampled from and evaluated."""

    def denoise(
        self, x: torch.Tensor, sigma: torch.Tensor, labels: torch.Tensor | None, /
    ) -> torch.Tensor:
        """The expected clean image given x = image + σ·noise.

        Args:
            x: float32 [b, C, H, W]; clean images lie in [−1, 1].
            sigma: float32 [b].
            labels: int64 [b], or None.

        Returns:
            Like `x`.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The noise levels of a sampling run; the defaults are the paper's.

    Attributes:
        steps: number of steps; each but the last calls the denoiser twice.
        sigma_max, sigma_min: the first and the last level above 0.
        rho: the larger it is, the more steps small levels get.
    """

    steps: int = 18
    sigma_max: float = 80.0
    sigma_min: float = 0.002
    rho: float = 7.0

    def __post_init__(self) -> None:
        if self.steps < 2 or not 0 < self.sigma_min < self.sigma_max or self.rho <= 0:
            raise UsageError(
                "schedule: expected at least 2 steps, 0 < sigma_min < sigma_max and rho > 0, got "
                f"{self}."
            )

    def sigmas(self) -> NDArray[np.float64]:
        """float64 [steps + 1], falling, the last one 0 (equation 5).

        σᵢ = (σ_max^{1/ρ} + i/(N−1)·(σ_min^{1/ρ} − σ_max^{1/ρ}))^ρ for i < N, σ_N = 0.
        """
        high, low = self.sigma_max ** (1 / self.rho), self.sigma_min ** (1 / self.rho)
        levels = (high + np.arange(self.steps) / (self.steps - 1) * (low - high)) ** self.rho
        return np.append(levels, 0.0)


def heun(
    denoise: Callable[[torch.Tensor, torch.Tensor, torch.Tensor | None], torch.Tensor],
    noise: torch.Tensor,
    labels: torch.Tensor | None = None,
    *,
    schedule: Schedule | None = None,
) -> torch.Tensor:
    """Follow the probability-flow ODE from noise to images (algorithm 1).

    Args:
        denoise: see `Denoiser`.
        noise: standard normal [b, C, H, W], on the denoiser's device.
        labels: int64 [b], or None.
        schedule: the noise levels; None: the paper's.

    Returns:
        float64 [b, C, H, W], images in [−1, 1] or nearly.
    """
    sigmas = (schedule or Schedule()).sigmas().tolist()
    home = torch.device("cpu") if noise.device.type == "mps" else noise.device
    x = noise.to(home, torch.float64) * sigmas[0]

    def slope(x: torch.Tensor, sigma: float) -> torch.Tensor:
        level = torch.full((len(x),), sigma, dtype=torch.float32, device=noise.device)
        clean = denoise(x.to(noise.device, torch.float32), level, labels)
        if clean.shape != x.shape:
            raise InputError(
                f"denoise: expected images of shape {list(x.shape)}, like the input, got "
                f"{list(clean.shape)}."
            )
        return (x - clean.to(home, torch.float64)) / sigma

    with torch.no_grad():
        for here, there in pairwise(sigmas):
            first = slope(x, here)
            ahead = x + (there - here) * first
            if there > 0:
                second = slope(ahead, there)
                ahead = x + (there - here) * (first + second) / 2
            x = ahead
    return x


def quantize(images: torch.Tensor) -> torch.Tensor:
    """Images in [−1, 1] as uint8: ⌊127.5x + 128⌋, clipped to 0 … 255.

    Raises:
        InputError: a pixel is NaN or infinite, since the model has diverged.
    """
    if not bool(images.isfinite().all()):
        raise InputError("samples: got NaN or infinite pixels; the model has diverged.")
    return (127.5 * images + 128).clamp(0, 255).to(torch.uint8)


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How samples are drawn from a model.

    Attributes:
        classes: labels that the model is conditioned on, drawn uniformly; 0: none.
        seed: of noise and labels.
        batch_size: samples at a time; None: 256, or what an evaluation takes for its images. It
            changes nothing but rounding.
        device: where the model is.
        schedule: the noise levels.
        progress: called with the number of samples done.
    """

    classes: int = 0
    seed: int = 0
    batch_size: int | None = None
    device: str | torch.device = "cpu"
    schedule: Schedule = field(default_factory=Schedule)
    progress: Progress | None = None

    def __post_init__(self) -> None:
        if self.batch_size is not None and self.batch_size < 1:
            raise UsageError(f"batch_size: expected at least 1, got {self.batch_size}.")


def sample(
    denoiser: Denoiser, count: int, *, shape: Sequence[int], sampling: Sampling | None = None
) -> NDArray[np.uint8]:
    """Samples, quantized: uint8 [count, C, H, W].

    The noise of sample i, and its label, uniform over the classes, depend on the seed and i alone:
    not on the batch size or the device.

    Args:
        denoiser: anything with `denoise(x, sigma, labels)`.
        count: number of samples.
        shape: [C, H, W] of one image.
        sampling: seed, labels, noise levels and the like; None: the defaults.

    Raises:
        UsageError: `count` is below 1.
    """
    how = sampling or Sampling()
    if count < 1:
        raise UsageError(f"samples: expected at least 1, got {count}.")
    parts, batch = [], how.batch_size or 256
    for start in range(0, count, batch):
        numbers = range(start, min(count, start + batch))
        drawn = list(_noise(how.seed, numbers, shape, how.classes))
        noise = torch.stack([noise for noise, _ in drawn]).to(how.device)
        labels = None
        if how.classes:
            labels = torch.tensor([label for _, label in drawn], device=how.device)
        images = heun(denoiser.denoise, noise, labels, schedule=how.schedule)
        parts.append(quantize(images).cpu().numpy())
        if how.progress:
            how.progress("sampling", start + len(drawn), count)
    return np.concatenate(parts)


def _noise(
    seed: int, numbers: range, shape: Sequence[int], classes: int
) -> Iterator[tuple[torch.Tensor, int]]:
    for number in numbers:
        random = np.random.default_rng([seed, number])
        noise = torch.from_numpy(random.standard_normal(tuple(shape), np.float32))
        yield noise, int(random.integers(classes)) if classes else 0
