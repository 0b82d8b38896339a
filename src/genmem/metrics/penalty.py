"""What MiFID multiplies the Fréchet distance with; NumPy alone, so that web servers can load it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genmem.errors import UsageError


def penalty(distance: NDArray[np.float64], tau: float, epsilon: float) -> NDArray[np.float64]:
    """What FD is multiplied with, for many distances at once: 1 / (s + ε) if s < τ, 1 otherwise.

    It is never below 1: a generator far from the training set is not rewarded for it.
    """
    return np.where(distance < tau, np.maximum(1.0, 1.0 / (distance + epsilon)), 1.0)


def check_tau(tau: float, epsilon: float = 1e-15) -> None:
    """Raise UsageError unless 0 < τ ≤ 1 and ε > 0."""
    if not 0 < tau <= 1:
        raise UsageError(f"tau: expected a distance in (0, 1], got {tau}.")
    if not epsilon > 0:
        raise UsageError(f"epsilon: expected a positive number, got {epsilon}.")
