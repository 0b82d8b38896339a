"""What memorization rejection is given, checked before anything is computed with it."""

from __future__ import annotations

import math
import numbers
from typing import Any

import torch

from genmem.errors import InputError, UsageError


def whole_number(value: Any, least: int, name: str) -> int:
    """`value` as an int, once it is a whole number of at least `least`.

    Raises:
        UsageError: it is something else; the message names it.
    """
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or int(value) < least:
        raise UsageError(f"{name}: expected a whole number of at least {least}, got {value!r}.")
    return int(value)


def check_tau(tau: Any) -> None:
    """Raise UsageError unless `tau` is "auto" or a distance in [0, 2]."""
    number = isinstance(tau, numbers.Real) and not isinstance(tau, bool)
    if tau != "auto" and not (number and 0 <= float(tau) <= 2):
        raise UsageError(f"tau: expected 'auto' or a distance in [0, 2], got {tau!r}.")


def check_range(value_range: Any) -> tuple[float, float]:
    """The lowest and the highest value of an image, once they are two rising numbers.

    Raises:
        UsageError: they are not.
    """
    try:
        low, high = (float(value) for value in value_range)
    except (TypeError, ValueError):
        low = high = math.nan
    if not (low < high and math.isfinite(low) and math.isfinite(high)):
        raise UsageError(
            f"value_range: expected the lowest and the highest value of generated images, as "
            f"(-1.0, 1.0), got {value_range!r}."
        )
    return low, high


def check_batch(images: Any) -> None:
    """Raise InputError unless `images` is a tensor [b, channels, H, W]."""
    if not isinstance(images, torch.Tensor) or images.ndim != 4:
        given = list(images.shape) if isinstance(images, torch.Tensor) else type(images).__name__
        raise InputError(f"generated images: expected a tensor [b, 3, H, W], got {given}.")
