"""The folder of `genmem duplicates`, through the command line."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from genmem.cli.app import run
from genmem.report.duplicates.tables import deletable


@pytest.fixture
def train(tmp_path):
    folder = tmp_path / "train"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in "abcdefgh":
        coarse = Image.fromarray(rng.integers(0, 256, (12, 12, 3)).astype(np.uint8))
        coarse.resize((96, 96), Image.Resampling.BICUBIC).save(folder / f"{name}.png")
    Image.open(folder / "c.png").resize((48, 48)).save(folder / "=small<b>.png")
    (folder / "z.png").write_bytes((folder / "a.png").read_bytes())
    return folder


def test_a_folder_is_made_with_the_list_to_delete_tables_and_page(train, tmp_path, capsys):
    out = tmp_path / "out"
    command = ["duplicates", str(train), "--out", str(out), "--backbone", "pixels@64"]
    assert run([*command, "--no-regions"]) == 0
    assert "2 clusters of repeated pictures; 2 of 10 images are repeats" in capsys.readouterr().out
    assert (out / "delete.txt").read_text().splitlines() == ["=small<b>.png", "z.png"]
    with (out / "clusters.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    actions = {row["image"]: row["action"] for row in rows}
    assert actions == {
        "'=small<b>.png": "delete",
        "c.png": "keep",
        "a.png": "keep",
        "z.png": "delete",
    }
    numbers = json.loads((out / "duplicates.json").read_text())
    assert numbers["deleted"] == 2
    assert [match["kind"] for match in numbers["matches"]] == ["identical", "same"]
    page = (out / "duplicates.html").read_text()
    assert page.count("<img ") == 4
    assert "<b>.png" not in page
    assert len(list((out / "pictures" / "train").iterdir())) == 4
    assert run([*command, "--no-regions"]) == 0  # an earlier result is replaced


def test_nothing_repeated_reads_sensibly(train, tmp_path, capsys):
    (train / "z.png").unlink()
    (train / "=small<b>.png").unlink()
    out = tmp_path / "out"
    assert run(["duplicates", str(train), "--out", str(out), "--backbone", "pixels@64"]) == 0
    assert "None of the 8 images repeats another image." in capsys.readouterr().out
    assert (out / "delete.txt").read_text() == ""


def test_names_with_line_breaks_are_not_listed_for_deletion():
    assert deletable(["a.png", "b\nc.png", "d\u2028.png", "e f.png"]) == ["a.png", "e f.png"]


def test_a_missing_set_is_one_line(tmp_path, capsys):
    assert run(["duplicates", str(tmp_path / "none"), "--out", str(tmp_path / "out")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
