"""Fréchet distance between two sets of features, and its extrapolation to infinitely many.

    FD = ‖μ_g − μ_t‖² + tr Σ_g + tr Σ_t − 2 tr (Σ_g Σ_t)^½

With Σ_g = AᵀA and Σ_t = BᵀB the last trace is the sum of the singular values of ABᵀ, real and
non-negative whatever A and B are: so FD is never complex. A is a Cholesky factor, or, when there
are fewer rows than dimensions, the centred rows themselves; the d × d matrix is then never made.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from array_api_compat import array_namespace, is_torch_array
from numpy.typing import NDArray

from genmem.arrays import (
    as_features,
    block_slices,
    check_at_least,
    check_same_dimension,
    copy_float64,
    take_rows,
    to_numpy,
    too_large,
)
from genmem.metrics.moments import Moments, moments
from genmem.metrics.symmetric_eigen import cholesky, congruence, eigenvalues
from genmem.results import Result
from genmem.set_statistics import Statistics

EPSILON = float(np.finfo(np.float64).eps)
_ACCEPTED_ERROR = 1e-6
"""Relative error of FD above which singular values replace square roots of eigenvalues."""

_FLOAT32_LOSS = 16 * float(np.finfo(np.float32).eps)
"""Relative error of a feature that is computed twice: float32 without its last four bits."""

_POINTS = 15
_FEWEST, _MOST = 5_000, 50_000
_LEAST_FOR_INFINITY = 30


def fd(*, generated: Any, train: Any) -> Result:
    """Fréchet distance (FID when the features are Inception's): 0 for equal mean and covariance.

        FD = ‖μ_g − μ_t‖² + tr(Σ_g + Σ_t − 2 (Σ_g Σ_t)^½),   Σ with 1/(n − 1)

    Heusel et al. 2017, "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash
    Equilibrium", eq. 6; Dowson and Landau 1982. The value is torch-fidelity's, pytorch-fid's and
    clean-fid's, reached otherwise: Σ_t = LLᵀ (Cholesky), and tr (Σ_g Σ_t)^½ = Σ √λ_i of the
    symmetric LᵀΣ_gL. Departures, all where those are inaccurate: a singular covariance is reduced
    to its range (none adds 1e-6 to the diagonal); with no more rows than dimensions the centred
    rows take the place of the factor; when √λ of tiny eigenvalues could cost more than 1e-6 of
    the result (nearly equal sets), singular values are computed instead.

    Args:
        generated: features [n, d], NumPy (memory-mapped too) or torch, or their `Moments`.
        train: features [m, d] of the same kind, or their `Moments`, or `Statistics` of them.

    Returns:
        value; parts: `mean_term` ‖μ_g − μ_t‖², `covariance_term` the rest, `trace_generated`,
        `trace_train`, `trace_of_root` tr (Σ_g Σ_t)^½, and `floor`, up to which FD is 0 but for
        rounding: see `rounding_floor`. A note where a set has no more rows than dimensions, since
        FD is then biased upward most.

    Raises:
        InputError: not finite floating-point features of one dimension with at least two rows.

    Example:
        >>> import numpy as np
        >>> from genmem import fd
        >>> train = np.random.default_rng(0).normal(size=(1000, 4))
        >>> result = fd(generated=train + [1, 0, 0, 0], train=train)
        >>> round(float(result), 6)  # equal covariances, means that are 1 apart
        1.0
    """
    generated_side, train_side = map(gaussian, as_sides(generated=generated, train=train))
    parts = gaussian_distance(generated_side, train_side)
    value = parts["mean_term"] + parts["covariance_term"]
    parts["floor"] = rounding_floor(generated_side, train_side)
    notes = _bias_notes(generated=generated_side, train=train_side)
    if value < 0:
        notes += (f"rounding made the distance {value:.1e}; it is given as 0.",)
    return Result(
        name="fd",
        value=max(value, 0.0),
        n=_counts(generated=generated_side, train=train_side),
        parts=parts,
        notes=notes,
    )


def fd_infinity(*, generated: Any, train: Any, seed: int = 0) -> Result:
    """FD extrapolated to infinitely many generated rows: free of the bias in their number.

    The expectation of FD at N rows is FD∞ + c/N to first order; FD is computed at 15 evenly spaced
    N from 5,000 to all rows, each on a fresh random subset without replacement, and the intercept
    of the least-squares line in 1/N is FD∞. Chong and Forsyth 2020, "Effectively Unbiased FID and
    Inception Score and Where to Find Them", section 3 (random subsets, not their Sobol sequences,
    which take a generator). Departures: with fewer than 10,000 rows the smallest N is half of
    them; the largest N is never above 50,000, the paper's own, so the cost is bounded. The bias in
    the number of training rows remains. Train's factor is computed once for all points.

    Args:
        generated: features [n, d], n ≥ 30, NumPy (memory-mapped too) or torch.
        train: features [m, d] of the same kind, or their `Moments`, or `Statistics` of them.
        seed: of the subsets.

    Returns:
        value, the intercept (which noise may push below 0); parts: `points` (`n` and `fd` of
        each), `slope` (c above), `residual` (root mean square of the fit's residuals).

    Raises:
        InputError: as for `fd`, or fewer than 30 generated rows.
    """
    generated, train = as_sides(generated=as_features(generated, role="generated"), train=train)
    count = int(generated.shape[0])
    check_at_least(
        count, _LEAST_FOR_INFINITY, role="generated", why="the line is fitted over 15 sizes."
    )
    train_side = gaussian(train)
    largest = min(count, _MOST)
    sizes = np.linspace(min(_FEWEST, largest // 2), largest, _POINTS).astype(np.int64)
    random = np.random.default_rng(seed)
    whole = moments(generated) if int(sizes[-1]) > generated.shape[1] else None
    values = []
    for size in sizes:
        order = random.permutation(count)
        parts = gaussian_distance(_subset(generated, order, int(size), whole), train_side)
        values.append(parts["mean_term"] + parts["covariance_term"])
    slope, intercept = np.polyfit(1.0 / sizes, values, 1)
    residuals = np.asarray(values) - (intercept + slope / sizes)
    notes = ()
    if int(sizes[0]) <= train_side.dimension:
        notes = (
            f"the smallest subset ({int(sizes[0])} rows) has no more rows than dimensions "
            f"({train_side.dimension}): the line in 1/N is a rough one.",
        )
    return Result(
        name="fd_infinity",
        value=float(intercept),
        n={"generated": count, **_counts(train=train_side)},
        parts={
            "points": [{"n": int(n), "fd": float(v)} for n, v in zip(sizes, values, strict=True)],
            "slope": float(slope),
            "residual": float(np.sqrt(np.mean(residuals**2))),
            "fit": "least squares of fd on 1/n",
        },
        seed=seed,
        notes=notes,
    )


def _subset(generated: Any, order: NDArray[np.int64], size: int, whole: Moments | None) -> Gaussian:
    """The normal distribution of the first `size` rows in an order.

    Where they are most of the rows, their moments are those of all without those of the others.
    """
    if whole is None or size <= int(generated.shape[1]) or 2 * size <= len(order):
        return gaussian(generated, np.sort(order[:size]))
    if size == len(order):
        return gaussian(whole)
    others = Moments()
    rest = np.sort(order[size:])
    for part in block_slices(len(rest), int(generated.shape[1])):
        others.update(take_rows(generated, rest[part]))
    return gaussian(whole.without(others))


def as_sides(*, generated: Any, train: Any) -> tuple[Any, Any]:
    """Both sides of a Fréchet distance as features, `Moments` or `Statistics`.

    Raises:
        InputError: they are not features, not of one dimension, or of fewer than two rows.
    """
    sides, shaped = [], {}
    for role, side in (("generated", generated), ("train", train)):
        if isinstance(side, Statistics):
            shaped[role] = side.sigma
            sides.append(side)
        elif isinstance(side, Moments):
            check_at_least(side.count, 2, role=role, why="a covariance takes two.")
            shaped[role] = side.scatter
            sides.append(side)
        else:
            shaped[role] = as_features(side, role=role)
            check_at_least(int(shaped[role].shape[0]), 2, role=role, why="a covariance takes two.")
            sides.append(shaped[role])
    check_same_dimension(**shaped)
    return sides[0], sides[1]


def _bias_notes(**sides: Gaussian) -> tuple[str, ...]:
    few = {
        role: side
        for role, side in sides.items()
        if side.count is not None and side.count <= side.dimension
    }
    if not few:
        return ()
    counts = " and ".join(f"{role} ({side.count:,} rows)" for role, side in few.items())
    dimension = next(iter(few.values())).dimension
    return (
        f"{counts}: no more rows than the {dimension:,} dimensions, so a singular "
        "covariance, and FD is biased upward. Compare only values from the same number of rows, "
        "or give more.",
    )


def _counts(**sides: Gaussian) -> dict[str, int]:
    """Rows by role, where they are known."""
    return {role: side.count for role, side in sides.items() if side.count is not None}


def gaussian(features: Any, rows: NDArray[np.int64] | None = None) -> Gaussian:
    """The normal distribution of `features`, or of some of its rows.

    Args:
        features: features [n, d], `Moments` or `Statistics`.
        rows: of features, int64 indices [m]; None for all.
    """
    if isinstance(features, Statistics):
        return Gaussian(features.count, features.mu, covariance=features.sigma)
    if isinstance(features, Moments):
        mean, covariance = features.compute()
        return Gaussian(features.count, mean, covariance=covariance)
    count = int(features.shape[0]) if rows is None else len(rows)
    dimension = int(features.shape[1])
    if count <= dimension:
        centred = copy_float64(features, slice(0, count) if rows is None else rows)
        mean = centred.mean(0)
        centred -= mean
        centred /= (count - 1) ** 0.5
        return Gaussian(count, mean, root=centred)
    accumulator = Moments()
    for part in block_slices(count, dimension):
        accumulator.update(features[part] if rows is None else take_rows(features, rows[part]))
    return gaussian(accumulator)


def gaussian_distance(generated: Gaussian, train: Gaussian) -> dict[str, float]:
    """The parts of `fd` of two normal distributions, their sum not yet taken and not clipped."""
    if is_torch_array(generated.mean) != is_torch_array(train.mean):
        generated, train = generated.on_cpu(), train.on_cpu()
    first, second = train, generated
    if train.root is None and (generated.root is not None or train.cholesky is None):
        first, second = generated, train
    difference = generated.mean - train.mean
    with np.errstate(over="ignore"):
        mean_term = float(difference @ difference)
        traces = generated.trace + train.trace
    if not np.isfinite((mean_term + traces) * traces):  # so large is Σ_g Σ_t
        raise too_large("generated and train")
    trace_of_root, error = _trace_of_root(first, second)
    value = mean_term + traces - 2 * trace_of_root
    if 2 * error > _ACCEPTED_ERROR * abs(value) + 8 * EPSILON * traces:
        trace_of_root = _sum_of_singular_values(first, second)
    return {
        "mean_term": mean_term,
        "covariance_term": traces - 2 * trace_of_root,
        "trace_generated": generated.trace,
        "trace_train": train.trace,
        "trace_of_root": trace_of_root,
    }


def _trace_of_root(first: Gaussian, second: Gaussian) -> tuple[float, float]:
    """tr (Σ₁Σ₂)^½ = Σ √λ_i of AΣ₂Aᵀ, Σ₁ = AᵀA, and an estimate of its rounding error.

    An eigenvalue λ of a matrix of norm ‖M‖ is known to about √d·ε‖M‖ = δ, so √λ to δ/(2√λ), with
    either sign; where λ ≤ δ nothing but 0 ≤ √λ ≤ √δ is known.
    """
    A = first.factor
    if second.root is not None:
        C = A @ second.root.T
        M = C @ C.T if C.shape[0] <= C.shape[1] else C.T @ C
    elif A is first.cholesky:
        M = congruence(A, second.covariance)
    else:
        M = A @ second.covariance @ A.T
    rank = min(first.rank, second.rank)
    spectrum = eigenvalues(M)[-rank:]
    delta = first.dimension**0.5 * EPSILON * max(float(spectrum[-1]), 0.0)
    known = spectrum[spectrum > delta]
    error = float(np.sqrt(np.sum(delta**2 / (4 * known))))
    error += (len(spectrum) - len(known)) * delta**0.5
    return float(np.sqrt(np.clip(spectrum, 0, None)).sum()), error


def _sum_of_singular_values(first: Gaussian, second: Gaussian) -> float:
    """tr (Σ₁Σ₂)^½ as the sum of the singular values of ABᵀ: slower, each exact to ε‖ABᵀ‖."""
    xp = array_namespace(first.factor)
    return float(xp.linalg.svdvals(first.factor @ second.factor.T).sum())


def rounding_floor(generated: Gaussian, train: Gaussian) -> float:
    """The largest FD of one set of images given twice, in any order and any number of times.

        floor = (√c_g − √c_t)² tr S + 4dε₆₄ T + (16ε₃₂)² (T + ‖μ_g‖² + ‖μ_t‖²)

    T = tr Σ_g + tr Σ_t. First term: covariances are c S with c = n/(n − 1) and S over n, so sets
    of one distribution and other n differ by this. Second: each of the d singular values has an
    error of about ε₆₄T; at most 1.02 dε₆₄T was found over permutations of sets with spectra down to
    1e-24 (`tests/metrics/test_replay.py`). Third: features are float32, and noise of relative size
    δ adds at most δ² of the rows' mean square to FD; at most 0.33 ε₃₂² was found at δ = 1e-7.
    """
    traces = generated.trace + train.trace
    squares = sum(float((side.mean * side.mean).sum()) for side in (generated, train))
    floor = 4 * generated.dimension * EPSILON * traces + _FLOAT32_LOSS**2 * (traces + squares)
    if generated.count is None or train.count is None:
        return floor
    scales = [side.count / (side.count - 1) for side in (generated, train) if side.count]
    spread = min(generated.trace / scales[0], train.trace / scales[1])
    return floor + (scales[0] ** 0.5 - scales[1] ** 0.5) ** 2 * spread


@dataclass(frozen=True)
class Gaussian:
    """A fitted normal distribution, its covariance given as a matrix or as rootᵀ root.

    Attributes:
        count: rows it was fitted to; None where that is unknown.
        mean: float64 [d].
        covariance: float64 [d, d]; None where `root` is given.
        root: float64 [count, d], count ≤ d: the centred rows / √(count − 1); or None.
    """

    count: int | None
    mean: Any
    covariance: Any = None
    root: Any = None

    @property
    def dimension(self) -> int:
        """The length of a row, d."""
        return int(self.mean.shape[0])

    @property
    def rank(self) -> int:
        """The largest rank the covariance can have."""
        return self.dimension if self.count is None else min(self.count - 1, self.dimension)

    @cached_property
    def trace(self) -> float:
        """tr Σ."""
        if self.root is not None:
            return float((self.root * self.root).sum())
        return float(array_namespace(self.covariance).linalg.diagonal(self.covariance).sum())

    @cached_property
    def cholesky(self) -> Any:
        """Lᵀ with LLᵀ = Σ; None where Σ is singular to rounding, or not a matrix here."""
        if self.covariance is None or self.rank < self.dimension:
            return None
        upper = cholesky(self.covariance)
        if upper is None:
            return None
        pivots = to_numpy(array_namespace(upper).linalg.diagonal(upper)) ** 2
        if pivots.min() <= self.dimension * EPSILON * pivots.max():
            return None
        return upper

    @cached_property
    def factor(self) -> Any:
        """A [r, d] with AᵀA = Σ and r at least its rank."""
        if self.root is not None:
            return self.root
        if self.cholesky is not None:
            return self.cholesky
        # Σ = VΛVᵀ restricted to its range, where Λ is above rounding.
        spectrum, vectors = array_namespace(self.covariance).linalg.eigh(self.covariance)
        lowest = self.dimension * EPSILON * float(spectrum[-1])
        rank = max(1, min(self.rank, int((spectrum > lowest).sum())))
        scale = spectrum[-rank:].clip(0) ** 0.5
        return (vectors[:, -rank:] * scale).T

    def on_cpu(self) -> Gaussian:
        """The same with NumPy arrays."""
        return Gaussian(
            self.count,
            to_numpy(self.mean),
            None if self.covariance is None else to_numpy(self.covariance),
            None if self.root is None else to_numpy(self.root),
        )
