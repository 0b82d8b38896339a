"""What an entry of the registry says of a metric. Importing it loads no numerical library."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


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
        by_default: computed where no metrics are chosen; False for those that take long, or mean
            something in one feature space only.
        aliases: other names on the command line and in Python.
        second_names: by backbone, the name and title that the result has there as well: FD is FID
            in Inception's features.
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
    by_default: bool = True
    aliases: tuple[str, ...] = ()
    second_names: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def module(self) -> str:
        """The module of `function`; a metric of genmem has its public function, `name`, there."""
        if isinstance(self.function, str):
            return self.function.partition(":")[0]
        return self.function.__module__

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
