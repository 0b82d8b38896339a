"""One sentence on top of everything: is this set of generated images copied?"""

from __future__ import annotations

from collections.abc import Mapping

from genmem.formatting import capitalize, share
from genmem.report.common.verdict import Verdict
from genmem.report.score.interpret_copying import copied_images, exact_copies
from genmem.report.score.interpretation import read
from genmem.report.score.interpretation_types import (
    FEWEST_IMAGES,
    Sign,
    has_yardstick,
    no_yardstick,
    same_set,
    too_few,
)
from genmem.results import Score


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
    found = capitalize(exact.sentence) if exact else ""
    signs: dict[str, Sign] = {name: reading.sign for name, reading in read(score).items()}
    closer = _closer(score, signs)
    copied = exact is not None and exact.sign == "copying"
    if copied or closer:
        said = f"{closer}: this" if closer else "This"
        said = f"{said} generator copies its training data."
        return Verdict(
            level="copying",
            word="Copying",
            sentence=_joined(found, said) if copied else _joined(said, found),
        )
    if exact and exact.sign == "doubt":
        return Verdict(
            level="doubt",
            word="Suspicious",
            sentence=f"{found} Look at the closest pairs before trusting this generator.",
        )
    if "doubt" in signs.values():
        return Verdict(
            level="doubt",
            word="Suspicious",
            sentence=_joined(
                "Some generated images are suspiciously close to training images: look at the "
                "closest pairs before trusting this generator.",
                found,
            ),
        )
    if "clear" in signs.values():
        return Verdict(
            level="clear",
            word="No sign of copying",
            sentence=_joined(_no_closer(score, signs), found),
        )
    return Verdict(
        level="open",
        word="Open",
        sentence=_joined(f"No verdict on copying: {_missing(score)}.", found),
    )


def _closer(score: Score, signs: Mapping[str, Sign]) -> str:
    """How the generated images are closer than they may be, without a full stop; empty if not."""
    wholly = signs.get("c_t") == "copying"
    fraction = score.metrics.get("copied_fraction")
    if fraction and fraction.interval and signs["copied_fraction"] == "copying":
        more = ", and as a whole they are closer too" if wholly else ""
        return (
            f"{copied_images(fraction, fraction.interval)} are closer to training images than "
            f"held-out images ever are{more}"
        )
    if wholly:
        return "The generated images are closer to the training set than held-out images are"
    return ""


def _no_closer(score: Score, signs: Mapping[str, Sign]) -> str:
    """What was compared with the held-out images and passed, and what may have been missed."""
    said = (
        "On the whole the generated images are no closer to the training set than held-out images "
        "are"
        if signs.get("c_t") == "clear"
        else "The closest generated images are no closer to the training set than the closest "
        "held-out images are"
    )
    fraction = score.metrics.get("copied_fraction")
    if fraction and fraction.interval and signs["copied_fraction"] == "clear":
        most = share(fraction.interval.high)
        return (
            f"{said}; at most {most} of the generated images are copies that this backbone can see."
        )
    return f"{said}; rare copies are not ruled out."


def _missing(score: Score) -> str:
    """What a verdict would need, as a clause."""
    if not has_yardstick(score):
        why = no_yardstick(score)
        given = "test" in score.inputs
        return why if given else f"{why}, so nothing tells how close is too close"
    judges = [score[name] for name in ("copied_fraction", "c_t") if name in score.metrics]
    few = too_few(judges[0]) if judges else ""
    if few:
        return f"too few images to tell ({few}; {FEWEST_IMAGES} of each kind are needed)"
    return "no metric of this run compares with the held-out images"


def _joined(sentence: str, more: str) -> str:
    return f"{sentence} {more}".strip()
