"""`genmem analyze` from a table to a folder."""

import json

import pytest

from genmem.cli.app import run

HEADER = "submission_id,public_score,private_score,FID_public,FID_private,distance_public"
ROWS = """,distance_private,labels
1,10,10,10,10,0.3,0.5,non-mem
2,12,14,12,14,0.32,0.52,non-mem
3,5,999999,5,6,0.12,0.2,mgan
4,6,999999,6,7,0.13,0.22,sup
5,11,12,11,12,0.31,0.51,
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "r.csv").write_text(HEADER + ROWS)
    return tmp_path


def test_a_table_becomes_a_page_figures_and_numbers(folder, capsys):
    assert run(["analyze", "r.csv", "--out", "made/here", "--top", "2"]) == 0
    assert (
        "public: With τ* = 0.3, 2 of 2 cheats are caught and no honest entry"
        in capsys.readouterr().out
    )
    out = folder / "made" / "here"
    assert {path.name for path in out.iterdir()} == {
        "analysis.html",
        "analysis.json",
        "figures",
    }
    figures = {path.name for path in (out / "figures").iterdir()}
    assert figures == {
        f"{name}.{kind}"
        for name in (
            *(
                f"{what}-{board}"
                for what in ("scatter", "distances", "sweep", "review")
                for board in ("public", "private")
            ),
            "ranks-1-2",
        )
        for kind in ("svg", "png")
    }
    numbers = json.loads((out / "analysis.json").read_text())
    assert numbers["boards"]["private"]["disqualified"] == 2
    assert numbers["labels"]["not reviewed"] == 1


def test_columns_are_mapped_by_flags(folder, capsys):
    (folder / "o.csv").write_text("f,d,verdict\n10,0.3,ok\n3,0.1,copy\n4,0.2,\n")
    flags = ["--board", "final=f,d", "--tau", "final=0.2", "--label", "verdict", "--id", ""]
    labels = ["--honest", "ok", "--cheating", "copy"]
    assert run(["analyze", "o.csv", "--out", "o", *flags, *labels, "--top", "1"]) == 0
    numbers = json.loads((folder / "o" / "analysis.json").read_text())
    assert list(numbers["boards"]) == ["final"]
    assert numbers["boards"]["final"]["tau_in_force"]["tau"] == 0.2
    assert "final: With τ* = 0.3" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("FID_public", "FID"), "no column 'FID_public'"),
        (("0.32", "far"), "row 3, column distance_public: expected a number"),
        (("\n4,6", "\n2,6"), "row 5, column submission_id: id '2' is already in row 3"),
        (("mgan", "mgam"), "row 4, column labels: label 'mgam' is unknown"),
        (("0.22,sup", "0.22"), "row 5: expected 8 cells"),
    ],
)
def test_a_bad_table_is_one_line_that_names_the_row(folder, capsys, change, message):
    (folder / "r.csv").write_text((HEADER + ROWS).replace(*change))
    assert run(["analyze", "r.csv", "--out", "o"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert message in captured.err
    assert not (folder / "o").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--board", "final"], "expected NAME=FD,DISTANCE"),
        (["--board", "final=FID_public"], "expected NAME=FD,DISTANCE"),
        (["--tau", "final=0.1"], "no leaderboard 'final'"),
        (["--tau", "public=2"], "(0, 1]"),
        (["--tau", "public=near"], "(0, 1]"),
        (["--top", "0"], "--top"),
        (["--out", ""], "got an empty text"),
        (["--out", "."], "holds RESULTS.csv"),
        (["--out", "full"], "expected an empty folder or one with an earlier analysis"),
        (["--out", "nowhere/o"], "is a broken link"),
        (["--out", "r.csv"], "--out r.csv is a file"),
    ],
)
def test_a_wrong_call_is_one_line_and_exit_code_2(folder, capsys, flags, message):
    (folder / "full").mkdir()
    (folder / "full" / "notes.txt").touch()
    (folder / "nowhere").symlink_to(folder / "gone")
    assert run(["analyze", "r.csv", "--out", "o", *flags]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert message in captured.err
