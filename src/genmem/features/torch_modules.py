"""torch modules around the backbones' networks: they take preprocessed images, values 0–255.

Scaling to the network's range is part of each module, so that it is exported with the network, and
reader threads pass uint8 wherever the preprocessing rounds to 8 bits.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import nn

from genmem.errors import InputError


class Normalized(nn.Module):
    """A network that scales its input first: (x/255 − mean) / std per channel.

    Takes [b, h, w, 3] uint8 or float32, values 0–255; gives what `network` gives, float32 [b, d].
    """

    def __init__(
        self, network: nn.Module, *, mean: tuple[float, ...], std: tuple[float, ...]
    ) -> None:
        super().__init__()
        self.network = network
        scale = 1.0 / (255.0 * torch.tensor(std, dtype=torch.float64))
        shift = -torch.tensor(mean, dtype=torch.float64) / torch.tensor(std, dtype=torch.float64)
        self.register_buffer("scale", scale.float().view(1, 3, 1, 1), persistent=False)
        self.register_buffer("shift", shift.float().view(1, 3, 1, 1), persistent=False)
        self.scale: torch.Tensor
        self.shift: torch.Tensor

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """[b, h, w, 3] → features [b, d]."""
        values = images.permute(0, 3, 1, 2).float()
        return self.network(values * self.scale + self.shift)


class TorchBackbone(nn.Module):
    """A backbone for training loops: preprocessing on the batch's device, then the network.

    Takes uint8 RGB [b, 3, H, W], all of one size; gives features float32 [b, d]. Weights are
    frozen and the module is in evaluation mode.
    """

    def __init__(self, preprocess, network: nn.Module | None) -> None:
        super().__init__()
        self.preprocess = preprocess
        self.network = network

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """uint8 [b, 3, H, W] → features float32 [b, d].

        Raises:
            InputError: other images; values from 0 to 1 would look black, and none would notice.
        """
        if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != 3:
            raise InputError(
                f"images: expected uint8 RGB [b, 3, H, W], got {images.dtype} "
                f"{list(images.shape)}. Scale to 0 … 255, round, and convert with "
                ".to(torch.uint8)."
            )
        prepared = self.preprocess(images)
        if self.network is None:
            return prepared.flatten(1).float()
        output = self.network(prepared)
        return output[0] if isinstance(output, tuple) else output


class ChannelsFirst(nn.Module):
    """Passes [b, h, w, 3] to a custom network that takes [b, 3, h, w]."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """[b, h, w, 3] → the network's first output."""
        output = self.network(images.permute(0, 3, 1, 2).contiguous())
        return output[0] if isinstance(output, tuple | list) else output


class ExportedNetwork(nn.Module):
    """A program of `torch.export`, which has no modes and may take batches of one size only.

    Attributes:
        batch: images per call that the program takes; None for any number.
    """

    def __init__(self, program: nn.Module, batch: int | None) -> None:
        super().__init__()
        self.program, self.batch = program, batch

    def train(self, mode: bool = True) -> ExportedNetwork:
        """Nothing: the program is what it was when it was exported."""
        return self

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """[b, 3, h, w] → the program's first output."""
        if self.batch is None:
            return self._first(images)
        parts = []
        for images_part in images.split(self.batch):
            missing = self.batch - len(images_part)
            padding = images_part[-1:].expand(missing, *images.shape[1:])
            rows = self._first(torch.cat([images_part, padding]))
            parts.append(rows[: len(images_part)])
        return torch.cat(parts)

    def _first(self, images: torch.Tensor) -> torch.Tensor:
        output = self.program(images)
        return output[0] if isinstance(output, tuple | list) else output


def remove_classifier(network: nn.Module) -> nn.Module:
    """Remove a timm network's classifier, so that it gives features."""
    cast(Any, network).reset_classifier(0)
    return network


def freeze(network: nn.Module) -> nn.Module:
    """Put a network into evaluation mode, without gradients of its parameters."""
    return network.eval().requires_grad_(False)
