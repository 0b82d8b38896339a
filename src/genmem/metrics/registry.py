"""The metrics by name: what each one takes, how it is computed, and how it is shown.

A metric is a function in a file of its own and an entry here. Scoring, the command line and the
report know a metric by its entry alone. Other packages add entries by Python entry points of the
group `genmem.metrics`: docs/extending.md has an example, and names every place to edit for a metric
of this package. Importing this module loads no numerical library.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from genmem.errors import UsageError

LARGEST_SEED = 2**32 - 1
"""The largest seed that NumPy's legacy generator takes, which draws the subsets of KID."""


def by_keyword(*same: str, **renamed: str) -> dict[str, str]:
    """Inputs by keyword: those its function calls alike, and those it calls otherwise.

    `by_keyword("train_rows", distances="generated_distances")` passes the input `train_rows` as the
    keyword `train_rows`, and the input `generated_distances` as the keyword `distances`.
    """
    return {**{name: name for name in same}, **renamed}


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A registry entry.

    An input is the name of an attribute of `genmem.scoring.metric_inputs.MetricInputs`: the sets
    (`generated`, `train`, `test`), what several metrics share (`generated_nearest`, …: searched
    once for all of them), `logits`, `tau` and `seed`; or the name of another metric, whose result
    is passed. `RunningScore` collects the features of all batches and calls the same functions, so
    a metric needs nothing more in order to stream.

    Attributes:
        name: the name in results, JSON and on the command line.
        function: a function with keyword-only parameters that returns a `Result`, or
            "module:function", imported at first use.
        inputs: inputs by the function's keywords; see `by_keyword`.
        optional: inputs that are passed as None where they are missing; of other metrics, where
            they are not computed.
        joint: the function computes several metrics at once. It also takes `names`, those that are
            wanted of all entries with this function, and returns results by name.
        title: the row's heading in tables.
        better: which values are better, in a few words: "lower", "higher", "near 0".
        group: the table that lists it: "copying" or "quality".
        unit: how values are shown: "number"; "fraction" (in [0, 1]) and "percent" as a percentage.
        interpretation: what a value means: a sentence, with `{value}` for the value as text; or
            "module:function" of a function (result, score) that returns a
            `genmem.report.score.interpretation.Interpretation`.
        source: the paper, and the equation or section.
        aliases: other names on the command line and in Python.
        inception: for features of Inception, the second name and title of the result; None where
            it has no other name.
    """

    name: str
    function: str | Callable[..., Any]
    inputs: Mapping[str, str]
    optional: Mapping[str, str] = field(default_factory=dict)
    joint: bool = False
    title: str
    better: str
    group: Literal["copying", "quality"]
    unit: Literal["number", "fraction", "percent"] = "number"
    interpretation: str
    source: str
    aliases: tuple[str, ...] = ()
    inception: tuple[str, str] | None = None

    @property
    def needs(self) -> tuple[str, ...]:
        """What must be there: "logits", "test", "tau", "train_rows" (of TRAIN, not statistics)."""
        needs = [
            need
            for need in ("logits", "test", "tau")
            if any(name == need or name.startswith(f"{need}_") for name in self.inputs.values())
        ]
        return (*needs, *(["train_rows"] if _FROM_TRAIN_ROWS & {*self.inputs.values()} else []))


_FROM_TRAIN_ROWS = {
    "train",
    "train_rows",
    "train_duplicates",
    "two_nearest",
    *(f"{role}_{what}" for role in ("generated", "test") for what in ("nearest", "distances")),
}
"""Inputs that come from single training rows, which statistics of a set do not give."""


_ENTRIES = (
    Metric(
        name="copied_fraction",
        function="genmem.metrics.copied_fraction:copied_fraction_from",
        inputs=by_keyword(
            "train_rows",
            generated="generated_closeness",
            test="test_closeness",
            nearest_train="generated_matches",
        ),
        title="Copied fraction of the images",
        better="0",
        group="copying",
        unit="fraction",
        interpretation="genmem.report.score.interpret_copying:copied_fraction",
        source="genmem: a mixture of copies and held-out images, exact beta-binomial interval",
    ),
    Metric(
        name="c_t",
        function="genmem.metrics.c_t:c_t_from_distances",
        inputs=by_keyword("train_rows", generated="generated_distances", test="test_distances"),
        title="Data-copying test C_T",
        better="near 0; negative is copying",
        group="copying",
        interpretation="genmem.report.score.interpret_copying:c_t",
        source="Meehan, Chaudhuri and Dasgupta 2020 (arXiv 2004.05675), section 3",
    ),
    Metric(
        name="memorization_ratio",
        function="genmem.metrics.memorization_ratio:memorization_ratio_from",
        inputs=by_keyword("train_rows", "two_nearest", "train_duplicates"),
        title="Share of near-copies, d₁/d₂ test",
        better="lower",
        group="copying",
        unit="fraction",
        interpretation="genmem.report.score.interpret_copying:memorization_ratio",
        source="Gu et al. 2023 (arXiv 2310.02664); Yoon et al. 2023",
    ),
    Metric(
        name="memorization_distance",
        function="genmem.metrics.memorization_distance:memorization_distance_from",
        inputs=by_keyword("train_rows", "zero_rows", distances="generated_distances"),
        title="Mean distance to training set",
        better="not below held-out",
        group="copying",
        interpretation="genmem.report.score.interpret_copying:memorization_distance",
        source="Bai et al. 2021 (arXiv 2106.03062)",
    ),
    Metric(
        name="nn_quantiles",
        function="genmem.metrics.nearest_quantiles:nn_quantiles_from",
        inputs=by_keyword("train_rows", generated="generated_distances"),
        optional=by_keyword(test="test_distances"),
        title="Distance quantiles, here the median",
        better="not below held-out",
        group="copying",
        interpretation="genmem.report.score.interpret_copying:nn_quantiles",
        source="genmem: the distances behind `memorization_distance`",
    ),
    Metric(
        name="authpct",
        function="genmem.metrics.authpct:authpct_from",
        inputs=by_keyword("train", nearest_rows="two_nearest"),
        title="Authentic images, AuthPct",
        better="higher",
        group="copying",
        unit="percent",
        interpretation="genmem.report.score.interpret_copying:authpct",
        source="Alaa et al. 2022 (arXiv 2102.08921), authenticity",
    ),
    Metric(
        name="mifid",
        function="genmem.metrics.mifid:mifid_with_interval",
        inputs=by_keyword(
            "fd",
            "tau",
            "influence",
            "zero_rows",
            "seed",
            distance="memorization_distance",
            distances="generated_distances",
        ),
        title="Memorization-informed FID",
        better="lower",
        group="copying",
        interpretation="genmem.report.score.interpret_copying:mifid",
        source="Bai et al. 2021 (arXiv 2106.03062)",
    ),
    Metric(
        name="fd",
        function="genmem.metrics.frechet_interval:fd_with_interval",
        inputs=by_keyword("influence", generated="generated_moments", train="train_moments"),
        optional=by_keyword("fd_infinity"),
        title="Fréchet distance",
        better="lower",
        group="quality",
        interpretation="genmem.report.score.interpret_quality:fd",
        source="Heusel et al. 2017 (arXiv 1706.08500), eq. 6",
        aliases=("fid",),
        inception=("fid", "Fréchet Inception distance, FID"),
    ),
    Metric(
        name="fd_infinity",
        function="genmem.metrics.frechet:fd_infinity",
        inputs=by_keyword("generated", "seed", train="train_moments"),
        title="Fréchet distance, no sample bias",
        better="lower",
        group="quality",
        interpretation="genmem.report.score.interpret_quality:fd_infinity",
        source="Chong and Forsyth 2020 (arXiv 1911.07023), section 3",
    ),
    Metric(
        name="kd",
        function="genmem.metrics.kid:kd",
        inputs=by_keyword("generated", "train", "seed"),
        title="Kernel distance",
        better="lower",
        group="quality",
        interpretation="genmem.report.score.interpret_quality:kd",
        source="Bińkowski et al. 2018 (arXiv 1801.01401), section 4",
        aliases=("kid",),
    ),
    Metric(
        name="inception_score",
        function="genmem.metrics.inception_score:inception_score",
        inputs=by_keyword("logits", "seed"),
        title="Inception score",
        better="higher",
        group="quality",
        interpretation="genmem.report.score.interpret_quality:inception_score",
        source="Salimans et al. 2016 (arXiv 1606.03498), section 4",
    ),
    *(
        Metric(
            name=name,
            function="genmem.metrics.prdc:prdc_on_subsets",
            inputs=by_keyword("generated", "train", "seed"),
            joint=True,
            title=name.capitalize(),
            better="higher",
            group="quality",
            unit="number" if name == "density" else "fraction",
            interpretation=f"genmem.report.score.interpret_quality:{name}",
            source=source,
        )
        for name, source in (
            ("precision", "Kynkäänniemi et al. 2019 (arXiv 1904.06991)"),
            ("recall", "Kynkäänniemi et al. 2019 (arXiv 1904.06991)"),
            ("density", "Naeem et al. 2020 (arXiv 2002.09797)"),
            ("coverage", "Naeem et al. 2020 (arXiv 2002.09797)"),
        )
    ),
)

BUILT_IN = {metric.name: metric for metric in _ENTRIES}
"""genmem's own metrics by name, in reading order: copying first, the most telling first."""


