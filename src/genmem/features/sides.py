"""`NAME@SIDE`: a backbone at another input size, such as `pixels@64` or `efficientnet-lite0@32`."""

from __future__ import annotations

from dataclasses import replace

from genmem.errors import UsageError
from genmem.features import pixels
from genmem.features.backbone import Backbone
from genmem.features.preprocessing import Crop, Stretch
from genmem.features.timm_models import TimmNetwork

SMALLEST_SIDE, LARGEST_SIDE = 32, 4_096
"""Below this side no network's features are worth their name; above, no memory holds a batch."""


def backbone_at_side(backbone: Backbone, text: str) -> Backbone:
    """The backbone at an input of SIDE × SIDE pixels, named NAME@SIDE.

    `pixels` stretches images to that size. A network sees what it saw at its own size, enlarged or
    reduced; the cost of a convolutional network falls with the square of the side, and what its
    features still tell apart must be measured (`docs/rejection.md`).

    Args:
        backbone: `pixels`, or a convolutional network.
        text: the side in pixels, as digits.

    Raises:
        UsageError: no side, or one at which the backbone cannot run.
    """
    name = f"{backbone.name}@{text}"
    if backbone.name.rpartition("@")[2].isdecimal() and "@" in backbone.name:
        raise UsageError(f"backbone {name!r}: expected NAME@SIDE, with one side.")
    is_pixels = backbone is pixels.BACKBONE
    smallest, largest = (
        (pixels.SMALLEST_SIDE, pixels.LARGEST_SIDE) if is_pixels else (SMALLEST_SIDE, LARGEST_SIDE)
    )
    side = int(text) if text.isdecimal() and text.isascii() and len(text) < 9 else 0
    if not smallest <= side <= largest:
        raise UsageError(
            f"backbone {name!r}: expected NAME@SIDE with a side of at least {smallest} and at most "
            f"{largest:,}."
        )
    if is_pixels:
        return pixels.stretched(side)
    preprocessing = backbone.preprocessing
    network = backbone.network
    if isinstance(network, TimmNetwork) and network.model.startswith("vit_"):
        raise UsageError(
            f"backbone {name!r}: {backbone.name} takes images of one size; leave @{side} out."
        )
    if isinstance(preprocessing, Crop):
        resize = preprocessing.resize and round(side * preprocessing.resize / preprocessing.size)
        other: Crop | Stretch = replace(preprocessing, size=side, resize=resize)
    elif isinstance(preprocessing, Stretch):
        other = replace(preprocessing, size=side)
    else:
        raise UsageError(
            f"backbone {name!r}: {backbone.name} takes images of any size; leave @{side} out."
        )
    return replace(backbone, name=f"{backbone.name}@{side}", input_size=side, preprocessing=other)
