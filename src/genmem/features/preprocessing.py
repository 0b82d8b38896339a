"""How a decoded image becomes a network's input: preprocessings with versioned names.

`apply` processes one image in the reader threads. It uses NumPy and Pillow, which release the
interpreter lock, and gives uint8 where the published recipe rounds to 8 bits anyway. The network
itself scales to its range, except for custom networks (`Scaled`). `apply_tensor` does the same to a
whole torch batch on its device, for training loops.

The name of a preprocessing is part of the cache key: a change of the arithmetic must change the
number at the end of the name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

if TYPE_CHECKING:
    import torch


class Preprocessing(Protocol):
    """The interface of a preprocessing."""

    @property
    def name(self) -> str:
        """The versioned name that goes into cache keys and provenance."""
        ...

    def apply(self, image: NDArray[np.uint8]) -> NDArray[np.uint8] | NDArray[np.float32]:
        """One RGB image, uint8 [H, W, 3] → the network's input, [h, w, 3]."""
        ...

    def apply_tensor(self, batch: torch.Tensor) -> torch.Tensor:
        """A batch, uint8 [b, 3, H, W] → the network's input, [b, h, w, 3]."""
        ...


def _taps(size_in: int, size_out: int, half_pixel: bool) -> tuple[NDArray, NDArray, NDArray]:
    """For each output index: the two input indices around it, and the weight of the second.

    Computed in float32 from the ratio size_in / size_out, as TensorFlow 1 and torch do.
    """
    ratio = np.float32(size_in / size_out)
    position = np.arange(size_out, dtype=np.float32)
    if half_pixel:
        half = np.float32(0.5)
        position = np.maximum((position + half) * ratio - half, np.float32(0))
    else:
        position = position * ratio
    low = np.minimum(position.astype(np.int64), size_in - 1)
    high = np.minimum(low + 1, size_in - 1)
    return low, high, position - low.astype(np.float32)


def resize_bilinear(
    image: NDArray[np.uint8], *, height: int, width: int, half_pixel: bool
) -> NDArray[np.float32]:
    """Stretch an image without antialiasing, in float32.

    Between two pixels a and b, a fraction t of the way: a + (b − a)·t, first along rows, then
    along columns. Output index i reads input position i·in/out (`half_pixel=False`: the formula of
    TensorFlow 1's resize_bilinear with align_corners=False, which the FID graph contains) or
    (i + ½)·in/out − ½ (`half_pixel=True`: torch's interpolate with align_corners=False). Positions
    beyond the edge take the edge pixel.

    Args:
        image: pixels, uint8 [H, W, 3].
        height: of the result, in pixels.
        width: of the result, in pixels.
        half_pixel: where pixel centres are: see above.

    Returns:
        float32 [height, width, 3].
    """
    source = image.astype(np.float32)
    left, right, across = _taps(image.shape[1], width, half_pixel)
    wide = np.take(source, left, axis=1)
    step = np.take(source, right, axis=1)
    step -= wide
    step *= across[None, :, None]
    wide += step
    top, bottom, down = _taps(image.shape[0], height, half_pixel)
    tall = np.take(wide, top, axis=0)
    step = np.take(wide, bottom, axis=0)
    step -= tall
    step *= down[:, None, None]
    tall += step
    return tall


