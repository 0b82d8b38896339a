"""One sentence on top of everything: is this set of generated images copied?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from genmem.report._exact import exact_copies
from genmem.report._reading import FEWEST_IMAGES, has_yardstick, no_yardstick, same_set, too_few
from genmem.report.readings import read
from genmem.report.text import capitalized
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
    """What the copying metrics say together; the strongest evidence decides.

    Exact copies count whichever metrics were asked for.
    """
    if same_set(score, "generated", "train"):
        return Verdict(
            level="open",
            word="Same images",
            sentence="The generated and the training images are the same set, so every image is "
            "its own copy and nothing is said about a generator.",
        )
    exact = exact_copies(score)
    found = capitalized(exact.sentence) if exact else ""
    signs = {reading.sign for reading in read(score).values()}
    if exact and exact.sign == "copying":
        return Verdict(
            level="copying",
            word="Copying",
            sentence=f"{found} This generator copies its training data.",
        )
    if "copying" in signs:
        return Verdict(
            level="copying",
            word="Copying",
            sentence=_joined(
                "The generated images are closer to the training set than held-out images are: "
                "this generator copies its training data.",
                found,
            ),
        )
    if exact and exact.sign == "doubt":
        return Verdict(
            level="doubt",
            word="Suspicious",
            sentence=f"{found} Look at the closest pairs before trusting this generator.",
        )
    if "doubt" in signs:
        return Verdict(
            level="doubt",
            word="Suspicious",
            sentence=_joined(
                "Some generated images are suspiciously close to training images: look at the "
                "closest pairs before trusting this generator.",
                found,
            ),
        )
    if "clear" in signs:
        return Verdict(
            level="clear",
            word="No sign of copying",
            sentence=_joined(
                "On the whole the generated images are no closer to the training set than held-out "
                "images are; rare copies are not ruled out.",
                found,
            ),
        )
    return Verdict(
        level="open",
        word="Open",
        sentence=_joined(f"No verdict on copying: {_missing(score)}.", found),
    )


def _missing(score: Score) -> str:
    """What a verdict would need, as a clause."""
    if not has_yardstick(score):
        why = no_yardstick(score)
        given = "test" in score.inputs
        return why if given else f"{why}, so nothing tells how close is too close"
    few = too_few(score["c_t"]) if "c_t" in score.metrics else ""
    if few:
        return f"too few images to tell ({few}; {FEWEST_IMAGES} of each kind are needed)"
    return "no metric of this run compares with the held-out images"


def _joined(sentence: str, more: str) -> str:
    return f"{sentence} {more}".strip()
