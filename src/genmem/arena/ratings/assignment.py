"""What a rater is shown, in which order; no Django here.

    plan(...)         the places of one rater's session: entries, controls, repeated pages
    choose(...)       which entry fills the next place

Every entry gets the same number of ratings. That is held by `choose`, page by page, and not by a
table made beforehand, since raters come late and leave early: an entry that has all the ratings
that are wanted is shown no more, and of the others the one with the fewest comes next. So the
counts differ by at most 1 while raters come one after another, and are equal at the end.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TypeVar

from genmem.arena.ratings.questions import QUESTIONS

Item = TypeVar("Item", bound=int)

REPEATS = 2
"""Pages of each question that come twice."""
GAP = 5
"""Pages at least between a page and its repetition, where the session is long enough."""
ENTRY, REAL, SPOILED, REPEAT = "entry", "real", "spoiled", "repeat"


@dataclass(frozen=True)
class Place:
    """One page of a session that is not drawn yet.

    Attributes:
        question: "quality" or "diversity".
        kind: `ENTRY`, a control (`REAL`, `SPOILED`), or `REPEAT`.
        of: the position in the plan of the page that is repeated; None for the other kinds.
    """

    question: str
    kind: str
    of: int | None = None


def plan(*, pages: int, controls: bool, turned: bool, seed: int) -> tuple[Place, ...]:
    """The places of one rater's session.

    Of each question: `pages` entries, up to `REPEATS` of them a second time, and, with `controls`,
    real images and spoiled ones once each, at random places. A repeated page stands in the second
    half, at least `GAP` pages after the first time (fewer in sessions too short for that).

    Args:
        pages: entries of each question.
        controls: whether there are real images to show.
        turned: whether diversity is asked first.
        seed: of the places.
    """
    drawn = random.Random(seed)
    names = list(QUESTIONS)
    made: list[Place] = []
    for name in reversed(names) if turned else names:
        made += _block(name, pages=pages, controls=controls, drawn=drawn, start=len(made))
    return tuple(made)


def _block(
    question: str, *, pages: int, controls: bool, drawn: random.Random, start: int
) -> list[Place]:
    kinds = [ENTRY] * pages + [REAL, SPOILED] * controls
    drawn.shuffle(kinds)
    gap = min(GAP, max(1, len(kinds) // 3))
    early = [at for at, kind in enumerate(kinds[: len(kinds) - gap]) if kind == ENTRY]
    again = drawn.sample(early, min(REPEATS, len(early)))
    after: dict[int, list[int]] = {}
    for first in again:
        low = max(first + gap, len(kinds) // 2)
        after.setdefault(drawn.randint(min(low, len(kinds) - 1), len(kinds) - 1), []).append(first)
    places: list[Place] = []
    position: dict[int, int] = {}
    for at, kind in enumerate(kinds):
        position[at] = start + len(places)
        places.append(Place(question, kind))
        places += [Place(question, REPEAT, position[first]) for first in after.get(at, [])]
    return places


def choose(
    counts: Mapping[Item, int], *, seen: Collection[Item], wanted: int, seed: int
) -> Item | None:
    """The entry to show next; None where this rater can add nothing that is wanted.

    Args:
        counts: ratings each entry has of this question, with those under way.
        seen: entries not to be shown to this rater: rated already, or their own team's.
        wanted: ratings that every entry should have.
        seed: draws among the entries with the fewest.
    """
    left = {item: count for item, count in counts.items() if count < wanted and item not in seen}
    if not left:
        return None
    fewest = min(left.values())
    return random.Random(seed).choice(sorted(i for i, count in left.items() if count == fewest))


def draw(available: int, wanted: int, *, seed: int) -> list[int]:
    """Which images a page shows: `wanted` of `available`, each once, in random order."""
    return random.Random(seed).sample(range(available), min(wanted, available))
