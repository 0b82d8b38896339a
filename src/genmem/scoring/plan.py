"""Which metrics a score holds: asked for by name, or all that the given data allow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from genmem.errors import UsageError
from genmem.metrics.mifid import check_tau
from genmem.metrics.registry import METRIC_NAMES

PUBLISHED_TAU = {"inception": 0.1, "nasnet": 0.25}
"""MiFID's τ where one was published: the competition's public and private spaces."""


@dataclass(frozen=True)
class Plan:
    """What will be computed.

    Attributes:
        names: of METRIC_NAMES, in reading order.
        tau: MiFID's threshold; None when mifid is not computed.
        chosen: the metrics were asked for by name, so that one which cannot be computed is an
            error; otherwise it is left out.
        left_out: sentences on the metrics that are not computed, and what they need.
    """

    names: tuple[str, ...]
    tau: float | None
    chosen: bool
    left_out: tuple[str, ...] = ()


def make_plan(
    names: Sequence[str] | None,
    *,
    tau: float | None,
    seed: int,
    backbone: str,
    has_test: bool,
    has_logits: bool,
) -> Plan:
    """The metrics to compute, decided before any image is read.

    Args:
        names: asked for by name; None: all that the data allow.
        tau: MiFID's threshold; None: the published one of `backbone`, if there is one.
        seed: of everything random; only checked here.
        backbone: its name; "features" when arrays were given.
        has_test: held-out images were given.
        has_logits: the backbone gives class logits.

    Raises:
        UsageError: an unknown metric, one that lacks what it needs, or a τ or seed out of range.
    """
    if isinstance(names, str):
        raise UsageError(f"metrics: expected a list of names, got the text {names!r}.")
    for name in names or ():
        if name not in METRIC_NAMES:
            raise UsageError(
                f"unknown metric {name!r}; expected some of {', '.join(METRIC_NAMES)}."
            )
    if names is not None and not names:
        raise UsageError(f"no metric was named; expected some of {', '.join(METRIC_NAMES)}.")
    if tau is not None:
        check_tau(tau)
    if not 0 <= seed < 2**32:
        raise UsageError(f"seed: expected a whole number from 0 to 2³² − 1, got {seed}.")
    tau = PUBLISHED_TAU.get(backbone) if tau is None else tau
    lacking = {}
    if not has_logits:
        lacking["inception_score"] = "needs class logits, which only the inception backbone gives"
    if not has_test:
        for name in ("c_t", "copied_fraction"):
            lacking[name] = "compares with held-out images: give a test set (--test)"
    if tau is None:
        lacking["mifid"] = (
            f"needs a threshold, and none is published for {backbone}: give one (--tau)"
        )
    for name in names or ():
        if name in lacking:
            raise UsageError(f"{name} {lacking[name]}.")
    wanted = METRIC_NAMES if names is None else names
    return Plan(
        names=tuple(name for name in METRIC_NAMES if name in wanted and name not in lacking),
        tau=tau,
        chosen=names is not None,
        left_out=tuple(f"{name} was left out: it {why}." for name, why in lacking.items())
        if names is None
        else (),
    )
