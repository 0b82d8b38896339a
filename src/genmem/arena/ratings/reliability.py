"""The written rule by which a rater is marked as unreliable; no Django here.

Every session has pages with a known or an earlier answer:

- **repeated pages**: the same images of the same submission again. Passed if the two ratings differ
  by at most 1.
- **controls**: per question, a page of real images and one of spoiled ones (for quality, real
  images with shuffled pixels; for diversity, one real image repeated). Passed if the real images
  are rated above the spoiled ones. The two ratings are compared with each other and not with a
  number, so that strict and mild raters are treated alike.

A rater is **unreliable** if

1. they failed a control, or
2. they failed more than a third of at least `MIN_REPEATS` repeated pages, or
3. the median time of at least `MIN_PAGES` pages is below `MIN_SECONDS`.

Ratings of an unreliable rater are kept and exported, but do not count in means, intervals and
agreement, and others are asked for them again. The rule uses no rating of a submission except to
compare repeated ones with themselves: disagreeing with other raters makes nobody unreliable.

Of raters who answer at random, 95 in 100 are marked (two controls and four repeated pages); a rater
who always gives the same answer is always marked.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from genmem.arena.ratings.assignment import REAL, SPOILED, SUBMISSION
from genmem.arena.ratings.questions import QUESTIONS

TOLERANCE = 1
MIN_REPEATS = 3
MIN_PAGES = 10
MIN_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class RatingRecord:
    """One rating.

    Attributes:
        rater, item: ids.
        kind: what was shown: `SUBMISSION`, `REAL` or `SPOILED`.
        question: "quality" or "diversity".
        value: 1 to 5.
        seconds: from drawing the page to the rating, by the server's clock.
        first: for a repeated page, its first rating; None for the others.
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
        """Whether it is a rating of a submission, neither a control nor a repetition."""
        return self.kind == SUBMISSION and self.first is None


@dataclass(frozen=True, kw_only=True)
class RaterChecks:
    """The checks of one rater.

    Attributes:
        pages: number of ratings, repetitions and controls included.
        repeats, repeats_passed: numbers of repeated pages.
        controls, controls_passed: numbers of questions with both controls rated.
        seconds: median time per page; None before the first.
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
    def failures(self) -> tuple[str, ...]:
        """The broken parts of the rule, as text; none for a reliable rater."""
        failures = []
        if self.controls_passed < self.controls:
            failures.append("rated spoiled images at least as high as real ones")
        failed = self.repeats - self.repeats_passed
        if self.repeats >= MIN_REPEATS and 3 * failed > self.repeats:
            failures.append(f"rated {failed} of {self.repeats} repeated pages differently")
        if self.pages >= MIN_PAGES and self.seconds is not None and self.seconds < MIN_SECONDS:
            failures.append(f"took {self.seconds:.1f} s or less for half of the pages")
        return tuple(failures)

    @property
    def unreliable(self) -> bool:
        """Whether a part of the rule is broken."""
        return bool(self.failures)


def check_rater(ratings: Iterable[RatingRecord]) -> RaterChecks:
    """Check the ratings of one rater."""
    ratings = list(ratings)
    repeats = [rating for rating in ratings if rating.first is not None]
    pairs = [pair for name in QUESTIONS if (pair := _control_pair(ratings, name)) is not None]
    return RaterChecks(
        pages=len(ratings),
        repeats=len(repeats),
        repeats_passed=sum(
            abs(rating.value - (rating.first or 0)) <= TOLERANCE for rating in repeats
        ),
        controls=len(pairs),
        controls_passed=sum(real > spoiled for real, spoiled in pairs),
        seconds=median(rating.seconds for rating in ratings) if ratings else None,
    )


def _control_pair(ratings: list[RatingRecord], question: str) -> tuple[int, int] | None:
    """The ratings of the real and the spoiled images; None unless both were rated."""
    values = {rating.kind: rating.value for rating in ratings if rating.question == question}
    if REAL not in values or SPOILED not in values:
        return None
    return values[REAL], values[SPOILED]
