"""`Statistics`: mean and covariance of a set's features, where the rows themselves are not here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from genmem.arrays import as_array, to_numpy
from genmem.errors import InputError

_ROUNDING = float(np.finfo(np.float32).eps)
"""Asymmetry, over the largest entry, and negative eigenvalues, over the trace, that count as 0:
many tools compute in float32."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Statistics:
    """Mean and covariance of the features of a set. They are no rows: only FD can be computed.

    Attributes:
        mu: float64 [d], the mean.
        sigma: float64 [d, d], the covariance with 1/(n − 1), as numpy.cov gives it.
        count: n, the rows they were computed from; None where a file does not say.
        layout: whose layout the file has ("pytorch-fid", "ADM"); "" in memory.
    """

    mu: NDArray[np.float64]
    sigma: NDArray[np.float64]
    count: int | None = None
    layout: str = ""

    why_no_array: ClassVar[str] = "statistics (mu and sigma) hold no rows, and serve FD only"

    def __post_init__(self) -> None:
        """Raise InputError unless `mu` and `sigma` are a mean and a covariance."""
        mu, sigma = (_as_float64(name, getattr(self, name)) for name in ("mu", "sigma"))
        if mu.ndim != 1 or not mu.size or sigma.shape != (mu.size, mu.size):
            raise InputError(
                "statistics: expected mu [d] and sigma [d, d], got shapes "
                f"{list(mu.shape)} and {list(sigma.shape)}."
            )
        for name, values in (("mu", mu), ("sigma", sigma)):
            if not np.isfinite(values).all():
                raise InputError(f"statistics: {name} holds NaN or infinity. Compute it again.")
        asymmetry = float(np.abs(sigma - sigma.T).max())
        if asymmetry > _ROUNDING * float(np.abs(sigma).max()):
            raise InputError(
                "statistics: expected sigma to be symmetric, as a covariance is, but it differs "
                f"from its transpose by up to {asymmetry:.3g}."
            )
        sigma = (sigma + sigma.T) / 2
        _check_positive(sigma)
        object.__setattr__(self, "mu", mu)
        object.__setattr__(self, "sigma", sigma)

    @property
    def dimension(self) -> int:
        """The number of features, d."""
        return self.mu.size


def _as_float64(name: str, values: object) -> NDArray[np.float64]:
    array = to_numpy(as_array(values, role=f"statistics: {name}"))
    if array.dtype.kind != "f":
        raise InputError(f"statistics: expected {name} to be floating point, got {array.dtype}.")
    return array.astype(np.float64)


def _check_positive(sigma: NDArray[np.float64]) -> None:
    """Refuse a matrix with an eigenvalue that is negative beyond rounding."""
    allowed = _ROUNDING * max(float(np.trace(sigma)), 0.0)
    shifted = sigma + allowed * np.eye(len(sigma))
    try:
        np.linalg.cholesky(shifted)
    except np.linalg.LinAlgError:
        lowest = float(np.linalg.eigvalsh(sigma)[0])
        if lowest < -allowed:
            raise InputError(
                "statistics: expected sigma to be a covariance, without negative eigenvalues, but "
                f"the lowest is {lowest:.3g}."
            ) from None
