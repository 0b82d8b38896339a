"""What one metric's value says, and what it cannot say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from genmem.formatting import count
from genmem.results import InputSummary, Result, Score

Sign = Literal["copying", "doubt", "clear", "none"]
"""What a value says about copying: strong evidence, weak evidence, a passed test, nothing."""

CLEAR_Z = 3.0
"""A z-score this far from 0 is chance in about one honest comparison in 700, on one side."""

FEWEST_IMAGES = 20
"""C_T's authors score no cell of fewer images; a z-score of so few is no evidence either way."""

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


def no_yardstick(score: Score) -> str:
    """Why there are no held-out images to compare with, as the start of a sentence."""
    for other in ("train", "generated"):
        if same_set(score, "test", other):
            return (
                f"the held-out images (--test) are the same as the {MEANT[other]} images, so they "
                "are no yardstick"
            )
    return "no held-out images were given (--test)"


def too_few(result: Result) -> str:
    """The sets of a result that are too small to tell, in words; empty when they are enough."""
    few = [
        count(result.n[role], f"{MEANT[role]} image")
        for role in ("generated", "test")
        if result.n.get(role, FEWEST_IMAGES) < FEWEST_IMAGES
    ]
    return " and ".join(few)


def part(result: Result, name: str) -> float | None:
    """A numeric part of a result; None when it is absent or no number."""
    value = result.parts.get(name)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    return None
