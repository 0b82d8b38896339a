"""The training images as centred rows, a block at a time, from memory, a mapped file or a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from array_api_compat import is_torch_array

from genmem.errors import InputError

BLOCK_BYTES = 32 * 2**20
"""float32 bytes of one block of training rows, or of queries."""

Part = slice | torch.Tensor
"""Which rows: a slice, or int64 positions."""


class Rows:
    """Training images y as rows r = (y − shift)/scale, less their mean r̄.

    For 8-bit images r are the pixel values 0 … 255 and r̄ is rounded to 1/64, so that a centred row
    is exact in float32. Distances between images are `scale` times those between rows.

    Attributes:
        shape: of one image.
        scale, shift: y = scale·r + shift.
        mean: float64 [d], r̄.
        half_squares: float64 [n], ‖r − r̄‖²/2.
        radius: the largest ‖r − r̄‖.
    """

    def __init__(self, images: Any, *, device: torch.device) -> None:
        """Take images, uint8 or floating in [−1, 1], [n, ...].

        Raises:
            InputError: they are not that, none, or not finite.
        """
        _check(images)
        self.device = device
        self._images = images
        if is_torch_array(images) or (device.type == "cuda" and _fits(images, device)):
            self._images = torch.as_tensor(images).to(device)
        self.shape = tuple(int(side) for side in images.shape[1:])
        whole = "uint8" in str(images.dtype)
        self.scale, self.shift = (1 / 127.5, -1.0) if whole else (1.0, 0.0)
        dimension = int(np.prod(self.shape))
        total = torch.zeros(dimension, dtype=torch.float64, device=device)
        self.mean = torch.zeros_like(total)
        for part in self.parts():
            total += self.block(part, torch.float64).sum(dim=0)
        # 14 bits: differences from 8-bit values are exact in float32.
        self.mean = (total / len(self) * 64).round() / 64
        self.half_squares = torch.cat(
            [
                torch.linalg.vector_norm(self.block(part, torch.float64), dim=1).square() / 2
                for part in self.parts()
            ]
        )
        self.radius = float((2 * self.half_squares.max()).sqrt())
        if not np.isfinite(self.radius):
            raise InputError("training images: expected finite pixels, got NaN or infinity.")

    def __len__(self) -> int:
        return int(self._images.shape[0])

    def step(self) -> int:
        """Rows a block."""
        return max(1, BLOCK_BYTES // (4 * int(np.prod(self.shape))))

    def parts(self, positions: torch.Tensor | None = None) -> Iterator[Part]:
        """Blocks that cover all rows, or those at `positions`."""
        count = len(self) if positions is None else len(positions)
        for start in range(0, count, self.step()):
            stop = min(count, start + self.step())
            yield slice(start, stop) if positions is None else positions[start:stop]

    def room(self, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        """Memory for one block, to be used again and again: new pages cost as much as the work."""
        return torch.empty(min(self.step(), len(self)), len(self.mean), dtype=dtype).to(self.device)

    def block(
        self, part: Part, dtype: torch.dtype, room: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Centred rows [m, d] on the device: a copy, in `room` where that is given."""
        if is_torch_array(self._images):
            raw = self._images[part if isinstance(part, slice) else part.to(self.device)]
        else:
            found = self._images[part if isinstance(part, slice) else part.cpu().numpy()]
            raw = torch.from_numpy(np.array(found)).to(self.device)
        rows = raw.reshape(len(raw), -1)
        out = None if room is None else room[: len(rows)]
        if out is None:
            out = torch.empty(rows.shape, dtype=dtype, device=self.device)
        return out.copy_(rows).sub_(self.mean.to(dtype))

    def inward(self, images: torch.Tensor) -> torch.Tensor:
        """Images [b, ...] as centred rows, float64 [b, d]."""
        rows = images.to(self.device, torch.float64).flatten(start_dim=1)
        return (rows - self.shift) / self.scale - self.mean

    def outward(self, rows: torch.Tensor) -> torch.Tensor:
        """Centred rows [b, d] as images [b, ...], float64."""
        images = (rows.double() + self.mean) * self.scale + self.shift
        return images.reshape(len(rows), *self.shape)


def _check(images: Any) -> None:
    if not is_torch_array(images) and not isinstance(images, np.ndarray):
        raise InputError(
            "training images: expected a NumPy or torch array, got "
            f"{type(images).__name__}; load_training_images reads files."
        )
    floating = any(kind in str(images.dtype) for kind in ("float16", "float32", "float64"))
    if images.ndim < 2 or 0 in images.shape or not (floating or "uint8" in str(images.dtype)):
        raise InputError(
            "training images: expected uint8, or floating point in [−1, 1], of shape [n, C, H, W], "
            f"got {images.dtype} of shape {list(images.shape)}."
        )


def _fits(images: Any, device: torch.device) -> bool:
    return images.nbytes <= torch.cuda.mem_get_info(device)[0] // 2
