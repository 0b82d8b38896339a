"""`genmem calibrate` from files to stdout, and its file on the way into `genmem score`."""

import json

import numpy as np
import pytest

from genmem.cli.app import run

TABLE = """id,distance,other,labels
a,0.10,0.3,mgan
b,0.12,0.2,sup
c,0.30,0.25,honest
d,0.35,0.4,non-mem
e,0.36,0.1,
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("GENMEM_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text(TABLE)
    rng = np.random.default_rng(0)
    images = rng.integers(256, size=(40, 8, 8, 3), dtype=np.uint8)
    np.save("train.npy", images)
    np.save("copies.npy", images ^ 1)
    np.save("honest.npy", rng.integers(256, size=(40, 8, 8, 3), dtype=np.uint8))
    return tmp_path


def one_line(text):
    return text.count("\n") == 1 and text.startswith("genmem: ")


def test_a_table_gives_a_ranking_of_its_columns(folder, capsys):
    assert run(["calibrate", "t.csv", "--distance", "other", "--distance", "distance"]) == 0
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert [line.split()[0] for line in lines] == ["space", "distance", "other"]
    assert "0.3" in lines[1]
    assert "1 entries with a blank label" in captured.err


def test_score_reads_the_json_file(folder, capsys):
    sets = ["honest.npy=honest", "copies.npy=mgan"]
    options = ["--train", "train.npy", "--backbone", "pixels"]
    assert run(["calibrate", *sets, *options, "--json", "cal.json"]) == 0
    document = json.loads((folder / "cal.json").read_text())
    assert document["ranking"] == ["pixels"]
    tau = document["spaces"]["pixels"]["tau"]
    assert [entry["label"] for entry in document["sets"]] == ["honest", "mgan"]
    assert document["sets"][0]["distance"]["pixels"] == tau
    assert "AUC of images" in capsys.readouterr().out

    outputs = ["--metrics", "mifid", "--json", "-", "--tau", "cal.json"]
    assert run(["score", "copies.npy", *options, *outputs]) == 0
    mifid = json.loads(capsys.readouterr().out)["metrics"]["mifid"]
    assert mifid["parts"]["tau"] == tau
    assert mifid["parts"]["penalized"] is True
    assert run(["score", "honest.npy", *options, *outputs]) == 0
    mifid = json.loads(capsys.readouterr().out)["metrics"]["mifid"]
    assert mifid["parts"]["penalized"] is False


def test_the_calibration_of_another_space_is_refused(folder, capsys):
    assert run(["calibrate", "t.csv", "--distance", "nasnet=distance", "--json", "cal.json"]) == 0
    capsys.readouterr()
    options = ["--train", "train.npy", "--backbone", "pixels", "--tau", "cal.json"]
    assert run(["score", "copies.npy", *options]) == 2
    captured = capsys.readouterr()
    assert one_line(captured.err)
    assert "for nasnet" in captured.err
    assert "--backbone pixels" in captured.err


def test_a_calibration_of_features_applies_to_features(folder, capsys):
    rng = np.random.default_rng(0)
    for name in ("t", "h", "c"):
        np.save(f"f{name}.npy", rng.random((30, 6)).astype(np.float32))
    np.save("fc.npy", np.load("ft.npy")[:20] + np.float32(0.01))
    options = ["--train", "ft.npy"]
    assert run(["calibrate", "fh.npy=honest", "fc.npy=ae", *options, "--json", "cal.json"]) == 0
    capsys.readouterr()
    outputs = ["--tau", "cal.json", "--metrics", "mifid", "--json", "-"]
    assert run(["score", "fc.npy", *options, *outputs]) == 0
    tau = json.loads((folder / "cal.json").read_text())["spaces"]["features"]["tau"]
    assert json.loads(capsys.readouterr().out)["metrics"]["mifid"]["parts"]["tau"] == tau


def test_the_threshold_shown_is_rounded_down(folder, capsys):
    (folder / "t.csv").write_text("distance,labels\n0.29999999,honest\n0.1,ae\n")
    assert run(["calibrate", "t.csv"]) == 0
    assert "0.299999 " in capsys.readouterr().out


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        "[1]",
        '{"kind": "genmem calibration", "spaces": {}}',
        '{"kind": "genmem calibration", "spaces": {"pixels": {"tau": "near"}}}',
        '{"kind": "genmem calibration", "spaces": {"pixels": {"tau": null}}}',
    ],
)
def test_a_tau_file_of_another_kind_is_refused(folder, capsys, content):
    (folder / "cal.json").write_text(content)
    assert run(["score", "copies.npy", "--train", "train.npy", "--tau", "cal.json"]) == 2
    err = capsys.readouterr().err
    assert one_line(err)
    assert "cal.json" in err


def test_the_tau_file_is_never_overwritten(folder, capsys):
    assert run(["calibrate", "t.csv", "--json", "cal.json"]) == 0
    options = ["--train", "train.npy", "--tau", "cal.json", "--json", "cal.json"]
    assert run(["score", "copies.npy", *options]) == 2
    assert "would replace --tau" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["t.csv", "--distance", "nowhere"], "no column 'nowhere'"),
        (["t.csv", "--label", "label"], "no column 'label'"),
        (["t.csv", "--distance", "=distance"], "expected [BACKBONE=]COLUMN"),
        (["t.csv", "--distance", "a=other", "--distance", "a=distance"], "a is given twice"),
        (["t.csv", "--cheating", "mgan"], "row 3, column labels: label 'sup' is unknown"),
        (["t.csv", "--honest", "mgan"], "honest and as cheating"),
        (["t.csv", "--train", "train.npy"], "not with a table"),
        (["t.csv", "--false-penalty-rate", "1"], "in [0, 1)"),
        (["t.csv", "--json", "t.csv"], "would replace TABLE"),
        (["missing.csv"], "cannot be read"),
        (["honest.npy", "--train", "train.npy"], "expected labelled sets, SOURCE=LABEL"),
        (["honest.npy=honest", "copies.npy=mgan", "--distance", "d"], "name columns of a table"),
        (["honest.npy=honest", "copies.npy=mgan"], "need the training set"),
        (["honest.npy=honest", "honest.npy=mgan", "--train", "train.npy"], "given twice"),
        (["honest.npy=honest", "copies.npy=mga", "--train", "train.npy"], "label 'mga'"),
    ],
)
def test_a_wrong_call_is_one_line_and_exit_code_2(folder, capsys, arguments, message):
    assert run(["calibrate", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert one_line(captured.err)
    assert message in captured.err


def test_a_column_of_disqualified_entries_is_named(folder, capsys):
    (folder / "t.csv").write_text("distance,labels\n0.3,honest\n999999,ae\n999999,mgan\n")
    assert run(["calibrate", "t.csv"]) == 2
    err = capsys.readouterr().err
    assert one_line(err)
    assert "t.csv, column distance: expected distances of cheating entries" in err
    assert "disqualified (999999)" in err


def test_every_backbone_is_checked_before_the_first_extraction(folder, capsys, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(folder / "torch"))
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    sets = ["honest.npy=honest", "copies.npy=mgan", "--train", "train.npy", "--backbone"]
    for spaces, code in (("pixels,pixls", 2), ("pixels,inception", 3)):
        assert run(["calibrate", *sets, spaces]) == code
        assert "features in" not in capsys.readouterr().err
    assert not (folder / "cache" / "features").exists()


def test_json_on_stdout_stands_alone(folder, capsys):
    assert run(["calibrate", "t.csv", "--json", "-", "--criterion", "balanced-error"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["spaces"]["distance"]["criterion"] == "balanced_error"
