"""Which pages a rater is shown, in which order; no Django here.

    plan_session   the pages of one rater's session: submissions, controls, repeated pages
    choose_item    which submission fills the next page

Every submission gets the same number of ratings. `choose_item` ensures this page by page, since
raters come late and leave early: a submission with all the ratings it needs is shown no more, and
of the others the one with the fewest ratings comes next. So the counts differ by at most 1 while
raters come one after another, and are equal at the end.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TypeVar

from genmem.arena.ratings.questions import QUESTIONS

Id = TypeVar("Id", bound=int)

REPEATS = 2
"""Pages of each question that are shown twice."""
GAP = 5
"""Minimum number of pages between a page and its repetition, where the session is long enough."""
SUBMISSION, REAL, SPOILED, REPEAT = "submission", "real", "spoiled", "repeat"


@dataclass(frozen=True)
class PlannedPage:
    """One page of a session whose images are not drawn yet.

    Attributes:
        question: "quality" or "diversity".
        kind: `SUBMISSION`, a control (`REAL`, `SPOILED`), or `REPEAT`.
        repeats: position in the plan of the page that is repeated; None for the other kinds.
    """

    question: str
    kind: str
    repeats: int | None = None


def plan_session(
    *, pages: int, controls: bool, diversity_first: bool, seed: int
) -> tuple[PlannedPage, ...]:
    """Plan the pages of one rater's session.

    For each question: `pages` submissions, up to `REPEATS` of them a second time, and, with
    `controls`, one page of real and one of spoiled images, at random positions. A repeated page is
    in the second half, at least `GAP` pages after the first time (fewer in short sessions).

    Args:
        pages: submissions per question.
        controls: whether there are real images to show.
        diversity_first: whether diversity is asked before quality.
        seed: of the positions.
    """
    rng = random.Random(seed)
    questions = list(reversed(QUESTIONS)) if diversity_first else list(QUESTIONS)
    plan: list[PlannedPage] = []
    for question in questions:
        plan += _plan_question(question, pages=pages, controls=controls, rng=rng, start=len(plan))
    return tuple(plan)


def _plan_question(
    question: str, *, pages: int, controls: bool, rng: random.Random, start: int
) -> list[PlannedPage]:
    kinds = [SUBMISSION] * pages + [REAL, SPOILED] * controls
    rng.shuffle(kinds)
    gap = min(GAP, max(1, len(kinds) // 3))
    early = [at for at, kind in enumerate(kinds[: len(kinds) - gap]) if kind == SUBMISSION]
    repeated = rng.sample(early, min(REPEATS, len(early)))
    repeats_after: dict[int, list[int]] = {}
    for first in repeated:
        low = max(first + gap, len(kinds) // 2)
        after = rng.randint(min(low, len(kinds) - 1), len(kinds) - 1)
        repeats_after.setdefault(after, []).append(first)
    plan: list[PlannedPage] = []
    positions: dict[int, int] = {}
    for at, kind in enumerate(kinds):
        positions[at] = start + len(plan)
        plan.append(PlannedPage(question, kind))
        plan += [
            PlannedPage(question, REPEAT, positions[first]) for first in repeats_after.get(at, [])
        ]
    return plan


def choose_item(
    counts: Mapping[Id, int], *, seen: Collection[Id], wanted: int, seed: int
) -> Id | None:
    """Choose the submission to show next; None where this rater has nothing left to rate.

    Args:
        counts: number of ratings of each submission on this question, pending ones included.
        seen: submissions not to show to this rater: rated already, or their own team's.
        wanted: ratings that every submission should have.
        seed: decides among those with the fewest ratings.
    """
    left = {item: count for item, count in counts.items() if count < wanted and item not in seen}
    if not left:
        return None
    fewest = min(left.values())
    rng = random.Random(seed)
    return rng.choice(sorted(item for item, count in left.items() if count == fewest))


def draw_images(available: int, count: int, *, seed: int) -> list[int]:
    """Draw the images of a page: `count` of `available`, without replacement, in random order."""
    return random.Random(seed).sample(range(available), min(count, available))
