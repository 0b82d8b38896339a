"""The verdict above a page: a style, a heading and one sentence (macro `finding`)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from genmem.formatting import capitalize, percent, printable, share, share_range
from genmem.results import Interval, Label, Verdict

Level = Literal["copying", "doubt", "clear", "open"]

LEVELS: dict[Label, Level] = {
    "copying": "copying",
    "suspicious": "doubt",
    "no-sign": "clear",
    "no-yardstick": "doubt",
    "open": "open",
}
"""The style of each label."""

HEADINGS: dict[Label, str] = {
    "copying": "Copying",
    "suspicious": "Suspicious",
    "no-sign": "No sign of copying",
    "no-yardstick": "No yardstick",
    "open": "Open",
}
"""The heading of each label."""

LEFT_OUT = (
    "The finding compares with training images, each left out in turn, and estimates a share of "
    "copies."
)
"""How a verdict is reached that rests on left-out training images."""

NOT_JUDGED = Verdict(
    label="open", sentence="No verdict on copying: none was computed.", comparable=False
)


@dataclass(frozen=True, kw_only=True)
class Banner:
    """A verdict as a page shows it.

    Attributes:
        level: the style.
        word: the heading.
        sentence: the finding.
        reasons: the evidence that the sentence does not hold, a sentence each.
    """

    level: Level
    word: str
    sentence: str
    reasons: tuple[str, ...] = ()


def render_verdict(verdict: Verdict | None) -> Banner:
    """A verdict with its style and its heading."""
    verdict = verdict or NOT_JUDGED
    word = HEADINGS[verdict.label]
    return Banner(
        level=LEVELS[verdict.label],
        word=word,
        sentence=capitalize(printable(verdict.sentence.removeprefix(f"{word}: "))),
        reasons=tuple(
            printable(reason)
            for reason in verdict.reasons
            if reason.rstrip(".").lower() not in verdict.sentence.lower()
        ),
    )


def share_sentence(verdict: Verdict, value: float, interval: Interval | None) -> str:
    """The estimated share of copies; empty where the data cannot tell, or the verdict says it.

    Args:
        verdict: of the same audit.
        value: the copied fraction; NaN where there is none.
        interval: of it.
    """
    words = " ".join([verdict.sentence, *verdict.reasons])
    known = verdict.label == "no-sign" or "than held-out images ever are" in words
    if known or not verdict.tells_share:
        return ""
    if math.isnan(value):
        return "The share of copies cannot be estimated from these images."
    text = share(value) if value > 0 else "none"
    about = text if text.startswith(("none", "under")) else f"about {text}"
    sentence = (
        f"Estimated share of copies: {about} of the generated images are closer to training images "
        "than honest images ever are"
    )
    if interval is None:
        return f"{sentence}."
    zero = ", so it may be none" if interval.low <= 0 < value else ""
    return (
        f"{sentence} ({percent(interval.level)} interval: "
        f"{share_range(interval.low, interval.high)}{zero})."
    )


def without_p_values(verdict: Verdict, *, yardstick: bool) -> str:
    """Why there are no p- and q-values, in a sentence; empty where there are.

    Args:
        verdict: of the same audit.
        yardstick: whether the held-out images were tested to be one, and failed.
    """
    if verdict.comparable:
        return ""
    without = "Without a yardstick" if yardstick else "Without honest images to compare with"
    exact = (
        " Exact copies need neither: they are at distance 0, and the finding counts them."
        if "exact" in verdict.basis
        else ""
    )
    if "left-out" in verdict.basis:
        return (
            f"{without}, p and q of single images are not available.{exact} {LEFT_OUT} "
            f"{which_are_copies(verdict)}"
        )
    return (
        f"{without}, p and q are not available: nothing says how close honest images come by "
        f"chance. That images are close accuses nobody.{exact}"
    )


def which_are_copies(verdict: Verdict) -> str:
    """What can be said of single images, in a sentence, where nothing can be compared with.

    Args:
        verdict: one that is not `comparable`.
    """
    if verdict.label != "copying":
        return "No copies are claimed."
    if "left-out" not in verdict.basis:
        return "Only the exact copies are certain."
    which = "Apart from the exact ones, which" if "exact" in verdict.basis else "Which"
    return f"{which} images are copies cannot be told one by one: look at the closest pairs."
