"""Which metrics a score holds: asked for by name, or all that the given data allow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from genmem.errors import UsageError
from genmem.metrics.manifold import DENSITY_NEIGHBORHOOD
from genmem.metrics.manifold import NAMES as MANIFOLD_NAMES
from genmem.metrics.mifid import check_tau

METRIC_NAMES = (
    "fd",
    "fd_infinity",
    "inception_score",
    "kd",
    "precision",
    "recall",
    "density",
    "coverage",
    "memorization_distance",
    "mifid",
    "c_t",
    "memorization_ratio",
    "authpct",
    "nn_quantiles",
)
"""All metrics, in reading order."""

PUBLISHED_TAU = {"inception": 0.1, "nasnet": 0.25}
"""MiFID's τ where one was published: the competition's public and private spaces."""

FD_INFINITY_ROWS = 30
"""Fewer rows leave no line to extrapolate."""


@dataclass(frozen=True)
class Plan:
    """What will be computed.

    Attributes:
        names: of METRIC_NAMES, in reading order.
        tau: MiFID's threshold; None when mifid is not computed.
        left_out: sentences on the metrics that could not be computed, and what they need.
    """

    names: tuple[str, ...]
    tau: float | None
    left_out: tuple[str, ...]


def check_names(names: Sequence[str] | None, tau: float | None) -> None:
    """Raise UsageError for unknown metrics or a τ out of range, before any work is done."""
    unknown = [name for name in names or () if name not in METRIC_NAMES]
    if unknown:
        raise UsageError(
            f"unknown metric {unknown[0]!r}; expected some of {', '.join(METRIC_NAMES)}."
        )
    if names is not None and not names:
        raise UsageError(f"no metric was named; expected some of {', '.join(METRIC_NAMES)}.")
    if tau is not None:
        check_tau(tau)


def make_plan(
    names: Sequence[str] | None,
    *,
    tau: float | None,
    backbone: str,
    has_test: bool,
    has_logits: bool,
    rows: int,
) -> Plan:
    """The metrics to compute.

    Args:
        names: asked for by name; None: all that the data allow.
        tau: MiFID's threshold; None: the published one of `backbone`, if there is one.
        backbone: its name; "features" when arrays were given.
        has_test: held-out images were given.
        has_logits: the backbone gives class logits.
        rows: how many rows the smaller of generated and train has.

    Raises:
        UsageError: a metric asked for by name lacks what it needs.
    """
    tau = PUBLISHED_TAU.get(backbone) if tau is None else tau
    lacking = {}
    if not has_logits:
        lacking["inception_score"] = "needs class logits, which only the inception backbone gives"
    if not has_test:
        lacking["c_t"] = "compares with held-out images: give a test set (--test)"
    if tau is None:
        lacking["mifid"] = (
            f"needs a threshold, and none is published for {backbone}: give one (--tau)"
        )
    if rows < FD_INFINITY_ROWS:
        lacking["fd_infinity"] = f"needs at least {FD_INFINITY_ROWS} images a set, got {rows}"
    if rows <= DENSITY_NEIGHBORHOOD:
        for name in MANIFOLD_NAMES:
            lacking[name] = f"needs more than {DENSITY_NEIGHBORHOOD} images a set, got {rows}"
    if names is not None:
        for name in names:
            if name in lacking:
                raise UsageError(f"{name} {lacking[name]}.")
    wanted = METRIC_NAMES if names is None else names
    return Plan(
        names=tuple(name for name in METRIC_NAMES if name in wanted and name not in lacking),
        tau=tau,
        left_out=tuple(f"{name} was left out: it {why}." for name, why in lacking.items())
        if names is None
        else (),
    )
