"""The decoding rule: encoded images and raw pixels of any kind → RGB, 8 bits."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.PpmImagePlugin import PpmImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from genmem.errors import InputError
from genmem.images.limits import MAX_PIXELS

DECODE_RULE = "rgb8-1"
"""The version of `decode`'s rule, part of every cache key. Raise it when pixels would change."""

_READERS: tuple[tuple[bytes, type[ImageFile]], ...] = (
    (b"\xff\xd8\xff", JpegImageFile),
    (b"\x89PNG\r\n\x1a\n", PngImageFile),
    (b"RIFF", WebPImageFile),
    (b"GIF8", GifImageFile),
    (b"BM", BmpImageFile),
    (b"II*\0", TiffImageFile),
    (b"MM\0*", TiffImageFile),
    *((f"P{digit}".encode(), PpmImageFile) for digit in range(1, 7)),
)
_FORMATS = "JPEG, PNG, WebP, GIF, BMP, TIFF or PNM"


def decode(content: bytes | NDArray[np.uint8], *, name: str) -> NDArray[np.uint8]:
    """Decode what a source stores into pixels.

    The rule, the same for every source and backbone:

    - The content decides the format (JPEG, PNG, WebP, GIF, BMP, TIFF, PNM), not the suffix.
    - Grayscale and 1-bit values are repeated in R, G and B; palettes are looked up; CMYK, YCbCr and
      other colour spaces are converted as Pillow's `convert("RGB")` does.
    - Alpha is dropped, not composited: the colour under transparent pixels shows. Pillow's
      `convert("RGB")` does the same, and so torch-fidelity, clean-fid and pytorch-fid.
    - 16-bit values keep their high byte (`value >> 8`), gray as colour. (Pillow does this for
      colour, but clips 16-bit gray at 255, so the peers see nearly white images.)
    - 32-bit integer and floating-point pixels are refused: they have no agreed range.
    - The first frame of an animation counts. EXIF orientation and colour profiles are ignored, as
      by the peers.

    Args:
        content: an encoded image, or pixels, uint8 [H, W], [H, W, 1], [H, W, 3] or [H, W, 4].
        name: the image, for the start of an error message.

    Returns:
        Pixels, uint8 [H, W, 3]: a new, writable, C-contiguous array.

    Raises:
        InputError: it is not an image, truncated, corrupt, has pixels that are refused, or more
            than `limits.MAX_PIXELS` of them.
    """
    if isinstance(content, np.ndarray):
        return _pixels_to_rgb(content, name=name)
    try:
        image = _open(content)
        _refuse_pixels(image.size, name=name)
        image.load()
        return image_to_rgb(image, name=name)
    except (InputError, MemoryError):
        raise
    except Exception as error:  # Pillow's readers raise almost anything on hostile bytes
        raise InputError(f"{name}: cannot be decoded: {_reason(content, error)}") from error


def image_to_rgb(image: Image.Image, *, name: str) -> NDArray[np.uint8]:
    """Convert a Pillow image by the rule of `decode`.

    Args:
        image: of any mode.
        name: the image, for the start of an error message.

    Returns:
        Pixels, uint8 [H, W, 3].

    Raises:
        InputError: as for `decode`.
    """
    _refuse_pixels(image.size, name=name)
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PPM"):
        return _pixels_to_rgb((np.asarray(image) >> 8).astype(np.uint8), name=name)
    if image.mode in ("I", "F"):
        kind = "32-bit integer" if image.mode == "I" else "floating-point"
        raise InputError(
            f"{name}: has {kind} pixels, whose value range is not defined. Save it with 8 or 16 "
            "bits."
        )
    if image.mode != "RGB":
        image.info.pop("transparency", None)  # a palette's; dropped with every other alpha
        image = image.convert("RGB")
    return np.array(image)


def _pixels_to_rgb(pixels: NDArray[np.uint8], *, name: str) -> NDArray[np.uint8]:
    shape = pixels.shape
    if pixels.dtype != np.uint8 or not (
        pixels.ndim == 2 or (pixels.ndim == 3 and shape[2] in (1, 3, 4))
    ):
        raise InputError(
            f"{name}: expected uint8 pixels [H, W] or [H, W, 1, 3 or 4], got {pixels.dtype} "
            f"{list(shape)}."
        )
    _refuse_pixels((shape[1], shape[0]), name=name)
    rgb = np.empty((shape[0], shape[1], 3), np.uint8)
    rgb[...] = pixels[:, :, None] if pixels.ndim == 2 else pixels[:, :, :3]
    return rgb


def _refuse_pixels(size: tuple[int, int], *, name: str) -> None:
    width, height = size
    if not 0 < width * height <= MAX_PIXELS:
        raise InputError(
            f"{name}: is {width:,} × {height:,} pixels, expected between 1 and {MAX_PIXELS:,} in "
            "all (a decompression bomb?). Remove it or make it smaller."
        )


def _open(content: bytes) -> ImageFile:
    """Read the image's header. Pillow's own `open` would also try formats that are not listed."""
    for signature, reader in _READERS:
        if content.startswith(signature):
            return reader(io.BytesIO(content))
    raise ValueError(f"not {_FORMATS}")


def _reason(content: bytes, error: Exception) -> str:
    if not content:
        return "the file is empty"
    return str(error) or type(error).__name__
