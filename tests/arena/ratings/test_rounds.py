"""Opening rounds: over what, for whom, with which images."""

import io
import uuid

import numpy as np
import pytest
from PIL import Image

CELL = 288
"""Pixels of an image of 8 in a picture of two columns."""

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def entries(competition):
    from .factories import a_submission

    return [a_submission(competition, 20.0 - n, 30.0 + n) for n in range(3)]


def shown(page):
    from genmem.arena.ratings.round_images import page_picture

    with Image.open(io.BytesIO(page_picture(page))) as image:
        return np.asarray(image)


def pages_of(rater, question, kind):
    return rater.rated_pages.filter(question=question, item__kind=kind)


def test_the_top_is_that_of_the_private_leaderboard(competition, entries):
    from genmem.arena.ratings.rounds import top_submissions

    assert top_submissions(competition, 2) == [one.pk for one in entries[:2]]


def test_disqualified_submissions_are_not_in_the_top(competition, entries):
    from genmem.arena.moderation.decisions import decide
    from genmem.arena.ratings.rounds import top_submissions

    decide(entries[0], "disqualified", reason="Copies.", by=None)
    assert top_submissions(competition, 5) == [one.pk for one in entries[1:]]


def test_without_private_scores_the_top_is_that_of_the_public_leaderboard(competition):
    from genmem.arena.ratings.rounds import top_submissions

    from ..factories import a_team, scored

    better, best = scored(a_team(competition), 2.0), scored(a_team(competition), 1.0)
    scored(a_team(competition), None)
    assert top_submissions(competition, 5) == [best.pk, better.pk]


def test_only_scored_submissions_of_the_competition_are_rated(competition, entries):
    from genmem.arena.core.errors import RuleError
    from genmem.arena.ratings.models import Round
    from genmem.arena.ratings.rounds import open_round

    from ..factories import a_competition
    from .factories import a_submission

    other = a_submission(a_competition("cats"))
    for wrong in (other.pk, uuid.uuid4()):
        with pytest.raises(RuleError, match="Only scored submissions"):
            open_round(Round(competition=competition), [entries[0].pk, wrong], by=None)
    with pytest.raises(RuleError, match="no scored submission"):
        open_round(Round(competition=competition), [], by=None)


def test_controls_need_training_images_that_can_be_read(competition, entries, tmp_path):
    from genmem.arena.core.errors import RuleError
    from genmem.arena.ratings.models import Round

    from .factories import a_round, real_images

    with pytest.raises(RuleError, match="cannot be shown as controls"):
        a_round(entries, controls=True)
    real_images(competition, tmp_path, count=3)
    with pytest.raises(RuleError, match="at least 10 training images, found 3"):
        a_round(entries, controls=True)
    assert not Round.objects.exists()


def test_opening_and_closing_are_in_the_log(competition, entries):
    from genmem.arena.auditlog.models import LogEntry
    from genmem.arena.ratings.rounds import close_round

    from ..factories import a_user
    from .factories import a_round

    organizer = a_user()
    found = a_round(entries, by=organizer)
    close_round(found, by=organizer)
    close_round(found, by=organizer)
    logged = LogEntry.objects.filter(competition=competition, actor=organizer)
    assert [one.action for one in logged.order_by("pk")] == [
        "open rating round",
        "close rating round",
    ]


def test_a_picture_shows_the_pages_images_and_its_repetition_the_same(entries):
    from .factories import a_round, rate_all

    rater = rate_all(a_round(entries))
    page = rater.rated_pages.exclude(repeats=None).first()
    assert np.array_equal(shown(page), shown(page.repeats))
    fresh = list(rater.rated_pages.filter(repeats=None, question="quality"))
    assert shown(fresh[0]).shape == (2 * CELL + 6, 2 * CELL + 6, 4)


def test_real_images_come_in_the_size_of_the_others(competition, entries, tmp_path):
    from .factories import a_round, rate_all, real_images

    real_images(competition, tmp_path)
    rater = rate_all(a_round(entries, controls=True))
    kinds = {
        kind: shown(pages_of(rater, "quality", kind).first())
        for kind in ("submission", "real", "spoiled")
    }
    assert len({one.shape for one in kinds.values()}) == 1


def test_spoiled_images_are_noise_for_quality_and_one_image_for_diversity(
    competition, entries, tmp_path
):
    from genmem.arena.ratings.round_images import _images

    from .factories import a_round, rate_all, real_images

    real_images(competition, tmp_path)
    rater = rate_all(a_round(entries, controls=True))
    page = pages_of(rater, "diversity", "spoiled").get()
    at = (0, CELL + 6)
    cells = [shown(page)[y : y + CELL, x : x + CELL] for y in at for x in at]
    assert all(np.array_equal(cells[0], one) for one in cells)
    page = pages_of(rater, "quality", "spoiled").get()
    original = _images(page.item, page.images)[0]
    pixels = shown(page)[:CELL, :CELL, :3].astype(int)
    assert abs(pixels.mean() - original.mean()) < 12  # the colors are its own, enlarged
    assert not np.array_equal(pixels[::36, ::36], original)


def test_images_of_code_are_those_it_made(competition):
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from genmem.arena.submissions import storage

    from ..factories import a_team, scored
    from ..images import a_zip
    from .factories import a_round, rate_all

    made = scored(a_team(competition), 1.0, private=1.0, kind="code")
    with TemporaryDirectory() as folder:
        storage.store_file(a_zip(Path(folder) / "x.zip"), f"output/{made.pk}.zip")
    assert shown(rate_all(a_round([made]), most=1).rated_pages.get()).any()
