"""Kernel distance, or KID: the unbiased squared MMD of two sets under a polynomial kernel."""

from __future__ import annotations

from typing import Any

import numpy as np
from array_api_compat import is_torch_array
from numpy.typing import NDArray

from genmem.arrays import (
    as_feature_sets,
    check_at_least,
    row_counts,
    take_rows,
    to_numpy,
    too_large,
)
from genmem.errors import UsageError
from genmem.results import Result

_PRODUCT_ROWS = 4_096
"""Rows of the joint kernel matrix whose products are held at once; by default it has 2,000."""

_CACHED_ROWS = 8
"""Rows of it that are cubed at once: with 1,000 columns 64 KiB of float64, in the cache."""


def kd(
    *, generated: Any, train: Any, subsets: int = 100, subset_size: int = 1_000, seed: int = 0
) -> Result:
    """Kernel distance (KID when the features are Inception's): 0 in expectation for one source.

        k(x, y) = (xᵀy / d + 1)³
        MMD²_u = Σ_{i≠j} k(x_i, x_j) / m(m−1) + Σ_{i≠j} k(y_i, y_j) / m(m−1) − 2 Σ k(x_i, y_j) / m²

    Bińkowski et al. 2018, "Demystifying MMD GANs", section 4; the mean over `subsets` pairs of
    random subsets of m rows. The subsets are drawn in torch-fidelity's order (one
    `numpy.random.RandomState(seed)`; for each subset `choice` without replacement from generated,
    its first input, then from train), so the same seed compares the same rows.

    Departures: the difference of near-equal sums is kept in float64 where torch-fidelity sums
    float32 kernels. On the CPU the products of float32 features are taken about their mean in
    float32, which leaves about 1e-10 in the value at unit kernel scale (a relative 1e-6 at a
    distance of 1e-4); float64 features and CUDA tensors are multiplied in float64 throughout.

    Args:
        generated: features [n, d], NumPy (memory-mapped too) or torch.
        train: features [m, d] of the same kind.
        subsets: pairs of subsets.
        subset_size: rows in each; the smaller set's number of rows where that is less.
        seed: of the subsets.

    Returns:
        value, which noise may push below 0; parts: `deviation` (standard deviation over subsets,
        divided by their number, as torch-fidelity reports), `subsets`, `subset_size`.

    Raises:
        InputError: not finite floating-point features of one dimension with at least two rows, or
            features so large that their products overflow.
        UsageError: no subsets, or subsets of fewer than two rows.

    Example:
        >>> import numpy as np
        >>> from genmem import kd
        >>> rng = np.random.default_rng(0)
        >>> train, honest = rng.normal(size=(2, 1000, 4))
        >>> float(kd(generated=honest + 1, train=train)) > float(kd(generated=honest, train=train))
        True
    """
    sets = as_feature_sets(generated=generated, train=train)
    counts = row_counts(sets)
    for role, count in counts.items():
        check_at_least(count, 2, role=role, why="the kernel is summed over pairs of rows.")
    if subsets < 1 or subset_size < 2:
        raise UsageError(
            "kd: expected subsets ≥ 1 and subset_size ≥ 2, got "
            f"subsets={subsets} and subset_size={subset_size}."
        )
    size = min(subset_size, *counts.values())
    random = np.random.RandomState(seed)
    drawn: list[Any] = []
    for _ in range(subsets):
        chosen = random.choice(counts["generated"], size, replace=False)
        chosen_train = random.choice(counts["train"], size, replace=False)
        with np.errstate(over="ignore", invalid="ignore"):
            drawn.append(_mmd(_take(sets["generated"], chosen), _take(sets["train"], chosen_train)))
    if is_torch_array(drawn[0]):
        import torch

        values = to_numpy(torch.stack(drawn))  # a GPU computes all subsets before it is waited for
    else:
        values = np.array(drawn)
    if not np.isfinite(values).all():
        raise too_large("generated and train")
    notes = ()
    if size < subset_size:
        notes = (
            f"a set has fewer than {subset_size} rows, so subsets of {size} were compared: the "
            "value stays unbiased, its deviation is larger.",
        )
    return Result(
        name="kd",
        value=float(values.mean()),
        n=counts,
        parts={"deviation": float(values.std()), "subsets": subsets, "subset_size": size},
        seed=seed,
        notes=notes,
    )


