"""A tiny study through the real command: trained, stopped, resumed, evaluated, on one page."""

import json
import os
import shutil
import signal
import subprocess
import threading
import time

import numpy as np
import pytest

from genmem.cli.app import run
from genmem.metrics.c_t import c_t
from genmem.training.gan.sampling import generate, load_generator
from genmem.training.rejection_study.evaluation import SAMPLES_STREAM
from genmem.training.rejection_study.grid import Plan
from genmem.training.rejection_study.runs import ENDED_FILE, train_runs
from genmem.training.sweep import local_backend


def arguments(sets, training, folder, **options):
    config = folder.with_suffix(".json")
    config.write_text(json.dumps(training))
    values = {
        "train": sets["train"],
        "test": sets["test"],
        "model": "dcgan",
        "tau": "0.02,2",
        "seeds": 1,
        "backbone": "pixels",
        "evaluate-with": "pixels",
        "config": config,
        "device": "cpu",
        "out": folder,
    } | options
    flags = [part for name, value in values.items() for part in (f"--{name}", str(value))]
    return ["study", "rejection", *flags]


def checkpoints(folder):
    return {path.parent.name: path.read_bytes() for path in folder.glob("runs/*/*.safetensors")}


@pytest.fixture(scope="module")
def whole(sets, training, tmp_path_factory):
    """A finished study of two runs, and one that ended early."""
    folder = tmp_path_factory.mktemp("study") / "whole"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GENMEM_CACHE", str(folder.parent / "cache"))
        assert run(arguments(sets, training, folder)) == 0
    return folder


def test_a_study_is_trained_evaluated_and_written_once(whole, sets, training, monkeypatch, capsys):
    document = json.loads((whole / "study.json").read_text())
    assert [run["name"] for run in document["runs"]] == [
        "dcgan-tau-0-seed-0",
        "dcgan-tau-0.02-seed-0",
        "dcgan-tau-2-seed-0",
    ]
    cell = document["cells"][1]
    assert cell["log"]["tau"]["mean"] == 0.02
    assert 0 < cell["log"]["acceptance"]["mean"] <= 1
    assert cell["log"]["cost_ratio"]["n"] == 1
    for name, mean in cell["spaces"]["pixels"]["metrics"].items():
        assert (mean["low"], mean["high"]) == (None, None), name
    assert sum(cell["spaces"]["pixels"]["histogram"]) == pytest.approx(1)
    page = (whole / "study.html").read_text()
    assert "With a single seed there is no interval" in page
    assert page.count("data:image/png") >= 2 * 5
    for heading in (
        "FD to the training images",
        "Nearest distances by τ",
        "Samples among training images",
    ):
        assert heading in page
    # The same numbers from the formula, on samples drawn anew.
    generator, _, z = load_generator(whole / "runs" / "dcgan-tau-0.02-seed-0")
    pixels = generate(generator, np.zeros(60, np.int64), z_dim=z, seed=(0, SAMPLES_STREAM))
    rows = pixels.transpose(0, 2, 3, 1).reshape(60, -1) / np.float32(1)
    train, test = (
        np.load(sets[name]).reshape(len(np.load(sets[name])), -1).astype(np.float32)
        for name in ("train", "test")
    )
    expected = c_t(generated=rows, train=train, test=test, metric="cosine")
    assert cell["spaces"]["pixels"]["metrics"]["c_t"]["mean"] == pytest.approx(float(expected))

    def no_more(*args, **kwargs):
        raise AssertionError("a finished study trained or measured again")

    monkeypatch.setattr(subprocess, "Popen", no_more)
    monkeypatch.setattr("genmem.training.rejection_study.evaluation.compute_metrics", no_more)
    before = (whole / "study.json").read_bytes()
    assert run(arguments(sets, training, whole)) == 0, capsys.readouterr().err
    assert (whole / "study.json").read_bytes() == before


def test_a_stopped_study_is_resumed_and_ends_like_an_uninterrupted_one(
    sets, training, tmp_path, whole, capsys
):
    cut = tmp_path / "cut"
    asked = arguments(sets, training, cut, tau="0")

    def interrupt():
        deadline = time.monotonic() + 300
        while not checkpoints(cut) and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    assert run(asked) == 130
    assert "same command again" in capsys.readouterr().err
    assert not (cut / "study.json").exists()
    assert run(asked) == 0
    assert checkpoints(cut).items() <= checkpoints(whole).items()
    first = [json.loads((of / "study.json").read_text())["cells"][0] for of in (cut, whole)]
    for cell in first:
        del cell["log"]  # seconds
        del cell["spaces"]["pixels"]["histogram"]  # its bins reach as far as any run's distances
    assert first[0] == first[1]


def test_a_run_that_ended_early_is_reported_on_stderr(whole, sets, training, capsys):
    assert run(arguments(sets, training, whole)) == 0
    notes = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note:")]
    assert len(notes) == 1
    assert "dcgan-tau-2-seed-0 ended before its last step" in notes[0]


