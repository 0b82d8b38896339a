"""`genmem study emm`, from images to its folder."""

import json
import sys
from types import SimpleNamespace

import pytest

from genmem.cli.app import run
from genmem.training.emm.factors import FACTORS

from ..training.emm.factories import save_images

CONFIG = {
    "network": {"multipliers": [1, 1], "blocks": 1, "attention": [], "dropout": 0.0},
    "learning_rate": 0.5,
    "warm_up_epochs": 0,
    "ema_decay": 0.5,
}
SMALL = ["--size", "4", "--channels", "4", "--batch-size", "4", "--steps", "4", "--snapshots", "2"]
SMALL += ["--samples", "5", "--device", "cpu", "--threads", "1", "--config", "config.json"]
SMALL += ["--train", "images", "--out", "study"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    save_images(tmp_path / "images")
    monkeypatch.setenv("GENMEM_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    return tmp_path


def test_a_study_is_trained_reported_and_resumed(folder, capsys):
    options = ["--at", "4,8", "--seeds", "2", "--factor", "labels=none,true"]
    assert run(["study", "emm", *SMALL, *options]) == 0
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert lines[0].split() == ["factor", "value", "4", "8"]
    assert [line.split()[:2] for line in lines[1:]] == [["labels", "none"], ["labels", "true"]]
    results = json.loads((folder / "study" / "emm.json").read_text())
    assert results["trials"] == 8
    assert (folder / "study" / "emm.html").read_text().startswith("<!doctype html>")
    assert run(["study", "emm", *SMALL, *options]) == 0
    assert capsys.readouterr().out == captured.out
    assert json.loads((folder / "study" / "emm.json").read_text()) == results


def test_a_search_goes_up_to_the_whole_data_set_and_reports_duplicates(folder, capsys):
    assert run(["study", "emm", *SMALL, "--from", "4", "--within", "1", "--seeds", "1"]) == 0
    captured = capsys.readouterr()
    assert captured.out.split()[-1]
    assert "2 images repeat an earlier one" in captured.err
    results = json.loads((folder / "study" / "emm.json").read_text())
    assert results["sizes"] == [4, 7, 14, 26]
    assert results["finished"]


def test_the_help_lists_every_factor_of_the_registry(capsys):
    assert run(["study", "emm", "--help"]) == 0
    text = capsys.readouterr().out.replace("-\n", "-").split("--second-train")[0]
    for name, factor in FACTORS.items():
        assert f"{name}={factor.values}" in " ".join(text.split()).replace("- ", "-")


def test_an_interrupted_study_says_how_to_resume(folder, capsys, monkeypatch):
    monkeypatch.setattr("genmem.training.emm.trial.run_trial", lambda *_, **__: False)
    assert run(["study", "emm", *SMALL, "--at", "4"]) == 130
    assert "Give the same command again to resume" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--at", "4", "--sizes", "5"], "give one of --sizes, --at and --from"),
        (["--at", "27"], "expected at most 26 training images"),
        (["--to", "27"], "expected at most 26 training images"),
        (["--at", "four"], "--at: expected whole numbers"),
        (["--factor", "width"], "--factor: expected NAME=V1,V2"),
        (["--factor", "color=1"], "factor: expected one of dimension"),
        (["--factor", "diversity=0.5"], "expected a second source"),
        (["--at", "4", "--epsilon", "1"], "epsilon: expected"),
        (["--at", "4", "--seeds", "0"], "seeds: expected"),
        (["--at", "4", "--threads", "-1"], "--threads"),
        (["--at", "4", "--threads", "0"], "--threads"),
        (["--at", "4,²"], "--at: expected whole numbers"),
        (["--at", "4", "--factor", "width=,"], "factor width: expected values V1,V2"),
        (["--at", "4", "--samples", "0"], "samples: expected at least 1"),
        (["--at", "4", "--processes", "0"], "processes: expected at least 1"),
        (["--at", "4", "--processes", "2", "--ray", "local"], "--processes and --ray"),
        (["--at", "20", "--factor", "classes=1"], "expected at least 20 images"),
        (["--at", "4", "--size", "6", "--factor", "blocks=0"], "blocks: expected at least 1"),
        (["--train", "none.zip", "--at", "4"], "--train: expected once"),
        (["--at", "4", "--labels", "some"], "labels: expected none, true"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2_before_any_training(folder, capsys, options, words):
    assert run(["study", "emm", *SMALL, *options]) == 2
    complaint = capsys.readouterr().err.splitlines()[-1]
    assert complaint.startswith("genmem: ")
    assert words in complaint
    assert not list(folder.glob("study/trials/*"))


def test_a_resumed_study_keeps_its_threads_and_says_so(folder, capsys):
    options = [*SMALL, "--at", "4", "--seeds", "1"]
    assert run(["study", "emm", *options]) == 0
    assert "as when it was started" not in capsys.readouterr().err
    assert run(["study", "emm", *options, "--threads", "2"]) == 0
    assert "note: study uses 1 CPU thread for each run" in capsys.readouterr().err
    assert len(list(folder.glob("study/trials/*"))) == 1


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("nonsense", "--ray: expected HOST:PORT"),
        ("ray://nonsense:x", "--ray: expected HOST:PORT"),
        ("127.0.0.1:1", "--ray 127.0.0.1:1: no cluster answers there (connection refused)"),
        (f"{'x' * 100}.invalid:6379", "no cluster answers there"),
    ],
)
def test_an_address_without_a_cluster_is_refused_before_ray_tries(
    address, words, monkeypatch, capsys
):
    never = SimpleNamespace(is_initialized=lambda: False, init=lambda **_: pytest.fail("it tried"))
    monkeypatch.setitem(sys.modules, "ray", never)
    assert run(["study", "emm", *SMALL, "--at", "4", "--ray", address]) == 2
    assert words in capsys.readouterr().err.splitlines()[-1]


def test_without_ray_the_message_names_the_extra(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert run(["study", "emm", *SMALL, "--at", "4", "--ray", "local"]) == 2
    assert "pip install 'genmem[scale]'" in capsys.readouterr().err
