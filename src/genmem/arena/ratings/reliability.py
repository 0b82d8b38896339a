"""Whether a rater can be relied on, by a written rule; no Django here.

Every session holds pages whose answer is known or was given before:

- **repeated pages**: the same images of the same entry once more. Passed where the two ratings
  differ by at most 1.
- **controls**: per question a page of real images and one of spoiled ones: for quality, real images
  with their pixels shuffled; for diversity, one real image repeated. Passed where the real images
  are rated above the spoiled ones. Ratings are compared with each other and not with a number, so
  that strict and mild raters pass alike.

The rule. A rater is **unreliable** when

1. a control was failed, or
2. of at least `ENOUGH_REPEATS` repeated pages more than a third were failed, or
3. of at least `ENOUGH_PAGES` pages the median took less than `HASTE` seconds.

Ratings of an unreliable rater are kept and exported, are left out of means, intervals and
agreement, and are asked for again from others. The rule looks at no rating of a submission except
at repeated ones against themselves: disagreeing with the crowd makes nobody unreliable.

Of raters who answer at random 95 in 100 are marked (two controls and four repeated pages); one who
always gives the same answer is always marked.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from genmem.arena.ratings.assignment import ENTRY, REAL, SPOILED
from genmem.arena.ratings.questions import QUESTIONS

TOLERANCE = 1
ENOUGH_REPEATS = 3
ENOUGH_PAGES = 10
HASTE = 1.0
"""Seconds."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One rating.

    Attributes:
        rater, item: their ids.
        kind: `ENTRY`, `REAL` or `SPOILED`: what was shown.
        question: "quality" or "diversity".
        value: 1 to 5.
        seconds: from the page's being drawn to the rating, by the server's clock.
        first: for a repeated page, the rating it got the first time; None for the others.
    """

    rater: int
    item: int
    kind: str
    question: str
    value: int
    seconds: float
    first: int | None = None

    @property
    def counts(self) -> bool:
        """Whether it is a rating of a submission: no control, no repetition."""
        return self.kind == ENTRY and self.first is None


@dataclass(frozen=True, kw_only=True)
class Consistency:
    """What the checks say about one rater.

    Attributes:
        pages: ratings given, repetitions and controls with them.
        repeats, repeats_passed: repeated pages.
        controls, controls_passed: questions with both controls rated.
        seconds: the median time of a page; None before the first.
    """

    pages: int
    repeats: int
    repeats_passed: int
    controls: int
    controls_passed: int
    seconds: float | None

    @property
    def reliability(self) -> float | None:
        """The share of checks passed; None before the first."""
        checks = self.repeats + self.controls
        return (self.repeats_passed + self.controls_passed) / checks if checks else None

    @property
    def faults(self) -> tuple[str, ...]:
        """Which parts of the rule are broken, in words; none for a reliable rater."""
        found = []
        if self.controls_passed < self.controls:
            found.append("rated spoiled images at least as high as real ones")
        failed = self.repeats - self.repeats_passed
        if self.repeats >= ENOUGH_REPEATS and 3 * failed > self.repeats:
            found.append(f"rated {failed} of {self.repeats} repeated pages differently")
        if self.pages >= ENOUGH_PAGES and self.seconds is not None and self.seconds < HASTE:
            found.append(f"took {self.seconds:.1f} s for half of the pages or less")
        return tuple(found)

    @property
    def unreliable(self) -> bool:
        """By the rule above."""
        return bool(self.faults)


def consistency(answers: Iterable[Answer]) -> Consistency:
    """What the answers of one rater show about them."""
    listed = list(answers)
    repeats = [one for one in listed if one.first is not None]
    pairs = [pair for name in QUESTIONS if (pair := _controls(listed, name)) is not None]
    return Consistency(
        pages=len(listed),
        repeats=len(repeats),
        repeats_passed=sum(abs(one.value - (one.first or 0)) <= TOLERANCE for one in repeats),
        controls=len(pairs),
        controls_passed=sum(real > spoiled for real, spoiled in pairs),
        seconds=median(one.seconds for one in listed) if listed else None,
    )


def _controls(answers: list[Answer], question: str) -> tuple[int, int] | None:
    """What the real and the spoiled images were given; None unless both were rated."""
    found = {one.kind: one.value for one in answers if one.question == question}
    if REAL not in found or SPOILED not in found:
        return None
    return found[REAL], found[SPOILED]
