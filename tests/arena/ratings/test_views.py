"""The pages of rating, as raters and organizers see them."""

import csv
import io
import re

import pytest

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def entries(competition):
    from .factories import a_submission

    return [a_submission(competition, private=30.0 + n) for n in range(4)]


@pytest.fixture
def organizer(competition):
    from genmem.arena.teams.models import Role

    from ..factories import a_user, signed_in

    user = a_user("organizer")
    Role.objects.create(competition=competition, user=user, role="organizer")
    return signed_in(user)


@pytest.fixture
def rater():
    from ..factories import a_user, signed_in

    return signed_in(a_user("rater"))


def token(page):
    found = re.search(r'name="page" value="([\w-]+)"', page)
    assert found is not None
    return found[1]


def test_a_rater_goes_from_the_list_to_the_end(rater, entries):
    from genmem.arena.ratings.models import Rating

    from .factories import a_round

    found = a_round(entries[:2])
    assert "Round" in rater.get("/c/dogs/ratings/").content.decode()
    where = f"/c/dogs/ratings/{found.pk}/"
    assert "Before you start" in rater.get(where).content.decode()
    assert rater.post(where).url == where
    for number in range(1, 100):
        page = rater.get(where).content.decode()
        if "Thank you" in page:
            break
        assert f"Page {number} of up to 6" in page
        answer = rater.post(where, {"page": token(page), "value": "4"})
        assert answer.url == where
    assert number == 7
    assert Rating.objects.count() == 6
    assert "You rated 6 pages" in page


def test_a_page_says_nothing_about_whose_images_these_are(rater, entries):
    from genmem.arena.ratings.models import Page

    from .factories import a_round

    where = f"/c/dogs/ratings/{a_round(entries).pk}/"
    rater.post(where)
    shown = rater.get(where).content.decode()
    page = Page.objects.get()
    answer = rater.get(f"/c/dogs/ratings/images/{page.token}.png")
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["Cache-Control"].startswith("private")
    assert "Content-Disposition" not in answer.headers
    for entry in entries:
        for told in (str(entry.pk), entry.team.name, entry.original_name, entry.sha256):
            assert told not in shown
            assert told.encode() not in answer.content


def test_the_images_of_a_page_are_for_its_rater_only(rater, entries, organizer, competition):
    from genmem.arena.ratings.models import Page

    from ..factories import a_competition, a_user, signed_in
    from .factories import a_round

    where = f"/c/dogs/ratings/{a_round(entries).pk}/"
    rater.post(where)
    rater.get(where)
    images = f"/c/dogs/ratings/images/{Page.objects.get().token}.png"
    assert rater.get(images).status_code == 200
    assert organizer.get(images).status_code == 404
    assert signed_in(a_user()).get(images).status_code == 404
    a_competition("cats")
    assert rater.get(images.replace("dogs", "cats")).status_code == 404
    assert rater.get("/c/dogs/ratings/images/AAAA.png").status_code == 404


def test_a_round_is_for_those_whom_the_organizer_chose(rater, organizer, entries):
    from genmem.arena.accounts.models import User

    from ..factories import a_user, signed_in
    from .factories import a_round

    friend = a_user("friend")
    judges = a_round(entries, title="Judges only", audience="judges")
    invited = a_round(entries, title="Friends only", audience="invited", invited=[friend])
    for client, sees in (
        (rater, set()),
        (organizer, {judges}),
        (signed_in(User.objects.get(pk=friend.pk)), {invited}),
    ):
        for one in (judges, invited):
            answer = client.get(f"/c/dogs/ratings/{one.pk}/")
            assert answer.status_code == (200 if one in sees else 403)
            listed = client.get("/c/dogs/ratings/").content.decode()
            assert (f'href="/c/dogs/ratings/{one.pk}/"' in listed) == (one in sees)


def test_the_tab_is_shown_to_those_who_have_something_to_rate(rater, organizer, entries):
    from genmem.arena.ratings.rounds import close_round

    from .factories import a_round

    tab = 'href="/c/dogs/ratings/"'
    assert tab not in rater.get("/c/dogs/").content.decode()
    assert tab in organizer.get("/c/dogs/").content.decode()
    found = a_round(entries)
    assert tab in rater.get("/c/dogs/").content.decode()
    close_round(found, by=None)
    assert tab not in rater.get("/c/dogs/").content.decode()


@pytest.mark.parametrize("value", ["", "0", "6", "12", "x", "٣"])
def test_an_answer_off_the_scale_is_refused_with_a_reason(rater, entries, value):
    from genmem.arena.ratings.models import Rating

    from .factories import a_round

    where = f"/c/dogs/ratings/{a_round(entries).pk}/"
    rater.post(where)
    page = rater.get(where).content.decode()
    answer = rater.post(where, {"page": token(page), "value": value}, follow=True)
    assert "Choose one of the five answers." in answer.content.decode()
    assert not Rating.objects.exists()


