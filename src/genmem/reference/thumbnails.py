"""Small pictures of a set's images: encoded files one after the other in a .npy file of bytes."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray
from PIL import Image

from genmem.images import ImageSource, decode
from genmem.images.prefetch import map_in_order, usable_cores

SIDE = 128
"""Pixels of the longer side, at most."""

_QUALITY = 85


def write_thumbnails(
    source: ImageSource, positions: NDArray[np.int64], data: Path, ends: Path
) -> None:
    """Write the pictures of some images of a source.

    Args:
        source: the images.
        positions: int64 [n] of the images, which can be read.
        data: the file of the encoded pictures, uint8 [bytes].
        ends: the file of where each picture ends in it, int64 [n].
    """
    workers = usable_cores()
    pictures = map_in_order(
        lambda position: _encode(source, position),
        positions.tolist(),
        workers=workers,
        ahead=4 * workers,
    )
    lengths = _write_bytes(data, pictures)
    with ends.open("wb") as file:
        np.save(file, np.cumsum(np.asarray(lengths, np.int64)), allow_pickle=False)


def _encode(source: ImageSource, position: int) -> bytes:
    """A PNG of a small image, as it is; a JPEG of a larger one."""
    pixels = decode(source.content(position), name=source.describe(position))
    picture = Image.fromarray(pixels)
    buffer = io.BytesIO()
    if max(picture.size) <= SIDE:
        picture.save(buffer, format="PNG", optimize=True)
    else:
        picture.thumbnail((SIDE, SIDE))
        picture.save(buffer, format="JPEG", quality=_QUALITY)
    return buffer.getvalue()


def is_whole(picture: bytes) -> bool:
    """Whether a picture is the image itself, pixel by pixel, and not a smaller one."""
    return picture.startswith(b"\x89PNG")


def _write_bytes(path: Path, pieces: Iterable[bytes]) -> list[int]:
    """Write pieces as one uint8 array, whose header is written again once its length is known."""
    lengths = []
    with path.open("wb") as file:
        _write_header(file, 2**62)  # as long as any, so that the last one fits
        start = file.tell()
        for piece in pieces:
            file.write(piece)
            lengths.append(len(piece))
        file.seek(0)
        _write_header(file, sum(lengths))
        if file.tell() != start:
            raise AssertionError("the header of a .npy file changed its length")
    return lengths


def _write_header(file: io.BufferedWriter, length: int) -> None:
    npy.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": (length,)})
