"""Which metrics a score holds: those chosen by name, or all that the given data allow."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from genmem.errors import UsageError
from genmem.formatting import join_words
from genmem.metrics.mifid import PUBLISHED_TAU, check_tau
from genmem.metrics.registry import LARGEST_SEED, metric_names, metric_needs

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
    """

    names: tuple[str, ...]
    tau: float | None
    seed: int
    chosen: bool
    left_out: tuple[str, ...] = ()

    def without(self, need: str) -> Plan:
        """The plan without the metrics that need "test" or "logits"."""
        return replace(self, names=tuple(n for n in self.names if need not in metric_needs(n)))


def build_plan(
    names: Sequence[str] | None,
    *,
    tau: float | None,
    seed: int,
    backbone: str,
    available: Collection[str],
) -> Plan:
    """Decide which metrics to compute, before any image is read.

    Args:
        names: names or aliases of metrics; None for all that the data allow.
        tau: MiFID's threshold; None for the published one of `backbone`, if there is one.
        seed: seed of everything random.
        backbone: its name; "features" when arrays were given.
        available: "test" where held-out images are given, "logits" where the backbone gives them,
            "train_rows" unless train is statistics.

    Raises:
        UsageError: an unknown metric, one that lacks what it needs, or a τ or seed out of range.
    """
    wanted = metric_names(names)
    if tau is not None:
        check_tau(tau)
    check_seed(seed)
    tau = PUBLISHED_TAU.get(backbone) if tau is None else tau
    available = {*available, *(() if tau is None else ("tau",))}
    lacking = {}
    for name in wanted:
        missing = metric_needs(name) - available
        if missing:
            need = "train_rows" if "train_rows" in missing else max(missing)
            lacking[name] = f"{_NEEDS[need].format(backbone=backbone)}."
    if names is not None and lacking:
        raise UsageError(" ".join(next(iter(lacking.items()))))
    return Plan(
        names=tuple(name for name in wanted if name not in lacking),
        tau=tau,
        seed=seed,
        chosen=names is not None,
        left_out=tuple(_left_out(lacking)),
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
    if not 0 <= seed <= LARGEST_SEED:
        raise UsageError(f"seed: expected a whole number from 0 to 2³² − 1, got {seed}.")
