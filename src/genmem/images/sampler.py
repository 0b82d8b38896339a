"""Images straight from a sampler: a diffusers pipeline, a GAN, any function of a number."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

from PIL import Image

from genmem.arrays import is_array_like
from genmem.errors import InputError, UsageError


class SampledImages:
    """`n` images of a sampler, made batch by batch as they are read; see `sample_images`."""

    def __init__(self, sampler: Callable[..., Any], n: int, batch_size: int) -> None:
        self._sampler, self._n, self._batch_size = sampler, n, batch_size

    def __iter__(self) -> Iterator[Any]:
        by_name = "batch_size" in _parameters(self._sampler)
        for start in range(0, self._n, self._batch_size):
            size = min(self._batch_size, self._n - start)
            output = self._sampler(batch_size=size) if by_name else self._sampler(size)
            yield _batch(output, size)


def sample_images(sampler: Callable[..., Any], n: int, *, batch_size: int = 16) -> SampledImages:
    """Images of a sampler, to be given as `generated=`: they are made as they are read.

    Args:
        sampler: a diffusers pipeline that takes `batch_size`, or any function that is called with a
            number of images and returns as many: an array or tensor [n, C, H, W] or [n, H, W, C],
            a list of images, or an object that has them as `.images`. A pipeline of prompts is
            wrapped: `lambda n: pipeline(["a cat"] * n)`.
        n: images in all.
        batch_size: images per call, at most.

    Returns:
        An iterable; each iteration samples anew.

    Raises:
        UsageError: `sampler` cannot be called like that, or a number is below 1.

    Example:
        >>> import numpy as np
        >>> import genmem
        >>> rng = np.random.default_rng(0)
        >>> def sampler(n):
        ...     return rng.integers(0, 256, (n, 8, 8, 3), dtype=np.uint8)
        >>> with genmem.open_images(genmem.sample_images(sampler, 40)) as source:
        ...     len(source)
        40
    """
    if not callable(sampler):
        raise UsageError(
            f"sampler: expected a function of a number of images, or a pipeline, got "
            f"{type(sampler).__name__}."
        )
    for name, value in (("n", n), ("batch_size", batch_size)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise UsageError(f"{name}: expected a whole number of at least 1, got {value!r}.")
    if next(iter(_parameters(sampler)), "") in ("prompt", "prompts"):
        raise UsageError(
            "sampler: this pipeline takes prompts. Wrap it in a function of the number of images: "
            "lambda n: pipeline(prompts[:n])."
        )
    return SampledImages(sampler, n, batch_size)


def _parameters(sampler: Callable[..., Any]) -> list[str]:
    """The names of a callable's parameters; none where it does not tell."""
    try:
        return list(inspect.signature(sampler).parameters)
    except (TypeError, ValueError):
        return []


def _batch(output: Any, size: int) -> Any:
    """The images that a call returned, checked to be as many as were asked for."""
    images: Any = getattr(output, "images", output)
    if size == 1 and isinstance(images, Image.Image):
        return [images]
    is_array = is_array_like(images)
    is_batch = isinstance(images, list) or (is_array and images.ndim == 4)
    if not is_batch or len(images) != size:
        shape = f" {list(images.shape)}" if is_array else ""  # pyright: ignore
        number = f" of {len(images)}" if isinstance(images, list) else ""
        raise InputError(
            f"sampler: expected {size} images, an array [{size}, C, H, W] or a list, got "
            f"{type(images).__name__}{shape}{number}."
        )
    return images