def _take(features: Any, rows: NDArray[np.int64]) -> Any:
    """The rows as NumPy float32 or float64, or as a float64 tensor where they are on CUDA."""
    taken = take_rows(features, rows)
    if is_torch_array(taken):
        import torch

        if taken.device.type == "cuda":
            return taken.to(torch.float64)
        taken = taken.cpu()
        taken = (taken if taken.dtype == torch.float64 else taken.to(torch.float32)).numpy()
    return taken if taken.dtype == np.float64 else taken.astype(np.float32, copy=False)


def _mmd(x: Any, y: Any) -> Any:
    """The unbiased MMD² of two subsets of m rows, from one symmetric product of z = (x, y).

    A float; for tensors a float64 scalar on their device.
    """
    size, dimension = (int(length) for length in x.shape)
    z, along, offset = _centred(x, y)
    column_bias = along + (dimension + offset)
    within = across = 0.0
    for start in range(0, 2 * size, _PRODUCT_ROWS):
        products = z[start : start + _PRODUCT_ROWS] @ z.T
        stop = start + int(products.shape[0])
        row_bias, split = along[start:stop], max(size - start, 0)
        x_rows, y_rows = products[:split], products[split:]
        within += _sum_of_cubes(x_rows[:, :size], row_bias[:split], column_bias[:size])
        across += _sum_of_cubes(x_rows[:, size:], row_bias[:split], column_bias[size:])
        within += _sum_of_cubes(y_rows[:, size:], row_bias[split:], column_bias[size:])
        diagonal = products[:, start:stop].diagonal() + along[start:stop] + column_bias[start:stop]
        within -= (diagonal**3).sum()
    # The kernel's 1/d³ stands outside the sums.
    return (within / (size * (size - 1)) - 2 * across / size**2) / dimension**3


def _sum_of_cubes(products: Any, row_bias: Any, column_bias: Any) -> Any:
    """Σ (products_ij + row_bias_i + column_bias_j)³ in float64, a scalar like `products`."""
    total = 0.0
    rows = int(products.shape[0])
    step = _CACHED_ROWS if isinstance(products, np.ndarray) else max(1, rows)
    for start in range(0, rows, step):
        kernel = products[start : start + step] + column_bias
        kernel += row_bias[start : start + step, None]
        kernel = kernel.reshape(-1)
        total += (kernel * kernel) @ kernel
    return total


def _centred(x: Any, y: Any) -> tuple[Any, Any, float]:
    """z = (x, y) − c, [2m, d], with zᵀc, float64 [2m], and cᵀc, so that

        (zᵢ + c)ᵀ(zⱼ + c) = zᵢᵀzⱼ + zᵢᵀc + zⱼᵀc + cᵀc

    Any c will do; one near the mean leaves small float32 products with small errors. An error in
    zᵢᵀc hardly counts: it is the same wherever row i is. In float64 c = 0.
    """
    if is_torch_array(x) or is_torch_array(y):
        import torch

        device = x.device if is_torch_array(x) else y.device
        z = torch.cat(
            [torch.as_tensor(part, dtype=torch.float64, device=device) for part in (x, y)]
        )
        return z, torch.zeros(len(z), dtype=torch.float64, device=device), 0.0
    z = np.concatenate([x, y])
    if z.dtype == np.float64:
        return z, np.zeros(len(z)), 0.0
    centre = z[::16].mean(0)
    z -= centre
    exact = centre.astype(np.float64)
    return z, (z @ centre).astype(np.float64), float(exact @ exact)
