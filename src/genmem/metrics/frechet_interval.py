"""How much the Fréchet distance depends on which images were generated: its interval."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from array_api_compat import is_torch_array
from numpy.typing import NDArray

from genmem.arrays import as_features, block_slices, check_at_least, copy_float64, to_numpy
from genmem.metrics.frechet import EPSILON, Gaussian, as_sides, gaussian
from genmem.metrics.frechet import fd as fd
from genmem.metrics.intervals import LEVEL, NO_INTERVAL, NORMAL
from genmem.metrics.moments import Moments
from genmem.metrics.symmetric_eigen import congruence, eigenvectors
from genmem.results import Interval, Result


def fd_with_interval(
    *,
    distance: Result,
    influence: NDArray[np.float64] | None,
    fd_infinity: Result | None = None,
) -> Result:
    """`fd` with its interval, and a note on the bias that the interval leaves out.

    Args:
        distance: the result of `fd`.
        influence: float64 [n], of `fd_influence`; None where n ≤ d, which gives no interval.
        fd_infinity: tells the size of the bias; None where it was not computed.
    """
    result = distance
    if influence is None:
        return replace(result, notes=(*result.notes, NO_INTERVAL))
    return replace(
        result,
        interval=fd_interval(value=result.value, influence=influence),
        notes=(*result.notes, bias_note(result, fd_infinity)),
    )


def bias_note(distance: Result, fd_infinity: Result | None = None) -> str:
    """What an interval of FD, or of a multiple of it, leaves out, as a sentence.

    Args:
        distance: FD.
        fd_infinity: as in `fd_with_interval`.
    """
    count = distance.n["generated"]
    bias = 0.0 if fd_infinity is None else fd_infinity.parts["slope"] / count
    size = f" (about {bias:.2g} here, by fd_infinity)" if bias > 0 else ""
    return (
        f"the interval tells of the choice of {count:,} generated images; the upward bias of FD "
        f"for their number{size} is not in it."
    )


def fd_influence(
    *, generated: Any, train: Any, moments: Moments | None = None
) -> NDArray[np.float64]:
    """What each generated row adds to FD, to first order: FD's derivative in that row's weight.

        IF(x) = 2 (μ_g − μ_t)ᵀ(x − μ_g) + (x − μ_g)ᵀ (I − T) (x − μ_g) − tr((I − T) Σ_g)
        T     = L (LᵀΣ_gL)^(−½) Lᵀ,   Σ_t = LLᵀ

    I − T is the derivative of tr(Σ_g + Σ_t − 2 (Σ_g Σ_t)^½) in Σ_g; T maps one normal distribution
    onto the other (TΣ_gT = Σ_t). Derivative: Bhatia, Jain and Lim 2019, "On the Bures–Wasserstein
    distance between positive definite matrices"; influence: Hampel 1974.

    Args:
        generated: features [n, d], n > d, NumPy (memory-mapped too) or torch.
        train: features [m, d] of the same kind, or their `Moments`, or `Statistics` of them.
        moments: of `generated`, where they are known already.

    Returns:
        float64 [n], of mean 0, each to a relative error of about 1e-5: products are in float32.

    Raises:
        InputError: as for `fd`, or no more generated rows than dimensions.
    """
    generated, train = as_sides(generated=as_features(generated, role="generated"), train=train)
    count, dimension = (int(length) for length in generated.shape)
    check_at_least(
        count,
        dimension + 1,
        role="generated",
        why="an interval of FD takes more rows than dimensions.",
    )
    ours = gaussian(generated if moments is None else moments)
    theirs = gaussian(train)
    if is_torch_array(ours.mean) != is_torch_array(theirs.mean):
        ours, theirs = ours.on_cpu(), theirs.on_cpu()
    quadratic = to_numpy(_derivative(ours, theirs)).astype(np.float32)
    linear = to_numpy(2 * (ours.mean - theirs.mean)).astype(np.float32)
    mean = to_numpy(ours.mean)
    out = np.empty(count)
    for part in block_slices(count, dimension):
        rows = copy_float64(generated, part)
        if is_torch_array(rows):
            import torch

            at = rows.device
            centred = (rows - torch.from_numpy(mean).to(at)).float()
            values = (centred @ torch.from_numpy(quadratic).to(at)).mul_(centred).sum(1)
            out[part] = to_numpy(values + centred @ torch.from_numpy(linear).to(at))
            continue
        rows -= mean
        centred = rows.astype(np.float32)
        out[part] = np.einsum("ij,ij->i", centred @ quadratic, centred) + centred @ linear
    return out - out.mean()


def fd_interval(*, value: float, influence: NDArray[np.float64]) -> Interval:
    """FD ± 1.96 s/√n, s the deviation of the influence: the delta method.

    It tells how FD would vary with other n images of the same generator, training images held
    fixed. FD's upward bias of about c/n (the slope of `fd_infinity`, over n) is not in it. Where
    the two distributions are nearly the same, so that FD is little but that bias, the interval is
    up to 1.6 times as wide as need be (measured; simulations found none too narrow).

    Args:
        value: FD.
        influence: float64 [n], of `fd_influence`.
    """
    half = NORMAL * float(influence.std(ddof=1)) / math.sqrt(len(influence))
    return Interval(
        low=max(value - half, 0.0),
        high=value + half,
        level=LEVEL,
        method="delta method over the generated images, training images held fixed; without bias",
    )


def _derivative(ours: Gaussian, theirs: Gaussian) -> Any:
    """I − T, float64 [d, d]; directions in which one of the two has no variance are left to I."""
    A = theirs.factor
    S_g = ours.covariance
    M = congruence(A, S_g) if A is theirs.cholesky else A @ S_g @ A.T
    spectrum, V = eigenvectors(M)
    above = spectrum > ours.dimension**0.5 * EPSILON * max(float(spectrum[-1]), 0.0)
    S = (V[:, above] * spectrum[above] ** -0.25).T @ A
    gradient = -(S.T @ S)
    gradient[range(ours.dimension), range(ours.dimension)] += 1.0
    return gradient
