"""What an export holds and leaves out, and that it is complete or absent."""

import hashlib
import json

import pyarrow.parquet as pq
import pytest

pytestmark = pytest.mark.usefixtures("database")

TABLES = {
    "submissions", "scores", "teams", "leaderboards", "leaderboard_history", "labels", "decisions",
    "ratings",
}  # fmt: skip


@pytest.fixture
def full(competition):
    from .factories import a_full_competition

    return a_full_competition(competition)


@pytest.fixture
def released(competition, full, tmp_path):
    from genmem.arena.export.export import export

    export(competition, tmp_path / "out", private=True)
    return tmp_path / "out"


def rows(folder, table):
    return pq.read_table(folder / f"{table}.parquet").to_pylist()


def everything(folder):
    """All that can be read in a release, as one text."""
    texts = [path.read_text() for path in sorted(folder.iterdir()) if path.suffix != ".parquet"]
    return "\n".join(texts + [str(rows(folder, path.stem)) for path in folder.glob("*.parquet")])


def test_it_has_every_table_and_what_explains_them(released):
    assert {path.name for path in released.iterdir()} == {
        *(f"{name}.parquet" for name in TABLES),
        "results.csv",
        "competition.json",
        "DATASHEET.md",
        "SHA256SUMS",
    }


def test_the_checksums_are_those_of_the_files(released):
    lines = (released / "SHA256SUMS").read_text().splitlines()
    found = dict(reversed(line.split("  ")) for line in lines)
    assert found == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in released.iterdir()
        if path.name != "SHA256SUMS"
    }


def test_every_row_of_the_database_is_in_its_table(released, competition, full):
    from genmem.arena.leaderboards.models import ScoreVersion
    from genmem.arena.moderation.models import Label
    from genmem.arena.ratings.models import Rating
    from genmem.arena.submissions.models import Submission
    from genmem.arena.teams.models import Team

    for table, model in (
        ("submissions", Submission),
        ("scores", ScoreVersion),
        ("teams", Team),
        ("labels", Label),
        ("ratings", Rating),
    ):
        assert len(rows(released, table)) == model.objects.count() > 0, table


def test_every_version_of_a_score_is_there_and_one_is_in_force(released, full):
    mine = [one for one in rows(released, "scores") if one["submission_id"] == str(full[0].pk)]
    public = [one for one in mine if one["split"] == "public"]
    assert [one["in_force"] for one in public] == [False, True]
    assert public[1]["supersedes"] == public[0]["score_id"]
    assert (public[1]["fd"], public[1]["distance"], public[1]["tau"]) == (60.0, 0.4, 0.1)


def test_a_decision_comes_with_its_rebuttal_and_answer(released, full):
    (one,) = rows(released, "decisions")
    assert (one["submission_id"], one["kind"]) == (str(full[3].pk), "disqualified")
    assert one["rebutted_at"] is not None
    assert one["answered_at"] is not None
    off = [one["submission_id"] for one in rows(released, "submissions") if one["disqualified"]]
    assert off == [str(full[3].pk)]


def test_a_label_that_was_replaced_is_there_and_not_in_force(competition, full, tmp_path):
    from genmem.arena.export.export import export
    from genmem.arena.moderation.models import Label
    from genmem.arena.moderation.reviews import add_label

    first = Label.objects.filter(submission=full[0]).first()
    add_label(full[0], "AE", reason="seen again", by=first.reviewer)
    export(competition, tmp_path / "out", private=True)
    mine = [
        one for one in rows(tmp_path / "out", "labels") if one["submission_id"] == str(full[0].pk)
    ]
    assert [(one["label"], one["in_force"]) for one in mine] == [
        ("legitimate", False),
        ("legitimate", True),
        ("SUP", True),
        ("AE", True),
    ]


def test_the_datasheet_names_every_field_of_every_table(released):
    text = (released / "DATASHEET.md").read_text()
    for table in TABLES:
        assert f"### {table}.parquet ({len(rows(released, table))} row" in text
        for name in pq.read_schema(released / f"{table}.parquet").names:
            assert f"| {name} | " in text
    for heading in ("How it was collected", "What is left out", "Caveats", "Licence"):
        assert f"## {heading}" in text


def test_people_and_teams_are_under_pseudonyms(released, full):
    from genmem.arena.accounts.models import User
    from genmem.arena.teams.models import Team

    text = everything(released)
    assert "@" not in text
    for user in User.objects.all():
        assert user.email not in text
        assert f"'{user.display_name}'" not in text
    for team in Team.objects.all():
        assert team.name not in text
    for written in ("Its noise is a code.", "It is not.", "dogs.zip", "a.png", "seen"):
        assert written not in text


def test_a_pseudonym_is_the_same_in_every_table(released):
    teams = {one["team"]: one["members"] for one in rows(released, "teams")}
    for one in rows(released, "submissions"):
        assert one["author"] in teams[one["team"]]
    assert {one["team"] for one in rows(released, "leaderboards")} <= set(teams)
    assert {one["team"] for one in rows(released, "leaderboard_history")} <= set(teams)


