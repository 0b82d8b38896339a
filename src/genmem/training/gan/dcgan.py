"""DCGAN with a spectrally normalised discriminator; it knows no classes.

Radford et al. 2016 (arXiv 1511.06434): transposed convolutions 4 × 4 with batch norm and ReLU,
strided convolutions with leaky ReLU 0.2. Spectral norm in place of the discriminator's batch norm:
Miyato et al. 2018 (arXiv 1802.05957). Departure: orthogonal weights, as in the other models here.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn

from genmem.training.gan.layers import BATCH_NORM_EPS, convolution, linear, transposed


def _widths(size: int, width: int) -> list[int]:
    """Channels from the image's side to 4 × 4: width, 2·width, 4·width, …"""
    return [width * 2**number for number in range(size.bit_length() - 3)]


class DcganGenerator(nn.Module):
    """z → image in [−1, 1]; labels are not looked at."""

    def __init__(self, *, size: int, width: int, z: int) -> None:
        super().__init__()
        widths = _widths(size, width)[::-1]
        self.z = z
        self.linear = linear(z, 16 * widths[0], spectral=False)
        layers: list[nn.Module] = [nn.BatchNorm2d(widths[0], eps=BATCH_NORM_EPS), nn.ReLU()]
        for inputs, outputs in pairwise(widths):
            layers += [
                transposed(inputs, outputs, spectral=False),
                nn.BatchNorm2d(outputs, eps=BATCH_NORM_EPS),
                nn.ReLU(),
            ]
        self.layers = nn.Sequential(*layers, transposed(widths[-1], 3, spectral=False), nn.Tanh())

    def forward(self, z: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """[b, z] → [b, 3, size, size]."""
        del labels
        return self.layers(self.linear(z).unflatten(1, (-1, 4, 4)))


class DcganDiscriminator(nn.Module):
    """Image → one number; labels are not looked at."""

    def __init__(self, *, size: int, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for outputs in _widths(size, width):
            layers += [convolution(channels, outputs, 4, stride=2), nn.LeakyReLU(0.2)]
            channels = outputs
        self.layers = nn.Sequential(*layers)
        self.linear = linear(16 * channels, 1)

    def forward(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """[b, 3, size, size] → [b]."""
        del labels
        return self.linear(self.layers(images).flatten(1))[:, 0]
