"""`pixels` and `pixels@SIDE`: the values 0–255 of an image, row by row, as H·W·3 features.

`pixels` is the space of Yoon et al. 2023 and of Gu et al. 2023 (arXiv 2310.02664), whose
memorization ratio compares Euclidean pixel distances. Nothing is resized: images of different sizes
are refused.

`pixels@SIDE` stretches every image to SIDE × SIDE first (Pillow's antialiased bilinear filter,
aspect ratio not kept), so that photographs of any sizes can be compared, an image also with its
resized or squeezed copies. Images smaller than SIDE are enlarged by the same filter, which loses
nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from genmem.features.backbone import Backbone
from genmem.features.engines import function_engine
from genmem.features.preprocessing import Crop, Identity

AUDIT_SIDE = 64
"""The side that an audit stretches images to where it is told `pixels`."""

SMALLEST_SIDE, LARGEST_SIDE = 4, 512
"""A row takes 12·SIDE² bytes: 3 MiB at 512."""


def _flatten(batch: NDArray[np.uint8]) -> NDArray[np.float32]:
    """uint8 [b, H, W, 3] → float32 [b, H·W·3], values 0–255."""
    return batch.reshape(len(batch), -1).astype(np.float32)


_OPEN_ENGINE = function_engine(_flatten)

BACKBONE = Backbone(
    name="pixels",
    description="raw pixel values 0–255; all images of one size",
    licence="none",
    preprocessing=Identity(),
    open_engine=_OPEN_ENGINE,
)


def stretched(side: int) -> Backbone:
    """The backbone `pixels@SIDE`.

    Args:
        side: of the square that images are stretched to, in pixels.
    """
    return Backbone(
        name=f"pixels@{side}",
        description=f"pixel values 0–255 of images stretched to {side} × {side}; any pixels@SIDE",
        licence="none",
        dimension=3 * side * side,
        input_size=side,
        preprocessing=Crop(side, None, Image.Resampling.BILINEAR),
        open_engine=_OPEN_ENGINE,
    )


STRETCHED = stretched(AUDIT_SIDE)
"""What an audit compares as pixels."""


def is_pixels(name: str) -> bool:
    """Whether this is the name of a space of pixels, stretched or not."""
    return name.partition("@")[0] == BACKBONE.name
