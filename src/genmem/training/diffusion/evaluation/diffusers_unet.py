"""A diffusers U-Net in its DDPM parametrization as a denoiser D(x; σ).

A DDPM knows the noisy image as z_t = √ᾱ_t·y + √(1 − ᾱ_t)·ε ("Denoising Diffusion Probabilistic
Models", Ho et al. 2020, arXiv 2006.11239, equation 4). Divided by √ᾱ_t it is x = y + σ_t·ε with

    σ_t = √((1 − ᾱ_t)/ᾱ_t) ,   so   z_t = x/√(1 + σ²) ,   √ᾱ_t = 1/√(1 + σ²) .

With F the network's output for (z_t, t), by what it predicts:

    epsilon        D = x − σ·F
    sample         D = F
    v_prediction   D = x/(1 + σ²) − σ/√(1 + σ²)·F     (v = √ᾱ·ε − √(1 − ᾱ)·y, "Progressive
                   Distillation", Salimans and Ho 2022, arXiv 2202.00512)

Between the whole steps of training, t is interpolated in ln σ; a network that looks its steps up
in a table gets the nearest one. Clipping, which pipelines do between the steps of sampling, is no
part of D.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from genmem.errors import InputError
from genmem.training.diffusion.sampler import Schedule

PREDICTIONS = ("epsilon", "sample", "v_prediction")


class PipelineDenoiser:
    """`denoise(x, sigma, labels)` by a diffusers `UNet2DModel` and its scheduler.

    Attributes:
        classes: labels that it is conditioned on; 0: none.
        shape: [C, H, W] of one image; H and W are None where the network takes any side.
        sigmas: float64 [T], σ_t, rising.
        prediction: what the network predicts, one of `PREDICTIONS`.
    """

    def __init__(self, unet: Any, scheduler: Any) -> None:
        """Take a network, which is set to evaluation mode, and its schedule.

        Args:
            unet: a diffusers `UNet2DModel`.
            scheduler: any diffusers scheduler with `betas` (ᾱ_t = Π (1 − β)) and a
                `prediction_type`.

        Raises:
            InputError: the network or the schedule is not supported.
        """
        self.prediction = str(scheduler.config.get("prediction_type", "epsilon"))
        if self.prediction not in PREDICTIONS:
            raise InputError(
                f"scheduler: expected a network that predicts {', '.join(PREDICTIONS)}, got one "
                f"that predicts {self.prediction!r}."
            )
        self.sigmas = _sigmas(scheduler)
        self._log_sigmas = torch.from_numpy(np.log(self.sigmas))
        self._unet = unet.eval().requires_grad_(False)
        config = unet.config
        self.classes = _classes(config)
        self.shape = _shape(config)
        self._lookup = config.time_embedding_type == "learned"
        if config.time_embedding_type not in ("positional", "learned"):
            raise InputError(
                f"unet: expected a network with DDPM's time embedding, got "
                f"{config.time_embedding_type!r} time embedding. "
                "Wrap it in a class of your own with denoise(x, sigma, labels), for "
                "evaluate_denoiser in Python."
            )

    def schedule(self) -> Schedule:
        """The paper's 18 noise levels, limited to those of the network, [σ_1, σ_T]."""
        usual = Schedule()
        return Schedule(
            sigma_max=min(usual.sigma_max, float(self.sigmas[-1])),
            sigma_min=max(usual.sigma_min, float(self.sigmas[0])),
        )

    @torch.no_grad()
    def denoise(
        self, x: torch.Tensor, sigma: torch.Tensor | float, labels: torch.Tensor | None = None
    ) -> torch.Tensor:
        """D(x; σ).

        Args:
            x: floating point [b, C, H, W], clean images in [−1, 1] plus noise.
            sigma: one number, or [b].
            labels: int64 [b] for a network with classes, else None.

        Returns:
            Like `x`.

        Raises:
            InputError: labels are missing, or given to a network without classes.
        """
        if (labels is None) != (not self.classes):
            raise InputError(
                f"unet: it is conditioned on {self.classes:,} classes; labels are missing."
                if labels is None
                else "unet: it has no classes, but labels were given."
            )
        sigmas = torch.as_tensor(sigma, dtype=torch.float64, device=x.device).expand(len(x))
        scale = (1 + sigmas.square()).rsqrt()
        into = (_per_image(scale) * x).to(torch.float32)
        condition = {} if labels is None else {"class_labels": labels}
        output = self._unet(into, self.steps(sigmas), return_dict=False, **condition)[0]
        # A network that also predicts variances has twice the channels; these come last.
        output = output[:, : x.shape[1]].double()
        if self.prediction == "sample":
            return output.to(x.dtype)
        if self.prediction == "epsilon":
            return (x - _per_image(sigmas) * output).to(x.dtype)
        image_part, noise_part = _per_image(scale.square()), _per_image(sigmas * scale)
        return (image_part * x - noise_part * output).to(x.dtype)

    def steps(self, sigmas: torch.Tensor) -> torch.Tensor:
        """t for σ [b]: between whole steps by ln σ, at most the last and at least the first."""
        known = self._log_sigmas.to(sigmas.device)
        logs = sigmas.double().log().clamp(known[0], known[-1])
        above = torch.searchsorted(known, logs).clamp(1, len(known) - 1)
        low, high = known[above - 1], known[above]
        steps = above - 1 + (logs - low) / (high - low)
        return steps.round().long() if self._lookup else steps.float()


def _sigmas(scheduler: Any) -> NDArray[np.float64]:
    """σ_t, rising; steps at which nothing of the image is left (ᾱ = 0) are no noise levels."""
    betas = np.asarray(scheduler.betas, dtype=np.float64)
    known = ((betas > 0) & (betas <= 1)).all()
    left = np.cumprod(1 - betas)
    left = left[: int((left > 0).sum())] if known else left[:0]
    sigmas = np.sqrt((1 - left) / left)
    if len(sigmas) < 2 or not (np.diff(sigmas) > 0).all() or sigmas[0] <= 0:
        raise InputError(
            "scheduler: expected the schedule of a DDPM: ᾱ_t between 0 and 1, falling in t."
        )
    return sigmas


def _classes(config: Any) -> int:
    kind, count = config.class_embed_type, config.num_class_embeds
    if kind is not None:
        raise InputError(
            f"unet: expected a network without classes, or with a table of them; got class "
            f"embedding {kind!r}, whose labels are not known."
        )
    return int(count or 0)


def _shape(config: Any) -> tuple[int, int | None, int | None]:
    """[C, H, W].

    Raises:
        InputError: images that are not square, neither of one channel nor of three, or not what
            the network gives back.
    """
    channels, outputs, side = config.in_channels, config.out_channels, config.sample_size
    height, width = side if isinstance(side, list | tuple) else (side, side)
    if height != width:
        raise InputError(
            f"unet: expected a network for square images, got {width} × {height} (width × height)."
        )
    if channels not in (1, 3) or outputs not in (channels, 2 * channels):
        raise InputError(
            f"unet: expected a network from pixels to pixels, 1 or 3 channels, got {channels} "
            f"channels in and {outputs} out. Latents and conditioning images are not "
            "supported."
        )
    return channels, height, width


def _per_image(values: torch.Tensor) -> torch.Tensor:
    return values[:, None, None, None]
