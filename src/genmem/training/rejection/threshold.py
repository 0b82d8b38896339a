"""What rejection compares with: training images, their features and labels, and the threshold τ."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from genmem import arrays
from genmem.errors import InputError, UsageError
from genmem.images import ArraySource, read_batches
from genmem.neighbors import Metric, nearest_other
from genmem.reference.stored_images import open_training_images
from genmem.training.rejection.embedding import unit_rows
from genmem.training.rejection.options import check_tau

TAU_ROWS = 10_000
"""Training rows whose leave-one-out distance "auto" averages; a seeded sample of a larger set."""


BLOCK = 16_384
"""Rows looked at together."""

SMALLEST_AUTO = 1e-6
"""A mean leave-one-out distance below this is 0, but for rounding."""


def check_at_least(
    value: int, least: int, name: str, error: type[InputError] | type[UsageError] = UsageError
) -> int:
    """Return `value` if it is at least `least`, else raise an error that names it."""
    if value < least:
        raise error(f"{name}: expected at least {least}, got {value}.")
    return value


def as_images(train: Any) -> NDArray[np.uint8]:
    """uint8 [n, 3, H, W] from a tensor, an array or a source of images of one size."""
    train = arrays.as_source(train, role="train")
    is_array = arrays.is_array_like(train)
    if is_array and train.ndim == 4 and train.shape[1] == 3:
        images = arrays.to_numpy(train)
    else:
        opened = (
            ArraySource(train, name="train", where="train")
            if is_array
            else open_training_images(train)
        )
        with opened as source:
            batches = read_batches(source, transform=lambda pixels: pixels, batch_size=256)
            images = np.concatenate([batch.array for batch in batches]).transpose(0, 3, 1, 2)
    if images.ndim != 4 or images.shape[1] != 3 or images.dtype != np.uint8:
        raise InputError(
            f"train: expected uint8 images [n, 3, H, W] or float features [n, d], got "
            f"{images.dtype} {list(images.shape)}."
        )
    check_at_least(len(images), 2, "train: number of images", InputError)
    return images


def as_unit_rows(train: Any) -> NDArray[np.float32]:
    """Rows of norm 1; a memory-mapped file that holds such rows stays where it is, in any mode.

    Nothing may be written to what is returned: its pages may be read-only.
    """
    train = arrays.as_features(train, role="train")
    if isinstance(train, torch.Tensor):
        return unit_rows(train.detach().cpu()).numpy()
    if train.dtype == np.float32 and min(train.strides) >= 0 and _are_unit(train):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="The given NumPy array is not writ")
            return torch.from_numpy(train).numpy()  # the same memory, and taken by torch again
    return unit_rows(torch.from_numpy(np.array(train, dtype=np.float32))).numpy()


def _are_unit(rows: NDArray[np.float32]) -> bool:
    """Whether every row has norm 1, looked at a block at a time."""
    return all(
        np.allclose(np.linalg.norm(rows[start : start + BLOCK], axis=1), 1, atol=1e-5)
        for start in range(0, len(rows), BLOCK)
    )


def as_labels(categories: Sequence[int] | None, count: int, *, flips: bool) -> torch.Tensor | None:
    """int64 [n], or [2n] where flipped rows follow; None without categories."""
    if categories is None:
        return None
    numbers = arrays.as_labels(categories, role="categories", count=count)
    if numbers.dtype.kind not in "iu":
        raise InputError(
            f"categories: expected one whole number for each of the {count} training images, got "
            f"{numbers.dtype}."
        )
    labels = torch.from_numpy(numbers.astype(np.int64))
    return torch.cat([labels, labels]) if flips else labels


def resolve_tau(
    tau: float | Literal["auto"], rows: NDArray[np.float32], labels: torch.Tensor | None
) -> float:
    """τ; "auto" is d̄, the mean over training x of d to the other training rows (of x's class).

    Raises:
        InputError: "auto" where no class has two images, or where each image has an equal one: τ
            would be 0 and reject nothing.
        UsageError: τ is not a distance.
    """
    if tau == "auto":
        mean = _mean_left_out(rows, labels)
        if mean < SMALLEST_AUTO:
            raise InputError(
                "tau='auto': expected training images that differ, got a mean leave-one-out "
                "distance of 0: each image has a duplicate, so nothing would be rejected. Leave "
                "the duplicates out, or give tau as a number."
            )
        return mean
    check_tau(tau)
    return float(tau)


def _mean_left_out(rows: NDArray[np.float32], labels: torch.Tensor | None) -> float:
    """The mean of `leave_one_out_distances`, within classes where there are labels."""
    if labels is None:
        return float(leave_one_out_distances(rows).mean())
    chosen = [rows[(labels[: len(rows)] == label).numpy()] for label in labels.unique()]
    distances = [leave_one_out_distances(part) for part in chosen if len(part) > 1]
    if not distances:
        raise InputError("tau='auto': expected a class with at least 2 training images.")
    return float(np.concatenate(distances).mean())


def leave_one_out_distances(
    rows: NDArray[np.float32], *, metric: Metric = "cosine"
) -> NDArray[np.float64]:
    """Distances of the rows to their nearest other row; of a sample of more than `TAU_ROWS`.

    Args:
        rows: features [n, d] of a training set.
        metric: as for `nearest`.
    """
    if len(rows) <= TAU_ROWS:
        return nearest_other(rows, metric=metric)
    drawn = np.random.default_rng(0).choice(len(rows), TAU_ROWS, replace=False)
    return nearest_other(rows, np.sort(drawn), metric=metric)
