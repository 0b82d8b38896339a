"""What one metric's value says, and what it cannot say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from genmem.results import InputSummary, Result, Score

Sign = Literal["copying", "doubt", "clear", "none"]
"""What a value says about copying: strong evidence, weak evidence, a passed test, nothing."""

MEANT = {"generated": "generated", "train": "training", "test": "held-out"}
"""The roles' names in sentences."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A metric in plain language.

    Attributes:
        finding: one sentence on what this value says.
        limits: what it cannot say; may be empty.
        sign: what it says about copying.
    """

    finding: str
    limits: str = ""
    sign: Sign = "none"

    def __str__(self) -> str:
        return f"{self.finding} {self.limits}".strip()


def same_set(score: Score, one: str, other: str) -> bool:
    """Whether two of the inputs hold the same rows in the same order."""
    first: InputSummary | None = score.inputs.get(one)
    second: InputSummary | None = score.inputs.get(other)
    return first is not None and second is not None and first.digest == second.digest


def has_yardstick(score: Score) -> bool:
    """Whether there are held-out images that are neither training nor generated images."""
    return "test" in score.inputs and not (
        same_set(score, "test", "train") or same_set(score, "test", "generated")
    )


def part(result: Result, name: str) -> float | None:
    """A numeric part of a result; None when it is absent or no number."""
    value = result.parts.get(name)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    return None
