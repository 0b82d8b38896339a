"""Are there held-out images to compare with, and enough images of each kind?"""

from __future__ import annotations

from collections.abc import Mapping

from genmem.formatting import count, join_words
from genmem.results import InputSummary, Result, Score

FEWEST_IMAGES = 20
"""The authors of C_T score no cell of fewer images; their z-score is not evidence either way."""

_NAMES = {"generated": "generated", "train": "training", "test": "held-out"}


def same_inputs(inputs: Mapping[str, InputSummary], first_role: str, second_role: str) -> bool:
    """Whether two inputs hold the same rows in the same order."""
    first, second = inputs.get(first_role), inputs.get(second_role)
    return first is not None and second is not None and first.digest == second.digest


def same_set(score: Score, first_role: str, second_role: str) -> bool:
    """Whether two of the inputs of a score hold the same rows in the same order."""
    return same_inputs(score.inputs, first_role, second_role)


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
                f"the held-out images (--test) are the same as the {_NAMES[role]} images, so "
                "nothing can be compared with them"
            )
    return "no held-out images were given (--test)"


def too_small_sets(result: Result) -> str:
    """The sets of a result that are too small, in words; empty if all are large enough."""
    small = [
        count(result.n[role], f"{_NAMES[role]} image")
        for role in ("generated", "test")
        if result.n.get(role, FEWEST_IMAGES) < FEWEST_IMAGES
    ]
    return join_words(small) if small else ""