def test_a_study_none_of_whose_runs_of_a_model_finished_is_written_and_exits_with_2(
    sets, training, tmp_path, whole, capsys
):
    folder = tmp_path / "study"
    shutil.copytree(whole, folder)
    for run_folder in (folder / "runs").iterdir():
        if not (run_folder / ENDED_FILE).is_file():
            config = json.loads((folder / "runs" / "dcgan-tau-2-seed-0" / ENDED_FILE).read_text())[
                "config"
            ]
            tau = {"dcgan-tau-0-seed-0": None, "dcgan-tau-0.02-seed-0": 0.02}[run_folder.name]
            ended = {"reason": "the loss is no number", "config": config | {"tau": tau}}
            (run_folder / "checkpoint.safetensors").unlink()
            (run_folder / ENDED_FILE).write_text(json.dumps(ended))
    assert run(arguments(sets, training, folder)) == 2
    output = capsys.readouterr()
    assert output.err.count("ended before its last step: the loss is no number") == 2
    assert "genmem: no run of dcgan came to its last step" in output.err
    assert "There is no run without rejection" in output.out
    assert "the loss is no number" in (folder / "study.html").read_text()


def test_a_folder_that_cannot_be_used_is_refused_before_anything_is_read(
    whole, sets, training, tmp_path, monkeypatch, capsys
):
    def too_late(*arguments):
        raise AssertionError("images were read first")

    monkeypatch.setattr("genmem.training.rejection_study.feature_spaces.load_image_sets", too_late)
    (tmp_path / "cases.py").write_text("")
    torn = tmp_path / "torn" / "runs" / "dcgan-tau-0-seed-0"
    torn.mkdir(parents=True)
    (torn / "checkpoint.safetensors").write_bytes(b"cut short")
    taken = tmp_path / "taken" / "runs"
    taken.mkdir(parents=True)
    (taken / "dcgan-tau-0-seed-0").write_text("")
    for folder, settings, words in (
        (tmp_path / "cases.py", training, "cases.py is a file"),
        (tmp_path / "cases.py" / "study", training, "cannot write into"),
        (tmp_path / "torn", training, "not a checkpoint, or truncated"),
        (tmp_path / "taken", training, "dcgan-tau-0-seed-0 is a file"),
        (whole, training | {"batch_size": 4}, "trained with batch_size = 8"),
    ):
        asked = [*arguments(sets, settings, tmp_path / "any")[:-1], str(folder)]
        assert run(asked) == 2
        assert words in capsys.readouterr().err


def test_a_tau_that_rejects_everything_ends_its_run_and_not_the_study(whole):
    page = (whole / "study.html").read_text()
    assert "ended before its last step: memorization rejection: none of" in page
    assert (whole / "runs" / "dcgan-tau-2-seed-0" / ENDED_FILE).is_file()


def test_runs_of_other_settings_are_not_taken_for_the_study_s(whole, sets, training, capsys):
    assert run(arguments(sets, training | {"batch_size": 4}, whole)) == 2
    assert "trained with batch_size = 8, the study asks for 4" in capsys.readouterr().err
    assert run(arguments(sets | {"train": sets["test"]}, training, whole)) == 2
    assert "trained on different images" in capsys.readouterr().err


def test_settings_nested_too_deep_for_json_are_one_line(sets, training, tmp_path, capsys):
    asked = arguments(sets, training, tmp_path / "study")
    (tmp_path / "study.json").write_text("[" * 100_000)
    assert run(asked) == 2
    assert "study.json: not JSON: maximum recursion depth" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"tau": "0.1,much"}, "--tau: expected numbers in [0, 2] and auto, T,T,…, got 'much'"),
        ({"model": "dcgan,gan"}, "expected one of dcgan, sagan, biggan, got 'gan'"),
        ({"reference": "other"}, "--reference: expected NAME=SOURCE"),
        ({"processes": 0}, "processes: expected at least 1"),
        ({"train": "nothing.zip"}, "nothing.zip"),
        ({"evaluate-with": "pixel"}, "pixels"),
    ],
)
def test_bad_input_is_one_line_before_the_first_step(
    sets, training, tmp_path, capsys, options, words
):
    assert run(arguments(sets, training, tmp_path / "study", **options)) == 2
    output = capsys.readouterr().err
    assert words in output
    assert "Traceback" not in output
    assert not checkpoints(tmp_path / "study")


def test_a_second_ctrl_c_ends_every_run_at_once(sets, training, tmp_path, monkeypatch):
    plan = Plan(
        folder=tmp_path / "study",
        train=str(sets["train"]),
        test=str(sets["test"]),
        taus=[0],
        models=["dcgan"],
        seeds=2,
        evaluate_with=["pixels"],
        training=training | {"steps": 100_000, "save_every": 100_000},
    )
    begun, asked = [], []
    started = subprocess.Popen

    def popen(*values, **named):
        begun.append(started(*values, **named))
        return begun[-1]

    def interrupted(*_):
        raise KeyboardInterrupt

    def progress(stage, done, total):
        if stage != "runs of the study" and len(begun) == 2 and not asked:
            asked.append(stage)
            monkeypatch.setattr(local_backend._Worker, "wait", interrupted)
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(local_backend.subprocess, "Popen", popen)
    backend = local_backend.LocalBackend(2, progress=progress)
    with pytest.raises(KeyboardInterrupt):
        train_runs(plan.runs, backend, folder=plan.folder, device="cpu", progress=progress)
    assert [process.poll() is not None for process in begun] == [True, True]
