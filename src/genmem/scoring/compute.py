"""The metrics of a plan on feature arrays, each shared piece of work done once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from genmem.arrays import take_rows
from genmem.errors import InputError
from genmem.metrics.authpct import authpct_from
from genmem.metrics.c_t import c_t_from_distances
from genmem.metrics.copied_fraction import copied_fraction_from
from genmem.metrics.frechet import fd, fd_infinity
from genmem.metrics.frechet_interval import fd_interval
from genmem.metrics.inception_score import inception_score
from genmem.metrics.kid import kd
from genmem.metrics.memorization_distance import memorization_distance_from, zero_rows
from genmem.metrics.memorization_ratio import memorization_ratio_from
from genmem.metrics.mifid import mifid_from, mifid_interval
from genmem.metrics.nearest_quantiles import nn_quantiles_from
from genmem.metrics.prdc import NAMES as MANIFOLD_NAMES
from genmem.metrics.prdc import manifold
from genmem.results import Result
from genmem.scoring.plan import Plan
from genmem.scoring.shared_searches import Sets

MANIFOLD_ROWS = 5_000
"""Rows per set for precision, recall, density and coverage, whose cost grows with the square."""


def measure(sets: Sets, plan: Plan, *, seed: int) -> tuple[dict[str, Result], list[str]]:
    """Compute the metrics of `plan`, in its order.

    Returns:
        the results by name; and, where the metrics were not asked for by name, a sentence on each
        that these data do not allow.

    Raises:
        InputError: a metric asked for by name cannot be computed on these data.
    """
    found: dict[str, Result] = {}
    left_out: list[str] = []
    for name in plan.names:
        if name in found:
            continue
        try:
            if name in MANIFOLD_NAMES:
                wanted = [other for other in plan.names if other in MANIFOLD_NAMES]
                found.update(_manifold(sets, wanted, seed))
            else:
                found[name] = _METRICS[name](sets, plan, found, seed)
        except InputError as error:
            if plan.chosen:
                raise
            left_out.append(f"{name} was left out: {error}")
    found |= _with_bias_note(found)
    return {name: found[name] for name in plan.names if name in found}, left_out


def _fd(sets: Sets, plan: Plan, found: dict[str, Result], seed: int) -> Result:
    generated, train = sets.generated_moments, sets.train_moments
    with sets.timed("fd"):
        result = fd(generated=generated, train=train)
    if sets.influence is None:
        return replace(result, notes=(*result.notes, _NO_INTERVAL))
    interval = fd_interval(value=result.value, influence=sets.influence)
    return replace(result, interval=interval)


_NO_INTERVAL = "no confidence interval: it takes more generated rows than dimensions."


def _with_bias_note(found: dict[str, Result]) -> dict[str, Result]:
    """FD with the words that its interval leaves its bias out, of which FD∞ knows the size."""
    result = found.get("fd")
    if result is None or result.interval is None:
        return {}
    count = result.n["generated"]
    size = ""
    if "fd_infinity" in found:
        bias = found["fd_infinity"].parts["slope"] / count
        size = f" (about {bias:.2g} here, by fd_infinity)" if bias > 0 else ""
    note = (
        f"the interval tells of the choice of {count:,} generated images; the upward bias of "
        f"their number{size} is not in it."
    )
    return {"fd": replace(result, notes=(*result.notes, note))}


def _fd_infinity(sets: Sets, plan: Plan, found: dict[str, Result], seed: int) -> Result:
    train = sets.train_moments
    with sets.timed("fd_infinity"):
        return fd_infinity(generated=sets.generated, train=train, seed=seed)


def _inception_score(sets: Sets, plan: Plan, found: dict[str, Result], seed: int) -> Result:
    with sets.timed("inception_score"):
        return inception_score(logits=sets.logits, seed=seed)


def _kd(sets: Sets, plan: Plan, found: dict[str, Result], seed: int) -> Result:
    with sets.timed("kd"):
        return kd(generated=sets.generated, train=sets.train, seed=seed)


def _memorization_distance(sets: Sets, plan: Plan, found: dict[str, Result], seed: int) -> Result:
    nearest_rows = sets.generated_nearest
    return memorization_distance_from(
        distances=nearest_rows.distances[:, 0],
        zero_rows=zero_rows(sets.generated),
        train_rows=int(sets.train.shape[0]),
    )


def _mifid(sets: Sets, plan: Plan, found: dict[str, Result], seed: int) -> Result:
    if plan.tau is None:
        raise AssertionError("a plan with mifid has a tau")
    distance = found.get("memorization_distance")
    result = mifid_from(
        fd=found.get("fd") or _fd(sets, plan, found, seed),
        distance=distance or _memorization_distance(sets, plan, found, seed),
        tau=plan.tau,
    )
    if sets.influence is None:
        return replace(result, notes=(*result.notes, _NO_INTERVAL))
    near, influence = sets.generated_nearest, sets.influence
    with sets.timed("intervals"):
        return mifid_interval(
            found=result,
            influence=influence,
            distances=near.distances[:, 0],
            zero_rows=zero_rows(sets.generated),
            seed=seed,
        )


def _c_t(sets: Sets, plan: Plan, found: dict[str, Result], seed: int) -> Result:
    generated, test = sets.generated_nearest, sets.test_nearest
    return c_t_from_distances(
        generated=generated.distances[:, 0],
        test=test.distances[:, 0],
        train_rows=int(sets.train.shape[0]),
    )


def _copied_fraction(sets: Sets, plan: Plan, found: dict[str, Result], seed: int) -> Result:
    generated, test = sets.generated_nearest, sets.test_nearest
    with sets.timed("copied_fraction"):
        return copied_fraction_from(
            generated=generated.distances[:, 0],
            test=test.distances[:, 0],
            train_rows=int(sets.train.shape[0]),
        )


def _memorization_ratio(sets: Sets, plan: Plan, found: dict[str, Result], seed: int) -> Result:
    two, duplicates = sets.two_nearest
    return memorization_ratio_from(
        found=two, duplicates=duplicates, train_rows=int(sets.train.shape[0])
    )


def _authpct(sets: Sets, plan: Plan, found: dict[str, Result], seed: int) -> Result:
    two, _ = sets.two_nearest
    with sets.timed("authpct"):
        return authpct_from(found=two, train=sets.train)


def _nn_quantiles(sets: Sets, plan: Plan, found: dict[str, Result], seed: int) -> Result:
    test = None if sets.test is None else sets.test_nearest.distances[:, 0]
    return nn_quantiles_from(
        generated=sets.generated_nearest.distances[:, 0],
        test=test,
        train_rows=int(sets.train.shape[0]),
    )


_METRICS: dict[str, Callable[[Sets, Plan, dict[str, Result], int], Result]] = {
    "fd": _fd,
    "fd_infinity": _fd_infinity,
    "inception_score": _inception_score,
    "kd": _kd,
    "memorization_distance": _memorization_distance,
    "mifid": _mifid,
    "c_t": _c_t,
    "copied_fraction": _copied_fraction,
    "memorization_ratio": _memorization_ratio,
    "authpct": _authpct,
    "nn_quantiles": _nn_quantiles,
}


def _manifold(sets: Sets, names: list[str], seed: int) -> dict[str, Result]:
    """Precision, recall, density and coverage on equally large random subsets.

    Balls shrink as a set grows, so unequal sets would be compared unfairly; and the search of a
    set in itself grows with its square. The subsets are drawn once, with the score's seed.
    """
    rows = {"generated": int(sets.generated.shape[0]), "train": int(sets.train.shape[0])}
    size = min(MANIFOLD_ROWS, *rows.values())
    rng = np.random.default_rng(seed)
    generated = _subset(sets.generated, size, rng)
    train = _subset(sets.train, size, rng)
    with sets.timed("precision, recall, density, coverage"):
        found = manifold(generated=generated, train=train, names=names)
    notes = tuple(
        f"on a random {size:,} of {count:,} {role} rows: the four compare sets of equal size."
        for role, count in rows.items()
        if count > size
    )
    return {name: replace(result, notes=notes, seed=seed) for name, result in found.items()}


def _subset(features: Any, size: int, rng: np.random.Generator) -> Any:
    count = int(features.shape[0])
    if count == size:
        return features
    return take_rows(features, np.sort(rng.choice(count, size, replace=False)))
