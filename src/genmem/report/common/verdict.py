"""The verdict above a page: a style, a heading and one sentence (macro `finding`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from genmem.formatting import capitalize, printable
from genmem.results import Label, Verdict

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

NOT_JUDGED = Verdict(label="open", sentence="No verdict on copying: none was computed.")


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
