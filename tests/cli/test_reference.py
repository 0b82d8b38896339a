"""`genmem reference` as a user types it."""

import numpy as np
import pytest

from genmem.cli.app import run


@pytest.fixture
def sets(tmp_path, monkeypatch):
    """Features of three sets in the working directory, by role."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for role in ("train", "test", "generated"):
        np.save(tmp_path / f"{role}.npy", rng.normal(size=(40, 6)).astype(np.float32))
    return tmp_path


def test_a_reference_is_built_shown_verified_and_scored_against(sets, capsys):
    build = ["reference", "train.npy", "--test", "test.npy", "--out", "train.genmem"]
    assert run([*build, "--licence", "CC0"]) == 0
    assert "train.genmem: reference of 40 training features" in capsys.readouterr().out
    (sets / "train.npy").unlink()
    assert run(["reference", "show", "train.genmem"]) == 0
    assert "licence: CC0" in capsys.readouterr().out
    assert run(["reference", "verify", "train.genmem"]) == 0
    assert "files are as they were written" in capsys.readouterr().out
    assert run(["score", "generated.npy", "--train", "train.genmem"]) == 0
    captured = capsys.readouterr()
    assert "copied_fraction" in captured.out
    assert "the held-out images are those of train.genmem (test.npy)" in captured.err


def test_references_are_extended_merged_and_exported(sets, capsys):
    assert run(["reference", "build", "train.npy", "--out", "a.genmem"]) == 0
    assert run(["reference", "add", "a.genmem", "test.npy"]) == 0
    assert run(["reference", "merge", "a.genmem", "a.genmem", "--out", "b.genmem"]) == 0
    assert "160 training features" in capsys.readouterr().out
    assert run(["reference", "export", "b.genmem", "b.npz"]) == 0
    with np.load("b.npz", allow_pickle=False) as file:
        assert sorted(file) == ["mu", "sigma"]


def test_what_is_damaged_is_said_in_one_line(sets, capsys):
    assert run(["reference", "train.npy", "--out", "train.genmem"]) == 0
    path = sets / "train.genmem" / "features" / "mean.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    capsys.readouterr()
    assert run(["reference", "verify", "train.genmem"]) == 2
    assert capsys.readouterr().err.startswith("genmem: train.genmem/features/mean.npy: expected")


def test_a_command_that_needs_the_images_says_so(sets, capsys):
    assert run(["reference", "train.npy", "--out", "train.genmem"]) == 0
    assert run(["duplicates", "train.genmem", "--out", "duplicates"]) == 2
    assert "was made of features" in capsys.readouterr().err.splitlines()[-1]


def test_an_audit_takes_a_reference(sets, capsys):
    build = ["reference", "train.npy", "--test", "test.npy", "--out", "train.genmem"]
    assert run(build) == 0
    (sets / "train.npy").unlink()
    place = ["audit", "generated.npy", "--train", "train.genmem", "--out", "audit"]
    assert run([*place, "--power"]) == 2
    assert "power: needs the pixels" in capsys.readouterr().err.splitlines()[-1]
    assert run(place) == 0
    assert "the held-out images are those of train.genmem" in capsys.readouterr().err
    assert run(["report", "audit"]) == 0


def test_a_training_set_given_twice_is_refused(sets, capsys):
    twice = ["--test", "test.npy", "--test", "test.npy"]
    assert run(["reference", "train.npy", *twice, "--out", "train.genmem"]) == 2
    assert "--test: expected once" in capsys.readouterr().err


def test_calibrate_takes_a_reference(sets, capsys):
    assert run(["reference", "train.npy", "--out", "train.genmem"]) == 0
    labelled = ["generated.npy=honest", "test.npy=cheating"]
    for train in ("train.npy", "train.genmem"):
        assert run(["calibrate", *labelled, "--train", train, "--json", f"{train}.json"]) == 0
    capsys.readouterr()
    ours = (sets / "train.genmem.json").read_text(encoding="utf-8")
    theirs = (sets / "train.npy.json").read_text(encoding="utf-8")
    assert ours.split('"thresholds"')[1].split('"inputs"')[0]
    assert ours.count('"tau"') == theirs.count('"tau"')
