"""MiFID: the Fréchet distance, made worse for generators that copy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from genmem.errors import UsageError
from genmem.metrics.frechet import fd
from genmem.metrics.memorization_distance import memorization_distance
from genmem.results import Result


def mifid(*, generated: Any, train: Any, tau: float = 0.1, epsilon: float = 1e-15) -> Result:
    """MiFID = FD · penalty, with penalty = 1 / (s + ε) if s < τ, and 1 otherwise.

    Source: Bai et al., KDD 2021, arXiv 2106.03062; s is `memorization_distance`.

    τ belongs to the feature space: 0.1 is the competition's for Inception (public), 0.25 its
    released script's for NASNet (private). No other backbone has a published one; `genmem
    calibrate` finds it from labelled sets once you have them.

    Args:
        generated: float [n, d], one row an image; NumPy (memory-mapped too) or torch.
        train: float [m, d].
        tau: s below it is penalised; in (0, 1].
        epsilon: keeps the penalty finite when s is 0.

    Returns:
        value: MiFID ≥ FD; lower is better.
        parts: `fd`, `memorization_distance`, `penalty` (≥ 1), `penalised`, `tau`, `epsilon`.

    Raises:
        InputError: the arrays are not features of one backbone.
        UsageError: τ or ε is out of range.
    """
    check_tau(tau, epsilon)
    frechet = fd(generated=generated, train=train)
    distance = memorization_distance(generated=generated, train=train)
    found = mifid_from(fd=frechet, distance=distance, tau=tau, epsilon=epsilon)
    return replace(found, notes=(*frechet.notes, *found.notes))


def mifid_from(*, fd: Result, distance: Result, tau: float, epsilon: float = 1e-15) -> Result:
    """`mifid` from its two parts, already computed on the same two sets.

    The notes of FD stay with FD: in a score it stands beside.
    """
    check_tau(tau, epsilon)
    penalised = distance.value < tau
    # s + ε ≤ 1 + ε: the penalty never rewards a generator that is far from the training set.
    penalty = max(1.0, 1.0 / (distance.value + epsilon)) if penalised else 1.0
    return Result(
        name="mifid",
        value=fd.value * penalty,
        n=fd.n,
        parts={
            "fd": fd.value,
            "memorization_distance": distance.value,
            "penalty": penalty,
            "penalised": penalised,
            "tau": tau,
            "epsilon": epsilon,
        },
        notes=distance.notes,
    )


def check_tau(tau: float, epsilon: float = 1e-15) -> None:
    """Raise UsageError unless 0 < τ ≤ 1 and ε > 0."""
    if not 0 < tau <= 1:
        raise UsageError(f"tau: expected a distance in (0, 1], got {tau}.")
    if not epsilon > 0:
        raise UsageError(f"epsilon: expected a positive number, got {epsilon}.")
