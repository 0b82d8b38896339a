"""`genmem train diffusion`, from images to a run's folder."""

import json
import os
import signal

import numpy as np
import pytest

from genmem.cli.app import run
from genmem.training.diffusion.trainer import DiffusionTrainer

SMALL = [
    "--channels",
    "8",
    "--multipliers",
    "1,2",
    "--blocks",
    "1",
    "--attention",
    "none",
    "--batch-size",
    "8",
    "--steps",
    "4",
]
SMALL += ["--snapshots", "2", "--samples", "3", "--device", "cpu"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("GENMEM_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(256, size=(20, 8, 8, 3), dtype=np.uint8)
    np.save("train.npy", np.concatenate([pixels, pixels[:2]]))
    return tmp_path


def test_a_run_is_trained_measured_and_shown(folder, capsys):
    code = run(["train", "diffusion", "--train", "train.npy", "--out", "run", *SMALL])
    captured = capsys.readouterr()
    assert code == 0
    assert captured.out.split()[:3] == ["step", "memorization", "ratio"]
    assert [line.split()[0] for line in captured.out.splitlines()[1:]] == ["2", "4"]
    assert "2 images repeat an earlier one" in captured.err
    assert "can be left out (--drop-duplicates)" in captured.err
    assert "22 images of 8 × 8, 4 steps of 8" in captured.err
    assert (folder / "run" / "snapshots" / "00000004.safetensors").is_file()


def test_options_reach_the_configuration(folder):
    options = ["--model", "ncsn++", "--time-embedding", "positional", "--labels", "random:4"]
    options += ["--without-skips", "8.1,4", "--parametrization", "edm", "--limit", "10"]
    options += ["--size", "4", "--drop-duplicates", "--ema-decay", "0", "--weight-decay", "0.1"]
    options = [option.replace("8.1,4", "4.1,2") for option in options]
    assert run(["train", "diffusion", "--train", "train.npy", "--out", "r", *SMALL, *options]) == 0
    config = json.loads((folder / "r" / "config.json").read_text())
    network = config["network"]
    assert network["without_skips"] == ["4.1", "2"]
    assert network["time_embedding"] == "positional"
    assert network["resampling"] == "fir"
    assert network["classes"] == 4
    assert config["parametrization"] == "edm"
    assert (config["ema_decay"], config["weight_decay"]) == (0.0, 0.1)
    dataset = json.loads((folder / "r" / "dataset.json").read_text())
    assert (dataset["count"], network["image_size"]) == (10, 4)


def test_a_file_gives_every_option_by_its_name(folder):
    """Also those of the network and of the images; a byte-order mark before it is no matter."""
    options = {"channels": 8, "multipliers": [1], "blocks": 1, "attention": [], "batch_size": 8,
               "steps": 1, "snapshots": 1, "samples": 4, "limit": 10, "seed": 3}  # fmt: skip
    (folder / "options.json").write_text(json.dumps(options), encoding="utf-8-sig")
    arguments = ["--train", "train.npy", "--out", "r", "--config", "options.json"]
    assert run(["train", "diffusion", *arguments, "--channels", "4"]) == 0
    config = json.loads((folder / "r" / "config.json").read_text())
    dataset = json.loads((folder / "r" / "dataset.json").read_text())
    assert (config["network"]["channels"], config["network"]["multipliers"]) == (4, [1])
    assert (config["batch_size"], config["seed"], dataset["count"]) == (8, 3, 10)


def test_a_run_is_resumed_by_its_own_configuration_alone(capsys):
    run(["train", "diffusion", "--train", "train.npy", "--out", "run", *SMALL])
    capsys.readouterr()
    assert run(["train", "diffusion", "--out", "run", "--resume"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3
    assert run(["train", "diffusion", "--out", "run", "--resume", "--steps", "9"]) == 2
    assert "leave --steps out" in capsys.readouterr().err


def test_a_run_is_resumed_from_any_folder(folder, monkeypatch):
    assert run(["train", "diffusion", "--train", "train.npy", "--out", "run", *SMALL]) == 0
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    assert run(["train", "diffusion", "--out", "../run", "--resume"]) == 0


def test_a_run_that_is_there_is_said_before_images_are_read(capsys):
    run(["train", "diffusion", "--train", "train.npy", "--out", "run", *SMALL])
    assert run(["train", "diffusion", "--train", "none.npy", "--out", "run", *SMALL]) == 2
    assert "run holds a run already" in capsys.readouterr().err


def test_the_first_ctrl_c_is_answered_by_a_line_and_the_run_saved(folder, capsys, monkeypatch):
    step = DiffusionTrainer.step

    def interrupted(training):
        if training.step_count == 1:
            os.kill(os.getpid(), signal.SIGINT)
        return step(training)

    monkeypatch.setattr(DiffusionTrainer, "step", interrupted)
    assert run(["train", "diffusion", "--train", "train.npy", "--out", "run", *SMALL]) == 130
    lines = capsys.readouterr().err.splitlines()
    assert lines[-2] == (
        "genmem: stopping after saving a checkpoint. Press Ctrl-C again to quit now."
    )
    assert lines[-1].startswith("genmem: interrupted; saved at step 2. Resume with: genmem")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"strange": 1}, "was not started by genmem train diffusion"),
        ({"size": "8"}, "damaged: source.size: expected a whole number"),
        ({"only": "a"}, "damaged: source.only: expected a list"),
        ({"seed": True}, "damaged: source.seed: expected a whole number"),
    ],
)
def test_a_damaged_source_in_a_run_s_settings_is_one_line(folder, capsys, change, words):
    run(["train", "diffusion", "--train", "train.npy", "--out", "run", *SMALL])
    file = folder / "run" / "dataset.json"
    document = json.loads(file.read_text())
    document["source"] |= change
    file.write_text(json.dumps(document))
    assert run(["train", "diffusion", "--out", "run", "--resume"]) == 2
    assert words in capsys.readouterr().err.splitlines()[-1]


