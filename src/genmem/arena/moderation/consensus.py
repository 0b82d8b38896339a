"""What the reviewers' labels of one submission come to; no Django here.

Two reviewers settle a submission: the label that at least two of them hold, more than hold any
other, is its verdict. One label waits for a second. Labels of which none prevails are disputed,
and go to the organiser.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

LEGITIMATE = "legitimate"
OTHER = "other"
COPYING = ("MGAN", "SUP", "AE", "AUG", OTHER)

AGREE = 2
"""Reviewers who must hold the same label."""


@dataclass(frozen=True)
class Verdict:
    """What the labels in force come to.

    Attributes:
        label: what at least two reviewers agree on; "" where they do not.
        given: how many labels there are.
        disputed: whether there are two or more and none prevails.
        leaning: the label that was given, where there is one label or one kind of label; "" else.
    """

    label: str = ""
    given: int = 0
    disputed: bool = False
    leaning: str = ""

    @property
    def clean(self) -> bool:
        """Agreed to be legitimate."""
        return self.label == LEGITIMATE

    @property
    def copying(self) -> bool:
        """Agreed to copy."""
        return bool(self.label) and not self.clean

    @property
    def suspect(self) -> bool:
        """Not settled, and somebody says that it copies."""
        return not self.label and self.given > 0 and self.leaning != LEGITIMATE

    @property
    def needed(self) -> int:
        """How many more reviews settle it, at best."""
        if self.label:
            return 0
        return 1 if self.disputed else AGREE - self.given


NOT_REVIEWED = Verdict()


def verdict(labels: Iterable[str]) -> Verdict:
    """What these labels, one of each reviewer, come to."""
    return _verdict(tuple(sorted(labels)))


@lru_cache(maxsize=4096)
def _verdict(labels: tuple[str, ...]) -> Verdict:
    counts = Counter(labels)
    if not counts:
        return NOT_REVIEWED
    given = counts.total()
    (first, most), *others = counts.most_common()
    leaning = "" if others else first
    if most >= AGREE and (not others or others[0][1] < most):
        return Verdict(label=first, given=given, leaning=leaning)
    return Verdict(given=given, disputed=given >= AGREE, leaning=leaning)
