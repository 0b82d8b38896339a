"""Images and zips for tests; no Django."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

COUNT, SIDE = 4, 8


def png(seed: int = 0, size: tuple[int, int] = (SIDE, SIDE), kind: str = "PNG") -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format=kind)
    return buffer.getvalue()


def a_zip(path: Path, count: int = COUNT, **more: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(count):
            archive.writestr(f"{number:04d}.png", png(number))
        for name, content in more.items():
            archive.writestr(name, content)
    return path
