"""VP, VE and EDM preconditioning with their losses, as EDM's table 1 states them.

    D(x; σ) = c_skip(σ)·x + c_out(σ)·F(c_in(σ)·x; c_noise(σ))
    loss    = E_σ E_n λ(σ)·‖D(y + n; σ) − y‖² ,   n ~ N(0, σ²I)

"Elucidating the Design Space of Diffusion-Based Generative Models" (Karras et al. 2022, arXiv
2206.00364), table 1; F is the network. VP and VE are those of "Score-Based Generative Modeling
through Stochastic Differential Equations" (Song et al. 2021, arXiv 2011.13456) in that form.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import nn

from genmem.training.diffusion.config import Parametrization


class Coefficients(NamedTuple):
    """c_skip, c_out, c_in and c_noise at each σ, all shaped as σ."""

    skip: torch.Tensor
    out: torch.Tensor
    into: torch.Tensor
    noise: torch.Tensor


class Preconditioning(Protocol):
    """How the network is wrapped, which σ it is trained at, and how the errors are weighted."""

    def coefficients(self, sigma: torch.Tensor) -> Coefficients:
        """Of D at σ [b]."""
        ...

    def training_sigmas(self, count: int, random: torch.Generator) -> torch.Tensor:
        """Noise levels to train at, float32 [count], on the CPU."""
        ...

    def weight(self, sigma: torch.Tensor) -> torch.Tensor:
        """λ(σ)."""
        ...


@dataclass(frozen=True, kw_only=True)
class VP:
    """Variance preserving: σ(t) = √(exp(½β_d t² + β_min t) − 1), t ~ U(ε_t, 1), λ = 1/σ².

    Attributes:
        beta_d, beta_min: of the noise's growth.
        epsilon: the smallest t.
        times: M; the network's input is (M − 1)·t.
    """

    beta_d: float = 19.9
    beta_min: float = 0.1
    epsilon: float = 1e-5
    times: int = 1000

    def sigma(self, t: torch.Tensor) -> torch.Tensor:
        """σ(t)."""
        return (self.beta_d * t.square() / 2 + self.beta_min * t).expm1().sqrt()

    def t(self, sigma: torch.Tensor) -> torch.Tensor:
        """σ⁻¹: t = (√(β_min² + 2β_d·ln(1 + σ²)) − β_min)/β_d."""
        growth = self.beta_min**2 + 2 * self.beta_d * sigma.square().log1p()
        return (growth.sqrt() - self.beta_min) / self.beta_d

    def coefficients(self, sigma: torch.Tensor) -> Coefficients:
        """c_skip = 1, c_out = −σ, c_in = 1/√(σ² + 1), c_noise = (M − 1)·σ⁻¹(σ)."""
        into = (sigma.square() + 1).rsqrt()
        return Coefficients(torch.ones_like(sigma), -sigma, into, (self.times - 1) * self.t(sigma))

    def training_sigmas(self, count: int, random: torch.Generator) -> torch.Tensor:
        """σ(t) for t ~ U(ε_t, 1)."""
        return self.sigma(self.epsilon + (1 - self.epsilon) * torch.rand(count, generator=random))

    def weight(self, sigma: torch.Tensor) -> torch.Tensor:
        """λ = 1/σ²: the network's output has the same weight at every σ."""
        return sigma.pow(-2)


@dataclass(frozen=True, kw_only=True)
class VE:
    """Variance exploding: ln σ ~ U(ln σ_min, ln σ_max), λ = 1/σ²."""

    sigma_min: float = 0.02
    sigma_max: float = 100.0

    def coefficients(self, sigma: torch.Tensor) -> Coefficients:
        """c_skip = 1, c_out = σ, c_in = 1, c_noise = ln(½σ)."""
        ones = torch.ones_like(sigma)
        return Coefficients(ones, sigma, ones, (sigma / 2).log())

    def training_sigmas(self, count: int, random: torch.Generator) -> torch.Tensor:
        """Log-uniform."""
        share = torch.rand(count, generator=random)
        return self.sigma_min * (share * math.log(self.sigma_max / self.sigma_min)).exp()

    def weight(self, sigma: torch.Tensor) -> torch.Tensor:
        """λ = 1/σ²."""
        return sigma.pow(-2)


