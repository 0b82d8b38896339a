"""One sentence on top of everything: is this set of generated images copied?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from genmem.report._reading import has_yardstick, same_set
from genmem.report.readings import read
from genmem.results import Score

Level = Literal["copying", "doubt", "clear", "open"]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The level, its word for the page, and one plain sentence.

    Levels: "copying" (strong evidence), "doubt" (some), "clear" (compared with held-out images
    and passed), "open" (nothing to compare with, or nothing that can be said).
    """

    level: Level
    word: str
    sentence: str


def verdict(score: Score) -> Verdict:
    """What the copying metrics say together; the strongest evidence decides."""
    if same_set(score, "generated", "train"):
        return Verdict(
            level="open",
            word="Same images",
            sentence="The generated and the training images are the same set, so every image is "
            "its own copy and nothing is said about a generator.",
        )
    signs = {name: reading.sign for name, reading in read(score).items()}
    if "copying" in signs.values():
        return Verdict(
            level="copying",
            word="Copying",
            sentence="The generated images are closer to the training set than held-out images "
            "are: this generator copies its training data.",
        )
    if "doubt" in signs.values():
        return Verdict(
            level="doubt",
            word="Suspicious",
            sentence="Some generated images are suspiciously close to training images: look at "
            "the closest pairs before trusting this generator.",
        )
    if "clear" in signs.values():
        return Verdict(
            level="clear",
            word="No sign of copying",
            sentence="On the whole the generated images are no closer to the training set than "
            "held-out images are; rare copies are not ruled out.",
        )
    missing = (
        "no metric of this run compares with the held-out images."
        if has_yardstick(score)
        else "no held-out images were given (--test), so nothing tells how close is too close."
    )
    return Verdict(level="open", word="Open", sentence=f"No verdict on copying: {missing}")
