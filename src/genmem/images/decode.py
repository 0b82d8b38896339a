"""The decoding rule: encoded images and raw pixels of any kind → RGB, 8 bits."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile

from genmem.errors import InputError
from genmem.images.fast_jpeg import decode_jpeg
from genmem.images.formats import open_header
from genmem.images.limits import MAX_PIXELS
from genmem.images.pillow_settings import PILLOW_DEFAULTS

DECODE_RULE = "rgb8-1"
"""The version of `decode`'s rule, part of every cache key. Raise it when pixels would change."""

_WARNINGS_LOCK = threading.Lock()
Result = TypeVar("Result")


def decode(content: bytes | NDArray[np.uint8], *, name: str) -> NDArray[np.uint8]:
    """Decode what a source stores into pixels.

    The rule, the same for every source and backbone:

    - The content decides the format (JPEG, PNG, WebP, GIF, BMP, TIFF, PNM, AVIF, HEIF), not the
      suffix.
    - Grayscale and 1-bit values are repeated in R, G and B; palettes are looked up; CMYK, YCbCr and
      other color spaces are converted as Pillow's `convert("RGB")` does.
    - Alpha is dropped, not composited: the color under transparent pixels shows. Pillow's
      `convert("RGB")` does the same, and so torch-fidelity, clean-fid and pytorch-fid.
    - 16-bit values keep their high byte (`value >> 8`), gray as color. (Pillow does this for
      color, but clips 16-bit gray at 255, so the peers see nearly white images.)
    - 32-bit integer and floating-point pixels are refused: they have no agreed range.
    - The first frame of an animation counts. EXIF orientation and color profiles are ignored, as
      by the peers.
    - Pillow's process-wide settings do not count (see `pillow_settings`), nor do filters that turn
      its warnings into errors.

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
    with _pillow(name):
        return _retry_without_warnings(lambda: _decode(content, name=name))


def image_to_rgb(image: Image.Image, *, name: str) -> NDArray[np.uint8]:
    """Convert a Pillow image by the rule of `decode`.

    Args:
        image: of any mode, decoded or not.
        name: the image, for the start of an error message.

    Returns:
        Pixels, uint8 [H, W, 3].

    Raises:
        InputError: as for `decode`.
    """
    _refuse_pixels(image.size, name=name)
    with _pillow(name):
        _retry_without_warnings(image.load)
        return _convert(image, name=name)


@contextmanager
def _pillow(name: str) -> Iterator[None]:
    """Pillow at its default settings; its errors become one line that names the image."""
    try:
        with PILLOW_DEFAULTS:
            yield
    except (InputError, MemoryError):
        raise
    except Exception as error:  # Pillow's readers raise almost anything on hostile bytes
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{name}: cannot be decoded: {reason}") from error


def _retry_without_warnings(function: Callable[[], Result]) -> Result:
    """Call `function`, again if a filter of the process made an error of a warning of Pillow's."""
    try:
        return function()
    except Warning:
        with _WARNINGS_LOCK, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return function()


def _decode(content: bytes, *, name: str) -> NDArray[np.uint8]:
    header = open_header(content)
    _refuse_pixels(header.size, name=name)
    if isinstance(header, JpegImageFile):
        pixels = decode_jpeg(content, header)
        if pixels is not None:
            return pixels
    image = header if isinstance(header, ImageFile) else header.to_pillow()
    image.load()
    return _convert(image, name=name)


def _convert(image: Image.Image, *, name: str) -> NDArray[np.uint8]:
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PPM"):
        return _pixels_to_rgb((np.asarray(image) >> 8).astype(np.uint8), name=name)
    if image.mode in ("I", "F"):
        kind = "32-bit integer" if image.mode == "I" else "floating-point"
        raise InputError(
            f"{name}: has {kind} pixels, whose value range is not defined. Save it with 8 or 16 "
            "bits."
        )
    if image.mode != "RGB":
        if "transparency" in image.info:  # a palette's; dropped with every other alpha
            image = image.copy()
            del image.info["transparency"]
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
