"""JPEGs decoded by TurboJPEG (simplejpeg), where it gives the bits that Pillow gives.

Both run libjpeg-turbo with the accurate transform and smooth upsampling of chroma, so that their
pixels are equal to the bit; TurboJPEG writes them straight into an array, several times faster.
Whatever is not a plain 8-bit gray or three-channel JPEG, or is not clean to its last byte, is left
to Pillow, whose pixels and errors then count.
"""

from __future__ import annotations

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import features
from PIL.JpegImagePlugin import JpegImageFile

LUMA_SAMPLING = frozenset({(1, 1), (2, 1), (1, 2), (2, 2), (4, 1)})
"""Horizontal and vertical sampling of luma, chroma being 1 × 1: 4:4:4, 4:2:2, 4:4:0, 4:2:0, 4:1:1.
`tests/images/test_fast_jpeg.py` compares each of them with Pillow."""


_SAME_LIBRARY = bool(features.check("libjpeg_turbo"))
"""A Pillow built with another libjpeg gives other bits; then it decodes everything."""


def decode_jpeg(content: bytes, header: JpegImageFile) -> NDArray[np.uint8] | None:
    """Decode a JPEG of a common kind.

    Args:
        content: the file.
        header: the same, as Pillow read its header.

    Returns:
        Pixels, uint8 [H, W, 3], those of Pillow's `convert("RGB")`; None where Pillow must decode.
    """
    if not _SAME_LIBRARY or header.bits != 8 or not _is_common(header.layer):
        return None
    try:
        pixels = simplejpeg.decode_jpeg(content, "RGB", fastdct=False, fastupsample=False)
    except (ValueError, RuntimeError, OverflowError):  # truncated, corrupt or of a rare kind
        return None
    return pixels if pixels.shape == (header.height, header.width, 3) else None


def _is_common(layers: list[tuple[int, int, int, int]]) -> bool:
    """Whether these components (id, horizontal and vertical sampling, table) are a common kind."""
    sampling = [(horizontal, vertical) for _, horizontal, vertical, _ in layers]
    if len(sampling) == 1:
        return sampling == [(1, 1)]
    return len(sampling) == 3 and sampling[0] in LUMA_SAMPLING and set(sampling[1:]) == {(1, 1)}
