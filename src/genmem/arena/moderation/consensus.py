"""What the reviewers' labels of one submission amount to; no Django here.

The label of a submission is settled when at least two reviewers hold it and more hold it than
any other. A single label waits for a second reviewer. Labels without such a majority are
disputed: the organizer decides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

LEGITIMATE = "legitimate"
OTHER = "other"
COPYING = ("MGAN", "SUP", "AE", "AUG", OTHER)

REVIEWERS_NEEDED = 2
"""Reviewers who must hold the same label."""


@dataclass(frozen=True)
class Consensus:
    """What the current labels of a submission amount to.

    Attributes:
        label: the settled label; "" where none is.
        count: how many labels there are.
        disputed: whether there are two or more labels and none is settled.
        unanimous: the label that every reviewer gave; "" where they differ or there is none.
    """

    label: str = ""
    count: int = 0
    disputed: bool = False
    unanimous: str = ""

    @property
    def legitimate(self) -> bool:
        """Settled as legitimate."""
        return self.label == LEGITIMATE

    @property
    def copying(self) -> bool:
        """Settled as copying."""
        return bool(self.label) and not self.legitimate

    @property
    def suspect(self) -> bool:
        """Not settled, and at least one reviewer says that it copies."""
        return not self.label and self.count > 0 and self.unanimous != LEGITIMATE

    @property
    def reviews_needed(self) -> int:
        """The smallest number of further reviews that can settle it."""
        if self.label:
            return 0
        return 1 if self.disputed else REVIEWERS_NEEDED - self.count


NOT_REVIEWED = Consensus()


def consensus_of(labels: Iterable[str]) -> Consensus:
    """The consensus of these labels, one per reviewer."""
    return _consensus_of(tuple(sorted(labels)))


@lru_cache(maxsize=4096)
def _consensus_of(labels: tuple[str, ...]) -> Consensus:
    if not labels:
        return NOT_REVIEWED
    (first, most), *rest = Counter(labels).most_common()
    unanimous = "" if rest else first
    if most >= REVIEWERS_NEEDED and (not rest or rest[0][1] < most):
        return Consensus(label=first, count=len(labels), unanimous=unanimous)
    return Consensus(
        count=len(labels), disputed=len(labels) >= REVIEWERS_NEEDED, unanimous=unanimous
    )
