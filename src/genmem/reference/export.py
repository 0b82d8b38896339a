"""Mean and covariance of a reference's training set, as other tools read them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from genmem.errors import UsageError
from genmem.io.atomic import atomic_write, check_writable
from genmem.reference.reference import Reference

Format = Literal["pytorch-fid", "clean-fid", "adm"]

FORMATS: tuple[Format, ...] = ("pytorch-fid", "clean-fid", "adm")


def export_statistics(
    reference: Reference, file: str | Path, *, format: Format, backbone: str | None = None
) -> None:
    """Write an .npz file with `mu` [d] and `sigma` [d, d], float64, covariance with 1/(n − 1).

    pytorch-fid and torch-fidelity take the file as one of the two inputs, clean-fid as the
    statistics of a custom data set. ADM's evaluator reads `mu` and `sigma` of its reference batch;
    the spatial statistics of its sFID (`mu_s`, `sigma_s`) are of features that genmem does not
    compute, and are left out.

    Args:
        reference: whose training set.
        file: to write, .npz.
        format: of the tool.
        backbone: the feature space; None for the first.

    Raises:
        UsageError: the format or the space is unknown, or the file cannot be written.
    """
    if format not in FORMATS:
        raise UsageError(f"format: expected one of {', '.join(FORMATS)}, got {format!r}.")
    check_writable(file, suffixes=(".npz",))
    mu, sigma = reference.space(backbone).moments.compute()
    with atomic_write(file) as stream:
        np.savez(stream, mu=mu, sigma=sigma)