@dataclass(frozen=True)
class Stretch:
    """Bilinear to size × size without antialiasing, aspect ratio not kept; float32 output.

    `half_pixel` says where pixel centres lie: see `resize_bilinear`.
    """

    size: int
    half_pixel: bool

    @property
    def name(self) -> str:
        """The versioned name that goes into cache keys and provenance."""
        kind = "half-pixel" if self.half_pixel else "tf1"
        return f"stretch-bilinear-{kind}-{self.size}-v1"

    def apply(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 [H, W, 3] → float32 [size, size, 3]."""
        return resize_bilinear(image, height=self.size, width=self.size, half_pixel=self.half_pixel)

    def apply_tensor(self, batch: torch.Tensor) -> torch.Tensor:
        """uint8 [b, 3, H, W] → float32 [b, size, size, 3]."""
        import torch

        def lerp(values: torch.Tensor, dim: int) -> torch.Tensor:
            low, high, weight = (
                torch.from_numpy(tap).to(values.device)
                for tap in _taps(values.shape[dim], self.size, self.half_pixel)
            )
            first = values.index_select(dim, low)
            shape = [1, 1, 1, 1]
            shape[dim] = self.size
            return first + (values.index_select(dim, high) - first) * weight.view(shape)

        return lerp(lerp(batch.float(), 3), 2).permute(0, 2, 3, 1)


@dataclass(frozen=True)
class Crop:
    """Pillow's antialiased resize of the shorter side to `resize`, then the central `size` square.

    This is the evaluation transform of timm and torchvision. Rows are resized first, then columns,
    rounded to 8 bits in between, and only inside the crop: within one level of 255 this equals
    resizing everything and cropping (the crop's edges are float32 in Pillow). Departure: Pillow 13
    resizes columns first where that is cheaper (very tall images); here the order is always the
    same, so that features do not depend on Pillow's version. With `resize=None` the whole image is
    stretched to size × size. The output is uint8, as in the recipe.
    """

    size: int
    resize: int | None
    filter: Image.Resampling

    @property
    def name(self) -> str:
        """The versioned name that goes into cache keys and provenance."""
        how = "stretch" if self.resize is None else f"resize-{self.resize}-crop"
        return f"{how}-pillow-{self.filter.name.lower()}-{self.size}-v1"

    def _resized(self, height: int, width: int) -> tuple[int, int]:
        """Height and width after the resize, before the crop."""
        if self.resize is None:
            return self.size, self.size
        if height <= width:
            return self.resize, int(self.resize * width / height)
        return int(self.resize * height / width), self.resize

    def apply(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """uint8 [H, W, 3] → uint8 [size, size, 3]."""
        height, width = image.shape[:2]
        resized_height, resized_width = self._resized(height, width)
        top = round((resized_height - self.size) / 2)
        left = round((resized_width - self.size) / 2)
        across, down = width / resized_width, height / resized_height
        rows = (left * across, 0, (left + self.size) * across, height)
        columns = (0, top * down, self.size, (top + self.size) * down)
        wide = Image.fromarray(image).resize((self.size, height), self.filter, box=rows)
        return np.asarray(wide.resize((self.size, self.size), self.filter, box=columns))

    def apply_tensor(self, batch: torch.Tensor) -> torch.Tensor:
        """uint8 [b, 3, H, W] → float32 [b, size, size, 3], whole numbers.

        torch's antialiased filter is Pillow's; outputs differ by one or two of 255.
        """
        from torch.nn import functional

        mode = {Image.Resampling.BICUBIC: "bicubic", Image.Resampling.BILINEAR: "bilinear"}
        height, width = self._resized(batch.shape[2], batch.shape[3])
        values = batch.float()
        for shape in ((batch.shape[2], width), (height, width)):
            values = functional.interpolate(values, shape, mode=mode[self.filter], antialias=True)
            values = values.clamp(0, 255).round()
        top, left = round((height - self.size) / 2), round((width - self.size) / 2)
        cropped = values[:, :, top : top + self.size, left : left + self.size]
        return cropped.permute(0, 2, 3, 1)


@dataclass(frozen=True)
class CleanStretch:
    """Each channel in float32 by Pillow's antialiased bicubic filter to size × size, clipped.

    clean-fid's resize (Parmar, Zhang and Zhu 2022, arXiv 2104.11222): nothing is rounded to 8 bits,
    and the aspect ratio is not kept.
    """

    size: int

    @property
    def name(self) -> str:
        """The versioned name that goes into cache keys and provenance."""
        return f"stretch-pillow-bicubic-float-{self.size}-v1"

    def apply(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 [H, W, 3] → float32 [size, size, 3], values 0–255."""
        resized = [
            np.asarray(
                Image.fromarray(np.ascontiguousarray(image[:, :, channel], np.float32)).resize(
                    (self.size, self.size), Image.Resampling.BICUBIC
                )
            )
            for channel in range(3)
        ]
        return np.stack(resized, axis=2).clip(0, 255)

    def apply_tensor(self, batch: torch.Tensor) -> torch.Tensor:
        """uint8 [b, 3, H, W] → float32 [b, size, size, 3].

        torch's antialiased bicubic filter is Pillow's.
        """
        from torch.nn import functional

        values = functional.interpolate(
            batch.float(), (self.size, self.size), mode="bicubic", antialias=True
        )
        return values.clamp(0, 255).permute(0, 2, 3, 1)


MAX_ASPECT = 8
"""The largest ratio of the sides that `ShorterSide` keeps."""


@dataclass(frozen=True)
class ShorterSide:
    """Pillow's antialiased bilinear resize of the shorter side to `size`, aspect ratio kept.

    torchvision's `Resize(size)`: the longer side is rounded down. Departure: images more elongated
    than 8 : 1 are squeezed to that, since a line of pixels would need gigabytes. The output is
    uint8, and images of several aspect ratios have several sizes.
    """

    size: int

    @property
    def name(self) -> str:
        """The versioned name that goes into cache keys and provenance."""
        return f"shorter-side-pillow-bilinear-{self.size}-v2"

    def _resized(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the result."""
        shorter, longer = sorted((height, width))
        length = min(int(self.size * longer / shorter), MAX_ASPECT * self.size)
        return (self.size, length) if height <= width else (length, self.size)

    def apply(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """uint8 [H, W, 3] → uint8 [h, w, 3]."""
        height, width = self._resized(*image.shape[:2])
        resized = Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR)
        return np.asarray(resized)

    def apply_tensor(self, batch: torch.Tensor) -> torch.Tensor:
        """uint8 [b, 3, H, W] → float32 [b, h, w, 3], whole numbers."""
        from torch.nn import functional

        size = self._resized(batch.shape[2], batch.shape[3])
        values = functional.interpolate(batch.float(), size, mode="bilinear", antialias=True)
        return values.clamp(0, 255).round().permute(0, 2, 3, 1)


@dataclass(frozen=True)
class Scaled:
    """Another preprocessing, then (x/255 − mean) / std per channel, in float32.

    For custom networks, which do not scale their input themselves. In torchvision's terms:
    `ToTensor` and `Normalize`.

    Attributes:
        resizing: what happens first.
        scale: the name of the scaling.
        mean, std: per channel, of values in [0, 1].
    """

    resizing: Preprocessing
    scale: str
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def name(self) -> str:
        """The versioned name that goes into cache keys and provenance."""
        return f"{self.resizing.name.removesuffix('-v1')}-{self.scale}-v1"

    def apply(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 [H, W, 3] → float32 [h, w, 3]."""
        values = self.resizing.apply(image).astype(np.float32) / np.float32(255)
        return (values - np.array(self.mean, np.float32)) / np.array(self.std, np.float32)

    def apply_tensor(self, batch: torch.Tensor) -> torch.Tensor:
        """uint8 [b, 3, H, W] → float32 [b, h, w, 3]."""
        values = self.resizing.apply_tensor(batch).float() / 255
        return (values - values.new_tensor(self.mean)) / values.new_tensor(self.std)


@dataclass(frozen=True)
class Identity:
    """No change: for networks that resize images themselves, and for raw pixels."""

    name: str = "as-is-v1"

    def apply(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """uint8 [H, W, 3], unchanged."""
        return image

    def apply_tensor(self, batch: torch.Tensor) -> torch.Tensor:
        """uint8 [b, 3, H, W] → uint8 [b, H, W, 3]."""
        return batch.permute(0, 2, 3, 1)


def keeps_aspect(preprocessing: Preprocessing) -> bool:
    """Whether images of several aspect ratios have several sizes afterwards, as intended."""
    resizing = preprocessing.resizing if isinstance(preprocessing, Scaled) else preprocessing
    return isinstance(resizing, ShorterSide)
