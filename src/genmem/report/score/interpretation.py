"""What each metric of a score says and what it cannot: careful sentences in plain language.

A metric's registry entry holds its interpretation: a sentence, or a function of
`interpret_quality.py` or `interpret_copying.py`.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

from genmem.formatting import number, share
from genmem.metrics.registry import Metric, metrics, resolve
from genmem.results import Result, Score
from genmem.scoring.held_out import same_set

Evidence = Literal["copying", "doubt", "clear", "none"]
"""What a value says about copying: strong evidence, weak evidence, a test passed, nothing."""

CLEAR_Z = 3.0
"""On one side, an honest comparison exceeds this z-score by chance about once in 700."""


@dataclass(frozen=True, kw_only=True)
class Interpretation:
    """A value in plain language.

    Attributes:
        finding: one sentence on what the value says.
        limits: what it cannot say; may be empty.
        evidence: what it says about copying.
    """

    finding: str
    limits: str = ""
    evidence: Evidence = "none"

    def __str__(self) -> str:
        return f"{self.finding} {self.limits}".strip()


def part(result: Result, name: str) -> float | None:
    """A numeric part of a result; None if it is missing or not a number."""
    value = result.parts.get(name)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    return None


def interpret(score: Score) -> dict[str, Interpretation]:
    """The interpretation of every metric of `score`, by name, in the score's order."""
    return {name: _interpret(name, result, score) for name, result in score.metrics.items()}


def metric_of(name: str) -> Metric | None:
    """The registry's entry of a result; None for a metric that is not installed here."""
    for metric in metrics().values():
        if name == metric.name or any(name == own for own, _ in metric.second_names.values()):
            return metric
    return None


def value_text(name: str, value: float) -> str:
    """A metric's value: a percentage if it is a share, otherwise four significant digits."""
    metric = metric_of(name)
    if metric and metric.unit == "percent":
        return share(value / 100)
    return share(value) if metric and metric.unit == "fraction" else number(value)


_NEED_YARDSTICK = ("copied_fraction", "c_t", "nn_quantiles")
"""Metrics whose meaning rests on the held-out images."""

_FUNCTION = re.compile(r"[\w.]+:\w+")
"""A function as "module:function"; every other interpretation is a sentence."""

_ACCUSATION = re.compile(r": copies(, or chance)?\.$")
"""What a copied fraction above 0 is called at the end of its finding."""


def _interpret(name: str, result: Result, score: Score) -> Interpretation:
    if not math.isfinite(result.value):
        return Interpretation(finding="The value is undefined; the notes say why.")
    metric = metric_of(name)
    if metric is None:
        return Interpretation(finding="This metric is not installed here.")
    if _FUNCTION.fullmatch(metric.interpretation):
        interpretation = resolve(metric.interpretation)(result, score)
    else:
        sentence = metric.interpretation.replace("{value}", value_text(name, result.value))
        interpretation = Interpretation(finding=sentence)
    if name in _NEED_YARDSTICK and score.yardstick is not None and not score.yardstick.holds:
        return Interpretation(
            finding=_ACCUSATION.sub(".", interpretation.finding),
            limits="The held-out images are no yardstick (the verdict says why), so this neither "
            "accuses nor clears.",
        )
    if same_set(score, "generated", "train"):
        return Interpretation(
            finding=interpretation.finding,
            limits="Both sets are the same images, so this says nothing about a generator.",
        )
    return interpretation
