"""Rating sessions in the database: who is shown what, and what becomes of it."""

from collections import Counter

import pytest

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def entries(competition):
    from .factories import a_submission

    return [a_submission(competition, private=30.0 + n) for n in range(5)]


def counts_of(found, *, reliable=True):
    from genmem.arena.ratings.models import Rater
    from genmem.arena.ratings.results import rating_records

    out = set(Rater.objects.filter(round=found, unreliable=True).values_list("pk", flat=True))
    kept = [
        one for one in rating_records(found) if one.counts and not (reliable and one.rater in out)
    ]
    return Counter((one.question, one.item) for one in kept)


def test_every_submission_gets_the_same_number_of_ratings(entries):
    from .factories import a_round, rate_all

    found = a_round(entries, ratings_wanted=3)
    for _ in range(3):
        rate_all(found)
    assert set(counts_of(found).values()) == {3}
    assert len(counts_of(found)) == 10
    late = rate_all(found)
    assert not late.rated_pages.exists()


def test_who_has_no_submission_left_to_rate_is_shown_no_controls(entries, competition, tmp_path):
    from .factories import a_round, rate_all, real_images

    real_images(competition, tmp_path)
    found = a_round(entries, ratings_wanted=1, controls=True)
    first, late = rate_all(found), rate_all(found)
    assert first.rated_pages.filter(item__kind="real").count() == 2
    assert not late.rated_pages.exists()


def test_raters_who_leave_are_made_up_for_by_others(entries):
    from .factories import a_round, rate_all

    found = a_round(entries, ratings_wanted=3)
    for most in (1, 3, 0, 4, None, None, None, None):
        rate_all(found, most=most)
    assert set(counts_of(found).values()) == {3}


def test_ratings_of_the_unreliable_are_asked_for_again(entries, competition, tmp_path):
    from .factories import a_round, rate_all, real_images

    real_images(competition, tmp_path)
    found = a_round(entries, ratings_wanted=2, controls=True)
    careless = rate_all(found, lambda page: 3)
    assert careless.unreliable
    for _ in range(3):
        assert not rate_all(found).unreliable
    assert set(counts_of(found).values()) == {2}
    assert set(counts_of(found, reliable=False).values()) == {3}


def test_a_rater_sees_a_submission_once_a_question_but_for_repetitions(entries):
    from .factories import a_round, rate_all

    found = a_round(entries, ratings_wanted=9)
    pages = list(rate_all(found).rated_pages.all())
    fresh = [(page.question, page.item_id) for page in pages if page.repeats is None]
    assert len(fresh) == len(set(fresh)) == 10
    again = [page for page in pages if page.repeats]
    assert len(again) == 4
    assert all(page.images == page.repeats.images for page in again)
    assert all(page.item == page.repeats.item for page in again)
    assert len({page.token for page in pages}) == len(pages)


def test_every_second_rater_begins_with_diversity(entries):
    from genmem.arena.ratings.session import join, next_page

    from ..factories import a_user
    from .factories import a_round

    found = a_round(entries)
    first = [next_page(join(found, a_user())).question for _ in range(4)]
    assert first == ["quality", "diversity", "quality", "diversity"]


def test_nobody_rates_their_own_teams_submission(entries):
    from ..factories import captain
    from .factories import a_round, rate_all

    found = a_round(entries, ratings_wanted=9)
    mine = entries[2]
    rater = rate_all(found, user=captain(mine.team))
    shown = {page.item.submission for page in rater.rated_pages.all()}
    assert shown == set(entries) - {mine}


def test_a_page_waits_for_its_rating_and_expires_in_the_end(entries, time):
    from genmem.arena.core.errors import RuleError
    from genmem.arena.ratings.session import join, next_page, submit_rating

    from ..factories import a_user
    from .factories import a_round

    found = a_round(entries[:1], ratings_wanted=1)
    slow, quick = join(found, a_user()), join(found, a_user())
    page = next_page(slow)
    assert next_page(slow) == page
    assert next_page(quick).question == "diversity"  # quality of the only entry is taken
    time.pass_(minutes=31)
    other = next_page(quick)
    submit_rating(quick, other.token, 4)
    submit_rating(quick, next_page(quick).token, 4)
    assert next_page(slow) is None
    with pytest.raises(RuleError, match="expired after 30 minutes"):
        submit_rating(slow, page.token, 4)
    assert set(counts_of(found).values()) == {1}


def test_a_rating_sent_twice_is_one_and_the_first_stands(entries):
    from genmem.arena.ratings.models import Rating
    from genmem.arena.ratings.session import join, next_page, submit_rating

    from ..factories import a_user
    from .factories import a_round

    rater = join(a_round(entries), a_user())
    page = next_page(rater)
    assert submit_rating(rater, page.token, 2) == submit_rating(rater, page.token, 5)
    assert list(Rating.objects.values_list("value", flat=True)) == [2]


def test_ratings_never_change(entries):
    from genmem.arena.ratings.models import Rating

    from .factories import a_round, rate_all

    rate_all(a_round(entries), most=1)
    rating = Rating.objects.get()
    for change in (rating.save, rating.delete, Rating.objects.all().delete):
        with pytest.raises(TypeError, match="never"):
            change()
    with pytest.raises(TypeError, match="never"):
        Rating.objects.update(value=5)


@pytest.mark.parametrize("value", [0, 6, -1])
def test_a_value_off_the_scale_is_refused(entries, value):
    from genmem.arena.core.errors import RuleError
    from genmem.arena.ratings.session import join, next_page, submit_rating

    from ..factories import a_user
    from .factories import a_round

    rater = join(a_round(entries), a_user())
    with pytest.raises(RuleError, match="one of the five"):
        submit_rating(rater, next_page(rater).token, value)


def test_a_page_of_another_rater_cannot_be_rated(entries):
    from genmem.arena.core.errors import RuleError
    from genmem.arena.ratings.session import join, next_page, submit_rating

    from ..factories import a_user
    from .factories import a_round

    found = a_round(entries)
    mine, theirs = join(found, a_user()), join(found, a_user())
    with pytest.raises(RuleError):
        submit_rating(mine, next_page(theirs).token, 3)


def test_a_closed_round_takes_nothing_more(entries):
    from genmem.arena.core.errors import RuleError
    from genmem.arena.ratings.rounds import close_round
    from genmem.arena.ratings.session import join, next_page, submit_rating

    from ..factories import a_user
    from .factories import a_round

    found = a_round(entries)
    rater = join(found, a_user())
    page = next_page(rater)
    close_round(found, by=None)
    with pytest.raises(RuleError, match="has closed"):
        submit_rating(rater, page.token, 3)
    with pytest.raises(RuleError, match="has closed"):
        join(found, a_user())
    assert next_page(rater) is None


def test_progress_counts_pages(entries):
    from genmem.arena.ratings.session import progress

    from .factories import a_round, rate_all

    found = a_round(entries)
    rater = rate_all(found, most=3)
    assert (progress(rater).done, progress(rater).of) == (3, 14)