@dataclass(frozen=True, kw_only=True)
class EDM:
    """EDM's own: inputs and targets of unit variance, ln σ ~ N(P_mean, P_std²).

    Attributes:
        sigma_data: standard deviation of the pixels.
        mean, deviation: P_mean and P_std.
    """

    sigma_data: float = 0.5
    mean: float = -1.2
    deviation: float = 1.2

    def coefficients(self, sigma: torch.Tensor) -> Coefficients:
        """The four of table 1.

        c_skip = σ_d²/(σ² + σ_d²), c_out = σσ_d/√(σ² + σ_d²), c_in = 1/√(σ² + σ_d²),
        c_noise = ¼ ln σ.
        """
        total = sigma.square() + self.sigma_data**2
        return Coefficients(
            self.sigma_data**2 / total,
            sigma * self.sigma_data * total.rsqrt(),
            total.rsqrt(),
            sigma.log() / 4,
        )

    def training_sigmas(self, count: int, random: torch.Generator) -> torch.Tensor:
        """Log-normal."""
        return (self.mean + self.deviation * torch.randn(count, generator=random)).exp()

    def weight(self, sigma: torch.Tensor) -> torch.Tensor:
        """λ = (σ² + σ_d²)/(σσ_d)² = 1/c_out²."""
        return (sigma.square() + self.sigma_data**2) / (sigma * self.sigma_data).square()


def preconditioning(name: Parametrization) -> Preconditioning:
    """The preconditioning of a name, with the paper's numbers."""
    preconditionings: dict[str, Preconditioning] = {"vp": VP(), "ve": VE(), "edm": EDM()}
    return preconditionings[name]


class NetworkDenoiser(nn.Module):
    """A network in its preconditioning: D(x; σ). The formulas are taken in float32 at least.

    Attributes:
        network: F(x, noise, labels), [b, C, H, W] → the same shape.
    """

    def __init__(self, network: nn.Module, preconditioned: Preconditioning) -> None:
        super().__init__()
        self.network = network
        self.preconditioned = preconditioned

    def forward(
        self, x: torch.Tensor, sigma: torch.Tensor, labels: torch.Tensor | None = None
    ) -> torch.Tensor:
        """D(x; σ) of x [b, C, H, W] at σ [b]."""
        c = self.preconditioned.coefficients(sigma)
        output = self.network(_per_image(c.into) * x, c.noise, labels)
        return _per_image(c.skip) * x + _per_image(c.out) * output.to(x.dtype)

    @torch.no_grad()
    def denoise(
        self, x: torch.Tensor, sigma: torch.Tensor | float, labels: torch.Tensor | None = None
    ) -> torch.Tensor:
        """`forward` without gradients, for images of any floating dtype; σ is a number or [b]."""
        sigmas = torch.as_tensor(sigma, dtype=torch.float32, device=x.device).expand(len(x))
        return self(x.float(), sigmas, labels).to(x.dtype)


def weighted_loss(
    denoiser: nn.Module,
    preconditioned: Preconditioning,
    clean: torch.Tensor,
    noise: torch.Tensor,
    sigma: torch.Tensor,
    labels: torch.Tensor | None = None,
) -> torch.Tensor:
    """λ(σ)·‖D(y + σn; σ) − y‖², float32 [b].

    Summed over pixels, so that weight decay added to the gradient (Adam's L2) has the strength it
    has in the paper.
    """
    denoised = denoiser(clean + _per_image(sigma) * noise, sigma, labels)
    errors = (denoised - clean).float().square().flatten(1).sum(dim=1)
    return preconditioned.weight(sigma) * errors


def _per_image(values: torch.Tensor) -> torch.Tensor:
    return values[:, None, None, None]
