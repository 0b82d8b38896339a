"""The organizer's pages: what is saved, what is refused, and what the log says of it."""

import pytest

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def organizer(competition):
    from ..factories import a_user, signed_in

    return signed_in(a_user("olivia", is_staff=True))


def fields(**changes):
    """What a browser sends for a competition."""
    return {
        "title": "Cats",
        "slug": "cats",
        "rules": "Be **fair**.",
        "time_zone": "America/New_York",
        "opens_at": "2026-06-01T09:00",
        "merge_until": "2026-06-20T00:00:00",
        "closes_at": "2026-07-01T23:59:59",
        "image_count": "1000",
        "image_width": "64",
        "image_height": "64",
        "image_formats": ["png", "jpeg"],
        "daily_limit": "5",
        "final_count": "2",
        "maximum_upload_bytes": "200 MB",
        "accepts_images": "on",
        "wall_seconds": "9 h",
        "memory_bytes": "8 GiB",
    } | changes


def actions():
    from genmem.arena.auditlog.models import LogEntry

    return [(one.action, one.before, one.after) for one in LogEntry.objects.order_by("pk")]


def test_an_organizer_makes_a_competition_and_is_led_to_its_splits(organizer):
    from genmem.arena.competitions.models import Competition
    from genmem.arena.core.formatting import moment

    answer = organizer.post("/competitions/new/", fields())
    assert answer.url == "/c/cats/setup/splits/public/"
    made = Competition.objects.get(slug="cats")
    assert moment(made.opens_at) == "1 June 2026, 13:00 UTC"
    assert moment(made.closes_at) == "2 July 2026, 03:59:59 UTC"
    assert actions()[-1][0] == "create competition"


def test_a_mistake_saves_nothing_and_stands_beside_its_field(organizer):
    from genmem.arena.competitions.models import Competition

    page = organizer.post("/competitions/new/", fields(closes_at="2026-05-01T00:00")).content
    assert "The competition closes before it opens." in page.decode()
    assert "Nothing was saved" in page.decode()
    assert Competition.objects.count() == 1


def test_saving_the_page_as_it_is_changes_nothing(organizer, competition):
    import re

    page = organizer.get("/c/dogs/setup/").content.decode()
    opens = re.search(r'name="opens_at" value="([^"]+)"', page)
    assert opens is not None
    assert opens[1] == "2026-05-10T12:00:00"
    sent = fields(
        title="Generative Dogs", slug="dogs", rules="# Rules\nNo *copies*.", time_zone="UTC",
        opens_at="2026-05-10T12:00:00", merge_until="2026-05-25T12:00:00",
        closes_at="2026-05-30T12:00:00", image_count="4", image_width="8", image_height="8",
        image_formats=["png"], daily_limit="3", maximum_upload_bytes="100 kB",
    )  # fmt: skip
    assert organizer.post("/c/dogs/setup/", sent).status_code == 302
    assert actions() == []


def test_an_edit_is_in_the_log_with_what_was_before(organizer, competition):
    sent = fields(slug="dogs", daily_limit="7")
    assert organizer.post("/c/dogs/setup/", sent).status_code == 302
    action, before, after = actions()[-1]
    assert action == "edit competition"
    assert (before["daily_limit"], after["daily_limit"]) == (3, 7)
    assert "final_count" not in after


def test_a_change_of_a_split_is_a_new_version(organizer, competition, arena):
    from genmem.arena.competitions.models import Split, split_in_force

    sent = {"backbone": "pixels", "train": "/train", "tau": "0.3", "epsilon": "1e-15"}
    organizer.post("/c/dogs/setup/splits/private/", sent)
    newest = split_in_force(competition, "private")
    assert newest is not None
    assert (newest.version, newest.tau) == (2, 0.3)
    assert Split.objects.filter(competition=competition, kind="private").count() == 2
    page = organizer.post("/c/dogs/setup/splits/private/", sent, follow=True).content.decode()
    assert "Nothing was changed" in page
    assert Split.objects.filter(competition=competition, kind="private").count() == 2


@pytest.mark.parametrize("path", ["/etc/passwd", "../secret.key", "data/../../x", "/"])
def test_a_split_can_only_name_images_in_the_data_folders(organizer, path):
    sent = {"backbone": "pixels", "train": path, "tau": "0.3", "epsilon": "1e-15"}
    page = organizer.post("/c/dogs/setup/splits/private/", sent).content.decode()
    assert "Expected a path in" in page


def test_a_path_in_the_data_folder_is_taken(organizer, competition, arena):
    from genmem.arena.competitions.models import split_in_force

    (arena / "data" / "train").mkdir(exist_ok=True)
    sent = {"backbone": "pixels", "train": "data/train", "tau": "0.3", "epsilon": "1e-15"}
    organizer.post("/c/dogs/setup/splits/public/", sent)
    newest = split_in_force(competition, "public")
    assert newest is not None
    assert newest.train == str((arena / "data" / "train").resolve())


def test_a_split_that_is_not_there_is_not_found(organizer):
    assert organizer.get("/c/dogs/setup/splits/secret/").status_code == 404


def test_roles_are_given_and_taken_back_and_logged(organizer):
    from genmem.arena.teams.models import Role

    from ..factories import a_user

    a_user("rafael")
    sent = {"give": "1", "email": "Rafael@example.org", "role": "reviewer"}
    organizer.post("/c/dogs/setup/roles/", sent)
    role = Role.objects.get()
    organizer.post("/c/dogs/setup/roles/", {"revoke": role.pk})
    assert not Role.objects.exists()
    assert [action for action, _, _ in actions()] == ["give role", "take role"]


def test_a_participant_gets_no_role(organizer, competition):
    from ..factories import a_team, captain

    email = captain(a_team(competition)).email
    sent = {"give": "1", "email": email, "role": "reviewer"}
    page = organizer.post("/c/dogs/setup/roles/", sent, follow=True).content.decode()
    assert "cannot judge it" in page


def test_opening_the_private_board_is_logged_once(organizer):
    for _ in range(2):
        organizer.post("/c/dogs/setup/private-leaderboard/", {"show": "yes"})
    organizer.post("/c/dogs/setup/private-leaderboard/", {"show": "no"})
    assert [action for action, _, _ in actions()] == ["open private board", "hide private board"]