def test_attention_at_16_is_the_default_though_smaller_images_have_no_16(folder):
    at = SMALL.index("--attention")
    options = SMALL[:at] + SMALL[at + 2 :]
    assert run(["train", "diffusion", "--train", "train.npy", "--out", "run", *options]) == 0
    config = json.loads((folder / "run" / "config.json").read_text())
    assert config["network"]["attention"] == [16]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--train", "none.npy"], "there is no such file"),
        (["--train", "train.npy", "--limit", "23"], "expected at least 23 images, found 22"),
        (["--train", "train.npy", "--labels", "true"], "has no class"),
        (
            ["--train", "train.npy", "--labels", "random:x"],
            "--labels: expected none, true, random, random:C",
        ),
        (["--train", "train.npy", "--multipliers", "1,2,2,2,2"], "multiple of 16, got 8"),
        (["--train", "train.npy", "--without-skips", "32"], "there is no skip connection '32'"),
        (["--train", "train.npy", "--without-skips", ""], "--without-skips: expected a value"),
        (["--train", "train.npy", "--only", " ,"], "--only: expected names"),
        (["--train", "train.npy", "--attention", "7"], "attention: expected some of 8, 4"),
        (["--train", "train.npy", "--multipliers", "1,²"], "--multipliers: expected whole numbers"),
        (["--train", "train.npy", "--weight-decay", "nan"], "--weight-decay: expected a finite"),
        (
            ["--train", "none.npy", "--batch-size", "2000000000"],
            "--batch-size: expected at most",
        ),
        (["--train", "train.npy", "--precision", "fp16"], "needs a GPU"),
        (["--resume"], "there is no run: config.json is missing"),
        ([], "--train: expected training images"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(options, words, capsys):
    given = [] if "--resume" in options else [*SMALL]
    assert run(["train", "diffusion", "--out", "run", *given, *options]) == 2
    complaint = capsys.readouterr().err.splitlines()[-1]
    assert complaint.startswith("genmem: ")
    assert words in complaint


def test_of_images_that_are_not_square_the_central_square_is_taken_and_it_is_said(capsys):
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 12, 3), np.uint8)
    np.save("wide.npy", pixels)
    assert run(["train", "diffusion", "--train", "wide.npy", "--out", "run", *SMALL]) == 0
    assert "note: 8 images were not square: their central square" in capsys.readouterr().err
