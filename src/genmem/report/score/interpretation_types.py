"""The interpretation of a metric's value, and what the interpretations have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from genmem.formatting import count, join_words
from genmem.report.common.provenance import ROLE_NAMES
from genmem.results import InputSummary, Result, Score

Sign = Literal["copying", "doubt", "clear", "none"]
"""What a value says about copying: strong evidence, weak evidence, a test passed, nothing."""

CLEAR_Z = 3.0
"""On one side, an honest comparison exceeds this z-score by chance about once in 700."""

FEWEST_IMAGES = 20
"""The authors of C_T score no cell of fewer images; their z-score is not evidence either way."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A value in plain language.

    Attributes:
        finding: one sentence on what the value says.
        limits: what it cannot say; may be empty.
        sign: what it says about copying.
    """

    finding: str
    limits: str = ""
    sign: Sign = "none"

    def __str__(self) -> str:
        return f"{self.finding} {self.limits}".strip()


def same_set(score: Score, first_role: str, second_role: str) -> bool:
    """Whether two of the inputs hold the same rows in the same order."""
    first: InputSummary | None = score.inputs.get(first_role)
    second: InputSummary | None = score.inputs.get(second_role)
    return first is not None and second is not None and first.digest == second.digest


def has_held_out(score: Score) -> bool:
    """Whether there are held-out images that are neither the training nor the generated images."""
    return "test" in score.inputs and not (
        same_set(score, "test", "train") or same_set(score, "test", "generated")
    )


def why_no_held_out(score: Score) -> str:
    """Why there are no held-out images to compare with, as the start of a sentence."""
    for role in ("train", "generated"):
        if same_set(score, "test", role):
            return (
                f"the held-out images (--test) are the same as the {ROLE_NAMES[role]} images, so "
                "nothing can be compared with them"
            )
    return "no held-out images were given (--test)"


def too_small_sets(result: Result) -> str:
    """The sets of a result that are too small, in words; empty if all are large enough."""
    small = [
        count(result.n[role], f"{ROLE_NAMES[role]} image")
        for role in ("generated", "test")
        if result.n.get(role, FEWEST_IMAGES) < FEWEST_IMAGES
    ]
    return join_words(small) if small else ""


def part(result: Result, name: str) -> float | None:
    """A numeric part of a result; None if it is missing or not a number."""
    value = result.parts.get(name)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    return None
