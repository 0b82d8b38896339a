"""Rounds and whole sessions for tests; imported inside them, once Django is loaded."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from genmem.arena.accounts.models import User
from genmem.arena.competitions.models import Competition, Split
from genmem.arena.ratings.models import Page, Rater, Round
from genmem.arena.ratings.rounds import open_round
from genmem.arena.ratings.session import join, next_page, submit_rating
from genmem.arena.submissions import storage
from genmem.arena.submissions.models import Submission

from ..factories import a_team, a_user, scored
from ..images import a_zip, png

REAL = 12


def a_submission(competition: Competition, public: float = 20.0, private: float = 30.0):
    """One with images in the storage."""
    made = scored(a_team(competition), public, private=private)
    return with_images(made)


def with_images(submission: Submission) -> Submission:
    with TemporaryDirectory() as folder:
        name = f"submissions/{submission.pk}.zip"
        storage.store_file(a_zip(Path(folder) / "x.zip"), name)
    submission.file = name
    submission.save(update_fields=["file"])
    return submission


def real_images(competition: Competition, folder: Path, count: int = REAL) -> None:
    """Training images of another size than the competition's."""
    train = folder / "real"
    train.mkdir()
    for number in range(count):
        (train / f"{number}.png").write_bytes(png(1000 + number, size=(20, 12)))
    Split.objects.create(
        competition=competition, kind="public", version=2, backbone="pixels", train=str(train)
    )


def a_round(
    submissions: list[Submission],
    *,
    invited: Sequence[User] = (),
    by: User | None = None,
    **settings,
) -> Round:
    """An open round over these submissions; by default without controls."""
    defaults = {"title": "Round", "controls": False, "quality_grid": 2, "diversity_grid": 2}
    competition = submissions[0].team.competition
    rating_round = Round(competition=competition, **defaults | settings)
    ids = [submission.pk for submission in submissions]
    return open_round(rating_round, ids, invited=invited, by=by)


def rate_all(
    found: Round,
    rate: Callable[[Page], int] | None = None,
    *,
    user: User | None = None,
    most: int | None = None,
    seconds: float = 8,
) -> Rater:
    """Somebody's session to its end, or to `most` pages."""
    rater = join(found, user or a_user())
    done = 0
    while (most is None or done < most) and (page := next_page(rater)) is not None:
        shown_at = page.shown_at - timedelta(seconds=seconds)
        Page.objects.filter(pk=page.pk).update(shown_at=shown_at)
        submit_rating(rater, page.token, careful(page) if rate is None else rate(page))
        done += 1
    return rater


def careful(page: Page) -> int:
    """Real images 5, spoiled ones 1, and a submission always about the same."""
    if page.item.kind != "submission":
        return {"real": 5, "spoiled": 1}[page.item.kind]
    seed = f"{page.item.pk}{page.question}"
    return random.Random(seed).randint(2, 4)


def a_page(submission: Submission, user: User) -> Page:
    """A page of a round over one submission, waiting for the rating of this person."""
    found = a_round([submission])
    page = next_page(join(found, user))
    assert page is not None
    return page