def test_pseudonyms_depend_on_the_secret_and_the_competition(competition, settings_secret):
    from genmem.arena.teams.pseudonyms import Pseudonyms

    from ..factories import a_competition, a_user

    user, other = a_user(), a_competition("cats")
    here, there = Pseudonyms(competition).person(user), Pseudonyms(other).person(user)
    assert here == Pseudonyms(competition).person(user)
    assert here.startswith("person-")
    settings_secret("another secret")
    assert len({here, there, Pseudonyms(competition).person(user)}) == 3


@pytest.fixture
def settings_secret(monkeypatch):
    from django.conf import settings

    return lambda secret: monkeypatch.setattr(settings, "SECRET_KEY", secret)


def test_with_names_they_and_what_was_written_are_in_it(competition, full, tmp_path):
    from genmem.arena.export.export import export

    export(competition, tmp_path / "out", private=True, names=True)
    text = everything(tmp_path / "out")
    assert "Its noise is a code." in text
    assert full[0].team.name in text
    assert "this export names people" in text
    assert "@example.org" not in text


def test_who_agreed_is_named_and_nobody_else(competition, full, tmp_path):
    from genmem.arena.export.export import export
    from genmem.arena.ratings.models import Rater

    author = full[0].author
    rater = Rater.objects.first()
    Rater.objects.filter(pk=rater.pk).update(named=True)
    export(competition, tmp_path / "out", private=True, agreed=[author.email.upper()])
    sent = {one["submission_id"]: one["author"] for one in rows(tmp_path / "out", "submissions")}
    assert sent[str(full[0].pk)] == author.display_name
    assert sent[str(full[1].pk)].startswith("person-")
    names = {one["rater"] for one in rows(tmp_path / "out", "ratings")}
    assert rater.user.display_name in names
    assert len([one for one in names if one.startswith("person-")]) == 1


def test_the_private_split_is_left_out_until_its_leaderboard_is_open(competition, full, tmp_path):
    from genmem.arena.competitions.setup import set_private_leaderboard_open
    from genmem.arena.export.export import export

    hidden, shown = tmp_path / "hidden", tmp_path / "shown"
    export(competition, hidden)
    assert {path.stem for path in hidden.glob("*.parquet")} == TABLES - {
        "labels", "decisions", "ratings",
    }  # fmt: skip
    assert {one["split"] for one in rows(hidden, "scores")} == {"public"}
    assert {one["split"] for one in rows(hidden, "leaderboards")} == {"public"}
    assert {one["split"] for one in rows(hidden, "leaderboard_history")} == {"public"}
    assert {one["kind"] for one in read(hidden)["splits"]} == {"public"}
    assert "private" not in (hidden / "results.csv").read_text()
    assert "0.25" not in everything(hidden)
    set_private_leaderboard_open(competition, True, actor=None)
    export(competition, shown)
    assert {one["split"] for one in rows(shown, "scores")} == {"public", "private"}
    assert (shown / "ratings.parquet").exists()


def read(folder):
    return json.loads((folder / "competition.json").read_text())


def test_the_competition_says_how_it_was_scored_and_not_where_files_lie(released):
    found = read(released)
    assert found["slug"] == "dogs"
    assert [(one["kind"], one["tau"]) for one in found["splits"]] == [
        ("private", 0.25),
        ("public", 0.1),
    ]
    assert {one["train"] for one in found["splits"]} == {"train"}
    assert len(found["rating_rounds"][0]["submissions"]) == 2


def test_a_folder_that_holds_something_is_left_alone(competition, tmp_path):
    from genmem.arena.export.export import export
    from genmem.errors import UsageError

    (tmp_path / "kept").write_text("mine")
    for out in (tmp_path, tmp_path / "kept"):
        with pytest.raises(UsageError, match="expected a new or an empty folder"):
            export(competition, out)
    with pytest.raises(UsageError, match="there is no folder"):
        export(competition, tmp_path / "a" / "b")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    (tmp_path / "empty").mkdir()
    export(competition, tmp_path / "empty")
    assert (tmp_path / "empty" / "DATASHEET.md").exists()


def test_an_export_that_fails_leaves_nothing(competition, full, tmp_path, monkeypatch):
    from genmem.arena.export import export as module

    def fail(*_):
        assert [path.suffix for path in tmp_path.iterdir()] == [".part"]
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(module, "write_results", fail)
    with pytest.raises(OSError, match="no space"):
        module.export(competition, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_rows_are_written_in_parts(released, competition, full, tmp_path, monkeypatch):
    from genmem.arena.export import schema
    from genmem.arena.export.export import export

    monkeypatch.setattr(schema, "_WRITE_ROWS", 2)
    found = export(competition, tmp_path / "parts", private=True)
    for name in TABLES:
        assert rows(tmp_path / "parts", name) == rows(released, name)
        assert found.rows[name] == len(rows(released, name))


def test_a_competition_without_anything_can_be_exported(competition, tmp_path):
    from genmem.arena.export.export import export

    found = export(competition, tmp_path / "out", private=True)
    assert set(found.rows.values()) == {0}
    assert "needs honest and copying labels" in (tmp_path / "out" / "DATASHEET.md").read_text()
