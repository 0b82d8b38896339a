"""Which metrics a score holds: those chosen by name, or all that the given data allow."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from genmem.errors import UsageError
from genmem.features import (
    BackboneLike,
    Backbones,
    find_backbone,
    find_backbones,
    is_feature_source,
    is_statistics,
)
from genmem.formatting import join_words
from genmem.metrics.mifid import PUBLISHED_TAU, check_tau
from genmem.metrics.registry import LARGEST_SEED, metric_names, metric_needs, metrics
from genmem.scoring.protocols import DEFAULT_SETTINGS, MetricSettings, Protocol
from genmem.scoring.stored_sets import StoredSet

_NEEDS = {
    "train_rows": "takes single training images, and train is given as statistics (mu and sigma), "
    "which serve FD only: give the images or their features",
    "logits": "needs class logits, which only the inception backbone gives",
    "test": "compares with held-out images: give a test set (--test)",
    "tau": "needs a threshold, and none is published for {backbone}: give one (--tau)",
}


@dataclass(frozen=True)
class Plan:
    """What will be computed.

    Attributes:
        names: names of metrics, in reading order.
        tau: MiFID's threshold; None where there is none.
        seed: seed of everything random.
        chosen: the metrics were chosen by name, so that one which cannot be computed is an error;
            otherwise it is left out.
        left_out: sentences on the metrics that are not computed, and what they need.
        settings: what the metrics leave open.
        reasons: the same by metric, a sentence each.
    """

    names: tuple[str, ...]
    tau: float | None
    seed: int
    chosen: bool
    left_out: tuple[str, ...] = ()
    settings: MetricSettings = DEFAULT_SETTINGS
    reasons: Mapping[str, str] = field(default_factory=dict)

    @property
    def inputs(self) -> set[str]:
        """What the metrics take: names of attributes of `MetricInputs`."""
        known = metrics()
        chosen = [known[name] for name in self.names]
        return {name for one in chosen for name in (*one.inputs.values(), *one.optional.values())}

    def without(self, need: str, *, why: str) -> Plan:
        """The plan without the metrics that need "test" or "logits".

        Args:
            need: what they need.
            why: it is not there, for `reasons`.
        """
        dropped = {name for name in self.names if need in metric_needs(name)}
        return replace(
            self,
            names=tuple(name for name in self.names if name not in dropped),
            reasons={**self.reasons, **{n: f"{n} was left out: {why}." for n in sorted(dropped)}},
        )


def plan_for(
    sources: Mapping[str, Any],
    *,
    metrics: Sequence[str] | None,
    tau: float | None,
    seed: int,
    backbone: BackboneLike,
    wanted: Collection[str] | None = None,
) -> Plan:
    """The plan for the sets given by role, decided by what they are, before any is read.

    Args:
        sources: the sets by role.
        metrics: as for `genmem.score`.
        tau: of this backbone.
        seed: seed of everything random.
        backbone: one.
        wanted: without `metrics`: metrics that are left out where they cannot be computed.

    Raises:
        UsageError: as `build_plan`.
    """
    of_statistics = is_statistics(sources["train"])
    are_features = {
        role: (role == "train" and of_statistics)
        or isinstance(source, StoredSet)
        or is_feature_source(source)
        for role, source in sources.items()
    }
    name = "features" if all(are_features.values()) else find_backbone(backbone).name
    available = [need for need in ("test",) if need in sources]
    if not of_statistics:
        available.append("train_rows")
    if name == "inception" and not are_features["generated"]:
        available.append("logits")
    return build_plan(
        metrics, tau=tau, seed=seed, backbone=name, available=available, wanted=wanted
    )


def backbones_of(backbone: Backbones, *, weights: str | Path | None) -> list[BackboneLike]:
    """The backbones of one score: one, or those of a list.

    Args:
        backbone: as for `genmem.score`.
        weights: the weights file that was given, for one backbone.

    Raises:
        UsageError: the list is empty or repeats a name, or a weights file is given for several.
    """
    if isinstance(backbone, Sequence) and not isinstance(backbone, str):
        return list(find_backbones(backbone, weights=weights))
    return [backbone]


def build_plans(
    sources: Mapping[str, Any],
    backbones: Sequence[BackboneLike],
    *,
    metrics: Sequence[str] | None,
    tau: float | Mapping[str, float] | None,
    seed: int,
    protocol: Protocol | None = None,
) -> list[Plan]:
    """A plan for each backbone. A metric chosen by name must be possible in one of them.

    Args:
        sources: the sets by role.
        backbones: from `backbones_of`.
        metrics: as for `genmem.score`.
        tau: a number, or by the name of the backbone.
        seed: seed of everything random.
        protocol: what the backbones are of; None for the user's own.

    Raises:
        UsageError: as `build_plan`, or a threshold does not belong to one of the backbones.
    """
    taus = _taus(tau, backbones)
    if protocol is not None:
        chosen = protocol.chosen(metrics).values()
        plans = [
            plan_for(sources, metrics=None, tau=tau, seed=seed, backbone=one, wanted=wanted)
            for one, tau, wanted in zip(backbones, taus, chosen, strict=True)
        ]
        return [replace(plan, settings=protocol.settings) for plan in plans]
    if len(backbones) == 1:
        return [plan_for(sources, metrics=metrics, tau=taus[0], seed=seed, backbone=backbones[0])]
    plans = [
        plan_for(sources, metrics=None, tau=tau, seed=seed, backbone=one, wanted=metrics)
        for one, tau in zip(backbones, taus, strict=True)
    ]
    for name in metric_names(metrics) if metrics is not None else ():
        if not any(name in plan.names for plan in plans):
            plan_for(sources, metrics=[name], tau=taus[0], seed=seed, backbone=backbones[0])
    return plans


def _taus(
    tau: float | Mapping[str, float] | None, backbones: Sequence[BackboneLike]
) -> list[float | None]:
    """The threshold of each backbone."""
    if not isinstance(tau, Mapping):
        if tau is not None and len(backbones) > 1:
            raise UsageError(
                f"tau: a threshold belongs to one feature space, got {tau} for {len(backbones)}. "
                "Give thresholds by backbone: a mapping, or a file of `genmem calibrate` (--tau)."
            )
        return [tau] * len(backbones)
    names = [find_backbone(backbone).name for backbone in backbones]
    if unknown := [name for name in tau if name not in names]:
        raise UsageError(
            f"tau: expected thresholds for some of {', '.join(names)}, got one for {unknown[0]}."
        )
    return [tau.get(name) for name in names]


def build_plan(
    names: Sequence[str] | None,
    *,
    tau: float | None,
    seed: int,
    backbone: str,
    available: Collection[str],
    wanted: Collection[str] | None = None,
) -> Plan:
    """Decide which metrics to compute, before any image is read.

    Args:
        names: names or aliases of metrics; None for all that the data allow.
        tau: MiFID's threshold; None for the published one of `backbone`, if there is one.
        seed: seed of everything random.
        backbone: its name; "features" when arrays were given.
        available: "test" where held-out images are given, "logits" where the backbone gives them,
            "train_rows" unless train is statistics.
        wanted: without `names`: metrics that are left out where they cannot be computed; None for
            all.

    Raises:
        UsageError: an unknown metric, one that lacks what it needs, or a τ or seed out of range.
    """
    if names is not None or wanted is None:
        possible = metric_names(names)
    else:
        possible = metric_names(list(wanted)) if wanted else ()
    if tau is not None:
        check_tau(tau)
    check_seed(seed)
    tau = PUBLISHED_TAU.get(backbone) if tau is None else tau
    available = {*available, *(() if tau is None else ("tau",))}
    lacking = {}
    for name in possible:
        missing = metric_needs(name) - available
        if missing:
            need = "train_rows" if "train_rows" in missing else max(missing)
            lacking[name] = f"{_NEEDS[need].format(backbone=backbone)}."
    if names is not None and lacking:
        raise UsageError(" ".join(next(iter(lacking.items()))))
    return Plan(
        names=tuple(name for name in possible if name not in lacking),
        tau=tau,
        seed=seed,
        chosen=names is not None,
        left_out=tuple(_left_out(lacking)),
        reasons={name: f"{name} was left out: it {why}" for name, why in lacking.items()},
    )


def _left_out(lacking: Mapping[str, str]) -> Iterator[str]:
    """Sentences on metrics by what each lacks; metrics that lack training rows in one."""
    for_rows = [name for name, why in lacking.items() if why == f"{_NEEDS['train_rows']}."]
    for name, why in lacking.items():
        if name not in for_rows:
            yield f"{name} was left out: it {why}"
    if for_rows:
        yield f"{join_words(for_rows)} were left out: each {_NEEDS['train_rows']}."


def check_seed(seed: int) -> None:
    """Raise UsageError unless NumPy's generators take the seed."""
    if not isinstance(seed, int | np.integer) or not 0 <= seed <= LARGEST_SEED:
        raise UsageError(f"seed: expected a whole number from 0 to 2³² − 1, got {seed!r}.")
