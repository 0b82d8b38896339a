"""Layers of the GANs, each from its paper: spectral norm, conditional batch norm, self-attention.

Weights are drawn orthogonal (Saxe et al. 2014, arXiv 1312.6120), as BigGAN's are; biases are 0.
"""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrize

Layer = TypeVar("Layer", bound=nn.Module)

SPECTRAL_EPS = 1e-6
BATCH_NORM_EPS = 1e-4


class SpectralNorm(nn.Module):
    """W / σ(W), σ by power iteration: one step a forward pass in training, none in evaluation.

        v ← Wᵀu / ‖Wᵀu‖,   u ← Wv / ‖Wv‖,   σ = uᵀWv

    Miyato et al. 2018, "Spectral Normalization for Generative Adversarial Networks" (arXiv
    1802.05957), algorithm 1; W is [outputs, everything else]. u and v carry no gradient, σ does.
    Computed in float32 whatever the training's precision is.
    """

    def __init__(self, weight: torch.Tensor, *, eps: float = SPECTRAL_EPS) -> None:
        super().__init__()
        matrix = weight.detach().flatten(1)
        self.eps = eps
        # Starts as every later step ends, from a fixed vector, so that nothing random is in it.
        u = functional.normalize(matrix.sum(dim=1) + matrix[:, 0], dim=0, eps=eps)
        self.register_buffer("u", u)
        self.register_buffer("v", functional.normalize(matrix.T @ u, dim=0, eps=eps))
        self.u: torch.Tensor
        self.v: torch.Tensor
        for _ in range(10):
            self._iterate(matrix)

    @torch.no_grad()
    def _iterate(self, matrix: torch.Tensor) -> None:
        v = functional.normalize(matrix.T @ self.u, dim=0, eps=self.eps)
        # New tensors: an earlier forward pass of the same step may still need the old ones.
        self.v = v
        self.u = functional.normalize(matrix @ v, dim=0, eps=self.eps)

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """The weight divided by its largest singular value, in its own shape."""
        with torch.autocast(weight.device.type, enabled=False):
            matrix = weight.float().flatten(1)
            if self.training:
                self._iterate(matrix)
            sigma = torch.dot(self.u, torch.mv(matrix, self.v))
            return weight / sigma.clamp_min(self.eps)


def _prepared(layer: Layer, *, spectral: bool) -> Layer:
    """`layer` with orthogonal weights, zero bias, and spectral norm where asked for."""
    weight, bias = layer.weight, getattr(layer, "bias", None)
    assert isinstance(weight, torch.Tensor)
    nn.init.orthogonal_(weight)
    if isinstance(bias, torch.Tensor):
        nn.init.zeros_(bias)
    if spectral:
        parametrize.register_parametrization(layer, "weight", SpectralNorm(weight))
    return layer


def linear(inputs: int, outputs: int, *, bias: bool = True, spectral: bool = True) -> nn.Linear:
    """A linear layer, [b, inputs] → [b, outputs]."""
    return _prepared(nn.Linear(inputs, outputs, bias=bias), spectral=spectral)


def embedding(count: int, dimension: int, *, spectral: bool = True) -> nn.Embedding:
    """A table of vectors, int64 [b] → [b, dimension]."""
    return _prepared(nn.Embedding(count, dimension), spectral=spectral)


def convolution(
    inputs: int,
    outputs: int,
    size: int = 3,
    *,
    stride: int = 1,
    bias: bool = True,
    spectral: bool = True,
) -> nn.Conv2d:
    """A convolution, padded so that stride 1 keeps the image's size (for 4 and 2: halves it)."""
    padding = (size - 1) // 2
    layer = nn.Conv2d(inputs, outputs, size, stride=stride, padding=padding, bias=bias)
    return _prepared(layer, spectral=spectral)


def transposed(inputs: int, outputs: int, *, spectral: bool = True) -> nn.ConvTranspose2d:
    """A transposed convolution, 4 × 4 with stride 2, that doubles the image's size."""
    layer = nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1)
    return _prepared(layer, spectral=spectral)


class ConditionalBatchNorm(nn.Module):
    """Batch norm whose gain and bias depend on a condition: x̂ · (1 + gain(c)) + bias(c).

    De Vries et al. 2017 (arXiv 1707.00683); in SAGAN gain and bias are tables by class, in BigGAN
    (Brock et al. 2019, arXiv 1809.11096, appendix B) linear in [class embedding, chunk of z].
    """

    def __init__(self, channels: int, gain: nn.Module, bias: nn.Module) -> None:
        """Take the modules that turn a condition into [b, channels]."""
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, eps=BATCH_NORM_EPS, affine=False)
        self.gain = gain
        self.bias = bias

    def forward(self, x: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        """[b, channels, h, w] and a condition for each image → the same shape."""
        gain = 1 + self.gain(condition)[:, :, None, None]
        return self.norm(x) * gain + self.bias(condition)[:, :, None, None]


def class_batch_norm(channels: int, classes: int) -> ConditionalBatchNorm:
    """SAGAN's: gain and bias looked up by class."""
    return ConditionalBatchNorm(
        channels, embedding(classes, channels), embedding(classes, channels)
    )


def linear_batch_norm(channels: int, condition: int) -> ConditionalBatchNorm:
    """BigGAN's: gain and bias linear in a condition of so many numbers."""
    return ConditionalBatchNorm(
        channels,
        linear(condition, channels, bias=False),
        linear(condition, channels, bias=False),
    )


class SelfAttention(nn.Module):
    """Every place attends to every other: x + γ · o(Σ_j softmax_j(θ_i·φ_j) g_j), γ from 0.

    Zhang et al. 2019, "Self-Attention Generative Adversarial Networks" (arXiv 1805.08318), eqs.
    1–3, with θ, φ of C/8 and g of C/2 channels, and φ and g max-pooled 2 × 2, as its authors' and
    BigGAN's models have them. 1 × 1 convolutions without bias, spectrally normalized.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        small, half = max(1, channels // 8), max(1, channels // 2)
        self.theta = convolution(channels, small, 1, bias=False)
        self.phi = convolution(channels, small, 1, bias=False)
        self.g = convolution(channels, half, 1, bias=False)
        self.o = convolution(half, channels, 1, bias=False)
        self.scale = nn.Parameter(torch.zeros(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[b, C, h, w] → the same shape; h and w even."""
        theta = self.theta(x).flatten(2)  # [b, C/8, hw]
        phi = functional.max_pool2d(self.phi(x), 2).flatten(2)  # [b, C/8, hw/4]
        g = functional.max_pool2d(self.g(x), 2).flatten(2)  # [b, C/2, hw/4]
        attention = torch.softmax(theta.transpose(1, 2) @ phi, dim=2)  # [b, hw, hw/4]
        attended = (g @ attention.transpose(1, 2)).unflatten(2, x.shape[2:])
        return x + self.scale * self.o(attended)