def metrics() -> dict[str, Metric]:
    """All metrics by name, in reading order: genmem's own, then those of installed plugins.

    Raises:
        UsageError: a plugin cannot be used.
    """
    from genmem.plugins import extend

    return extend(BUILT_IN, group="genmem.metrics", kind=Metric)


def metric_needs(name: str) -> frozenset[str]:
    """What must be there for a metric: its own needs, and those of the metrics that it takes.

    Args:
        name: a name in `metrics()`.
    """
    known = metrics()
    metric = known[name]
    taken = [other for other in metric.inputs.values() if other in known]
    return frozenset(metric.needs).union(*map(metric_needs, taken))


def metric_names(names: Sequence[str] | None) -> tuple[str, ...]:
    """The metrics' own names, in reading order.

    Args:
        names: names or aliases, in upper or lower case; None for all metrics.

    Raises:
        UsageError: a name is unknown, or there is none.
    """
    known = metrics()
    if names is None:
        return tuple(known)
    if isinstance(names, str):
        raise UsageError(f"metrics: expected a list of names, got the text {names!r}.")
    if not names:
        raise UsageError(f"metrics: expected at least one of {', '.join(known)}, got none.")
    by_alias = {alias: metric.name for metric in known.values() for alias in metric.aliases}
    wanted = set()
    for name in names:
        own_name = by_alias.get(name.lower(), name.lower())
        if own_name not in known:
            raise UsageError(f"unknown metric {name!r}; expected some of {', '.join(known)}.")
        wanted.add(own_name)
    return tuple(name for name in known if name in wanted)


def resolve(reference: str | Callable[..., Any]) -> Callable[..., Any]:
    """The function that an entry names as "module:function", or the function itself."""
    if not isinstance(reference, str):
        return reference
    module, _, function = reference.partition(":")
    return getattr(importlib.import_module(module), function)
