"""Pictures on a page as data URIs, alone and in groups beside each other (macro `gallery`)."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SMALL = 128
"""Pictures up to this many pixels wide or high are enlarged without smoothing."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One picture.

    Attributes:
        uri: a data URI.
        width, height: in its own pixels.
        alt: what it shows, for readers who cannot see it.
        caption: lines below it.
    """

    uri: str
    width: int
    height: int
    alt: str
    caption: tuple[str, ...] = ()

    @property
    def small(self) -> bool:
        """Whether the pixels stay visible when the browser enlarges it."""
        return max(self.width, self.height) <= SMALL


@dataclass(frozen=True, kw_only=True)
class PictureGroup:
    """Pictures beside each other, such as a generated image and its nearest training image.

    Attributes:
        heading: text above them.
        aside: text in small letters beside the heading.
        pictures: two or three; none if features were given.
        names: names of the images, below the pictures.
        connector: text between the names: "nearest to".
        emphasized: whether `aside` is set in bold.
    """

    heading: str
    aside: str
    pictures: tuple[Picture, ...]
    names: tuple[str, ...]
    connector: str = ""
    emphasized: bool = False


def picture(content: bytes | None, alt: str, *caption: str) -> Picture | None:
    """A PNG or JPEG file for the page; None if it is neither."""
    if content is None:
        return None
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as image:
            (width, height), kind = image.size, (image.format or "").lower()
    except (OSError, ValueError, Image.DecompressionBombError):
        return None
    uri = data_uri(content, kind)
    return Picture(uri=uri, width=width, height=height, alt=alt, caption=caption)


def pictures(*candidates: Picture | None) -> tuple[Picture, ...]:
    """The pictures that there are."""
    return tuple(candidate for candidate in candidates if candidate is not None)


def data_uri(content: bytes, kind: str = "png") -> str:
    """A picture file as a data URI; `kind` is its format: "png", "jpeg"."""
    return f"data:image/{kind};base64," + base64.b64encode(content).decode("ascii")


def png_of(pixels: NDArray[np.uint8]) -> bytes:
    """An image as a PNG file.

    Args:
        pixels: uint8 [channels, height, width] with 1 or 3 channels.
    """
    from PIL import Image

    channels_last = np.ascontiguousarray(pixels.transpose(1, 2, 0))
    image = channels_last[:, :, 0] if channels_last.shape[2] == 1 else channels_last
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG")
    return buffer.getvalue()
