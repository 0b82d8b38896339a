"""The verdict above a page: a level, a heading and one sentence (macro `finding`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["copying", "doubt", "clear", "open"]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the evidence says as a whole.

    Attributes:
        level: "copying" (strong evidence), "doubt" (weak evidence), "clear" (compared with
            held-out images and passed), or "open" (nothing to compare with, or not enough data).
        word: the heading.
        sentence: the finding.
    """

    level: Level
    word: str
    sentence: str
