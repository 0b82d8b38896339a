"""Features of generated and training images, in the backbone that rejection compares them in."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from genmem.errors import InputError, UsageError
from genmem.features import custom_models
from genmem.features.backbone import Backbone
from genmem.features.cache import cache_folder, cached_array, entry_key
from genmem.features.extractor import torch_module
from genmem.features.network_engine import weights_digest
from genmem.features.registry import find_backbone
from genmem.images import Progress
from genmem.torch_settings import ieee_float32

VERSION = "training features 2"
"""Part of the cache key; to be raised when the same images would give other features."""


def open_backbone(
    backbone: str | Path | Backbone | nn.Module,
) -> tuple[nn.Module, str | None]:
    """The module that takes uint8 RGB [b, 3, H, W], and its name where it has one.

    A module of the caller is set to evaluation mode, and its parameters need no gradients then.

    Raises:
        UsageError: it is none of these, or torch cannot run it.
    """
    if isinstance(backbone, nn.Module):
        return backbone.eval().requires_grad_(False), None
    if isinstance(backbone, str) and Path(backbone).suffix not in custom_models.SUFFIXES:
        entry, name = find_backbone(backbone), backbone
    elif isinstance(backbone, str | Path | Backbone):
        entry, name = find_backbone(backbone), None  # a file's name says nothing of it
    else:
        raise UsageError(
            "backbone: expected a name, the path of a file, a custom_backbone of a file or a torch "
            f"module, got {type(backbone).__name__}."
        )
    # On a CPU small images pass three times as fast with their channels last.
    return torch_module(entry).to(memory_format=torch.channels_last), name


def to_uint8(images: torch.Tensor, value_range: tuple[float, float] = (-1.0, 1.0)) -> torch.Tensor:
    """Generated images as they would be saved: float in `value_range` → uint8, rounded."""
    images = images.detach()
    if images.dtype == torch.uint8:
        return images
    low, high = value_range
    scaled = (images.float() - low) * (255 / (high - low))
    return scaled.clamp(0, 255).round().to(torch.uint8)


def unit_rows(features: torch.Tensor) -> torch.Tensor:
    """Float32 rows of norm 1; rows of norm 0 stay 0 (distance 1 to everything)."""
    rows = features.float()
    norms = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
    return rows / norms.masked_fill(norms == 0, 1.0)


def embed(module: nn.Module, images: torch.Tensor, *, half: bool = False) -> torch.Tensor:
    """uint8 [b, 3, H, W] → unit rows float32 [b, d], without gradients.

    Args:
        module: on the device of `images`.
        images: one batch.
        half: run the network in half precision (bfloat16 on a CPU).
    """
    kind = images.device.type
    dtype = torch.float16 if kind == "cuda" else torch.bfloat16
    with torch.no_grad(), ieee_float32(), torch.autocast(kind, dtype=dtype, enabled=half):
        output = module(images)
    if not isinstance(output, torch.Tensor) or output.ndim != 2 or len(output) != len(images):
        shape = list(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
        raise InputError(f"backbone: expected features [b, d] from the module, got {shape}.")
    return unit_rows(output)


def embed_all(
    module: nn.Module,
    images: NDArray[np.uint8],
    *,
    device: torch.device,
    flips: bool = False,
    half: bool = False,
    batch_size: int = 128,
    progress: Progress | None = None,
) -> NDArray[np.float32]:
    """Unit rows float32 [n, d] of uint8 [n, 3, H, W]; with `flips` [2n, d], flipped ones last."""
    module.to(device)
    parts: list[NDArray[np.float32]] = []
    total = len(images) * (2 if flips else 1)
    for flipped in (False, True) if flips else (False,):
        for start in range(0, len(images), batch_size):
            batch = torch.from_numpy(np.array(images[start : start + batch_size])).to(device)
            rows = embed(module, batch.flip(3) if flipped else batch, half=half)
            parts.append(rows.cpu().numpy())
            if progress:
                done = start + len(batch) + (len(images) if flipped else 0)
                progress("embedding the training images", done, total)
    return np.concatenate(parts)


def training_features(
    module: nn.Module,
    images: NDArray[np.uint8],
    *,
    name: str | None,
    device: torch.device,
    flips: bool = False,
    half: bool = False,
    cache: str | Path | Literal["default"] | None = "default",
    progress: Progress | None = None,
) -> NDArray[np.float32]:
    """`embed_all`, kept in the cache and memory-mapped from there.

    Whichever process comes first computes them, the others wait and map the same pages: the rows
    are in memory once, whatever the number of workers. A module without a name has no cache. The
    key is of the images' and the weights' content: other weights of that name are other features.
    """

    def compute() -> NDArray[np.float32]:
        return embed_all(module, images, device=device, flips=flips, half=half, progress=progress)

    if name is None or cache is None:
        return compute()
    folder = cache_folder(cache) / "training"
    contents = blake2b(np.ascontiguousarray(images).data, digest_size=16).hexdigest()
    described = find_backbone(name)
    key = entry_key(
        VERSION,
        f"{contents} {images.shape}",
        name,
        weights_digest(module),
        described.preprocessing.name,
        f"flips {flips} half {half} {device.type}",
    )
    return cached_array(folder, key, compute, progress)
