"""What a U-Net of DDPM++ or NCSN++ is made of (see `unet` for the papers)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from genmem.errors import UsageError
from genmem.training.diffusion.layers import Resampling
from genmem.training.kinds import check_kinds

DEFAULT_ATTENTION = (16,)


@dataclass(frozen=True, kw_only=True)
class UNetSettings:
    """What the network is made of; the defaults are DDPM++ as the memorization paper trains it.

    Attributes:
        image_size: height and width, divisible by 2 once for every multiplier but the first.
        image_channels: of the images.
        channels: the width; every level has a multiple of it.
        multipliers: one a resolution, the highest first.
        blocks: residual blocks a resolution, in the encoder; the decoder has one more.
        attention: resolutions with self-attention, where there are such; see `check_attention`.
        dropout: in every block.
        time_embedding: how the noise level is told.
        resampling: by means and repetition, or filtered.
        progressive_input: feed the image in at every resolution.
        classes: labels the network is told; 0: none. Unique labels are one class an image.
        without_skips: skip connections whose tensor is zeroed where the decoder takes it: "32"
            for all at 32 × 32, "32.1" for the second there.
    """

    image_size: int = 32
    image_channels: int = 3
    channels: int = 128
    multipliers: tuple[int, ...] = (2, 2, 2)
    blocks: int = 2
    attention: tuple[int, ...] = DEFAULT_ATTENTION
    dropout: float = 0.13
    time_embedding: Literal["positional", "fourier"] = "positional"
    resampling: Resampling = "box"
    progressive_input: bool = False
    classes: int = 0
    without_skips: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_kinds(self)
        halvings = len(self.multipliers) - 1
        if halvings < 0 or min(self.multipliers, default=1) < 1 or self.blocks < 1:
            raise UsageError(
                "network: expected at least one resolution, one block, multipliers ≥ 1"
            )
        if self.channels < 4 or self.channels % 4:
            raise UsageError(f"network: expected a multiple of 4 channels, got {self.channels}.")
        if self.image_channels < 1:
            raise UsageError(
                f"network: expected images of at least 1 channel, got {self.image_channels}."
            )
        if self.image_size < 1 or self.image_size % 2**halvings or not self.resolutions[-1]:
            raise UsageError(
                f"network: {halvings + 1} resolutions need images whose side is a multiple of "
                f"{2**halvings}, got {self.image_size}. Give fewer multipliers or another size."
            )
        if not 0 <= self.dropout < 1:
            raise UsageError(f"network: expected dropout in [0, 1), got {self.dropout}.")
        if self.classes < 0:
            raise UsageError(f"network: expected 0 or more classes, got {self.classes}.")
        known = {name for names in self.skips.values() for name in names}
        known |= {str(side) for side in self.skips}
        unknown = [name for name in self.without_skips if name not in known]
        if unknown:
            raise UsageError(
                f"network: no skip connection {unknown[0]!r}; there are {', '.join(sorted(known))}."
            )

    def check_attention(self) -> None:
        """Raise UsageError where attention is asked for at a resolution that there is not."""
        for side in self.attention:
            if side not in self.resolutions:
                raise UsageError(
                    f"attention: expected some of {', '.join(map(str, self.resolutions))}, the "
                    f"sides of the network's feature maps, or none; got {side}."
                )

    @property
    def resolutions(self) -> tuple[int, ...]:
        """The sides of the feature maps, the highest first."""
        return tuple(self.image_size >> level for level in range(len(self.multipliers)))

    @property
    def skips(self) -> dict[int, tuple[str, ...]]:
        """Names of the skip connections at each resolution, as the encoder makes them."""
        return {
            side: tuple(f"{side}.{number}" for number in range(self.blocks + 1))
            for side in self.resolutions
        }

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """[C, H, W] of one image."""
        return self.image_channels, self.image_size, self.image_size


def ncsnpp(settings: UNetSettings) -> UNetSettings:
    """The same network in NCSN++'s manner."""
    return replace(settings, time_embedding="fourier", resampling="fir", progressive_input=True)