def test_a_round_is_not_found_under_another_competition(rater, entries):
    from ..factories import a_competition
    from .factories import a_round

    a_competition("cats")
    assert rater.get(f"/c/cats/ratings/{a_round(entries).pk}/").status_code == 404


def test_an_organizer_opens_a_round_over_the_private_top(organizer, entries, competition):
    from genmem.arena.ratings.models import Round

    given = {
        "title": "The best two", "top": "2", "audience": "everybody", "ratings_wanted": "5",
        "pages": "20", "quality_grid": "3", "diversity_grid": "6",
    }  # fmt: skip
    answer = organizer.post("/c/dogs/ratings/new/", given)
    found = Round.objects.get()
    assert answer.url == f"/c/dogs/ratings/{found.pk}/results/"
    rated = [one.submission for one in found.items.order_by("pk")]
    assert rated == entries[:2]
    assert found.pages == 2
    listed = given | {"listed": f"{entries[3].pk}\n{entries[1].pk}"}
    organizer.post("/c/dogs/ratings/new/", listed)
    rated = [one.submission for one in Round.objects.latest("pk").items.order_by("pk")]
    assert rated == [entries[3], entries[1]]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"listed": "dogs.zip"}, "Expected submission IDs, got dogs.zip."),
        ({"listed": "0" * 32}, "Only scored submissions of this competition can be rated"),
        ({"audience": "invited"}, "Enter at least one address, or choose other raters."),
        ({"audience": "invited", "addresses": "x@y.z"}, "No account has the address x@y.z."),
        ({"controls": "on"}, "Controls need"),
        ({"quality_grid": "9"}, "less than or equal to 5"),
    ],
)
def test_a_round_that_cannot_be_opened_says_why(organizer, entries, changes, complaint, tmp_path):
    from genmem.arena.ratings.models import Round

    from .factories import real_images

    real_images(entries[0].team.competition, tmp_path, count=2)
    given = {
        "title": "T", "top": "2", "audience": "everybody", "ratings_wanted": "5", "pages": "20",
        "quality_grid": "3", "diversity_grid": "6",
    }  # fmt: skip
    answer = organizer.post("/c/dogs/ratings/new/", given | changes)
    assert complaint in answer.content.decode().replace("&#x27;", "'")
    assert not Round.objects.exists()


def test_the_results_show_means_agreement_and_who_was_careless(
    organizer, entries, competition, tmp_path
):
    from .factories import a_round, rate_all, real_images

    real_images(competition, tmp_path)
    found = a_round(entries, controls=True, ratings_wanted=3)
    for _ in range(3):
        rate_all(found)
    rate_all(found, lambda page: 3)
    shown = organizer.get(f"/c/dogs/ratings/{found.pk}/results/").content.decode()
    for entry in entries:
        assert entry.team.name in shown
    assert "Real images" in shown
    assert "5.00" in shown
    assert '24 <span class="muted">of 24' in shown
    assert "1.000" in shown  # three raters who agree on everything
    assert shown.count("Unreliable</span>") == 0
    rate_all(a_round(entries, controls=True), lambda page: 3)
    shown = organizer.get(f"/c/dogs/ratings/{found.pk + 1}/results/").content.decode()
    assert shown.count("Unreliable</span>") == 1
    assert "rated spoiled images at least as high as real ones" in shown


def test_the_csv_has_every_rating_and_no_name(organizer, entries):
    from genmem.arena.accounts.models import User
    from genmem.arena.ratings.models import Rating

    from .factories import a_round, rate_all

    found = a_round(entries)
    rate_all(found)
    answer = organizer.get(f"/c/dogs/export/ratings/{found.pk}.csv")
    text = b"".join(answer.streaming_content).decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [int(one["value"]) for one in rows] == [
        one.value for one in Rating.objects.order_by("pk")
    ]
    assert {one["submission_id"] for one in rows} == {str(one.pk) for one in entries}
    assert sum(bool(one["repeats_page"]) for one in rows) == 4
    assert all(one["rater"].startswith("person-") for one in rows)
    for user in User.objects.all():
        assert user.email not in text


def test_a_closed_round_says_so(rater, organizer, entries):
    from .factories import a_round

    found = a_round(entries)
    where = f"/c/dogs/ratings/{found.pk}/"
    rater.post(where)
    organizer.post(where + "close/")
    assert "This round has closed" in rater.get(where).content.decode()
    assert "Close the round" not in organizer.get(where + "results/").content.decode()
