"""What a release says is what `genmem analyze` reads."""

import csv
import json
import shlex

import pytest

from genmem.calibration import analyze, read_table
from genmem.calibration.labels import Labels

pytestmark = pytest.mark.usefixtures("database")

PUBLISHED = [
    "submission_id", "public_score", "private_score", "FID_public", "FID_private",
    "distance_public", "distance_private", "labels",
]  # fmt: skip


@pytest.fixture
def full(competition):
    from .factories import a_full_competition

    return a_full_competition(competition)


@pytest.fixture
def released(competition, full, tmp_path):
    from genmem.arena.export.export import export

    return export(competition, tmp_path / "out", private=True), tmp_path / "out"


def table(folder):
    with (folder / "results.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_its_columns_are_those_of_the_published_table(released):
    _, folder = released
    assert list(table(folder)[0]) == PUBLISHED


def test_it_holds_the_scores_in_force_bit_for_bit(released, full):
    _, folder = released
    by_id = {one["submission_id"]: one for one in table(folder)}
    assert list(by_id) == [str(one.pk) for one in full]
    for submission in full:
        for version in submission.scores.filter(superseded_by=None).select_related("split"):
            kind, row = version.split.kind, by_id[str(submission.pk)]
            assert float(row[f"FID_{kind}"]) == version.fd
            assert float(row[f"distance_{kind}"]) == version.distance
            if submission != full[3]:
                assert float(row[f"{kind}_score"]) == version.score


def test_labels_are_those_that_two_reviewers_agree_on(released):
    found = [one["labels"] for one in table(released[1])]
    assert found == ["non-mem", "non-mem", "non-mem", "mgan", "aug", "cheating"]
    assert (released[0].results.honest, released[0].results.cheating) == (3, 3)


def test_the_disqualified_are_marked_and_those_without_a_score_left_out(released, full):
    made, folder = released
    marked = [one["submission_id"] for one in table(folder) if one["private_score"] == "999999"]
    assert marked == [str(full[3].pk)]
    assert (made.results.rows, made.results.left_out) == (6, 1)


def test_genmem_analyze_reads_it_and_reproduces_every_score(released):
    found = analyze(released[1] / "results.csv")
    for board in found.boards.values():
        assert board.disqualified == 1
        assert board.reproduced == 5


def test_the_command_in_the_datasheet_runs(released, monkeypatch, capsys):
    from genmem.cli.app import run

    made, folder = released
    command = made.results.command
    assert f"    {command}\n" in (folder / "DATASHEET.md").read_text()
    monkeypatch.chdir(folder)
    run(shlex.split(command)[1:])
    assert "public: " in capsys.readouterr().out
    numbers = json.loads((folder / "analysis" / "analysis.json").read_text())
    assert numbers


def test_without_the_private_split_it_has_the_public_columns(competition, full, tmp_path):
    from genmem.arena.export.export import export

    made = export(competition, tmp_path / "out")
    found = read_table(
        tmp_path / "out" / "results.csv",
        numbers=["FID_public", "distance_public"],
        label="labels",
        labels=Labels(),
        identifier="submission_id",
    )
    assert len(found) == 7
    assert set(found.labels) == {""}
    assert "--board public=FID_public,distance_public,public_score" in made.results.command


@pytest.mark.parametrize(
    ("private", "words"),
    [(False, "labels, which belong to the private split"), (True, "legitimate ones (there are 0)")],
)
def test_without_labels_it_is_said_why_it_cannot_be_analyzed(competition, tmp_path, private, words):
    from genmem.arena.export.command import export_by_slug

    out = tmp_path / "out"
    said = list(export_by_slug("dogs", out, private=private, names=False, agreed=None))
    assert words in said[-1]
    datasheet = (out / "DATASHEET.md").read_text()
    assert "`genmem analyze` needs honest and copying labels" in datasheet
    assert "genmem analyze results.csv" not in datasheet
