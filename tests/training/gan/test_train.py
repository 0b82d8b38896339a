"""Whole runs of a tiny GAN: resuming, failing, stopping, measuring."""

import errno
import json
import os
import signal

import numpy as np
import pytest
import torch

from genmem.errors import InputError, UsageError
from genmem.training import RejectsEverythingError
from genmem.training.common import checkpoint, run_log
from genmem.training.common.checkpoint import load_checkpoint
from genmem.training.common.run_folder import DivergedError
from genmem.training.gan import trainer
from genmem.training.gan.config import GanConfig, resumed_config
from genmem.training.gan.evaluation import Evaluator
from genmem.training.gan.sampling import sample_run
from genmem.training.gan.train import train


def run(small, out, **given):
    return train(GanConfig(**small | given), out, device="cpu")


def saved(folder):
    return load_checkpoint(folder / checkpoint.CHECKPOINT_FILE, kind="gan")


def content(folder):
    return (folder / checkpoint.CHECKPOINT_FILE).read_bytes()


@pytest.mark.parametrize(("model", "mode"), [("sagan", "filter"), ("biggan", "resample")])
def test_a_run_interrupted_at_random_steps_equals_the_uninterrupted_one_to_the_bit(
    small, tmp_path, model, mode
):
    given = small | {
        "model": model,
        "mode": mode,
        "z_dim": 6,
        "warm_up": 1,
        "ramp": 3,
        "log_every": 2,
    }
    config = GanConfig(**given | {"log_every": 2})
    assert train(config, tmp_path / "whole", device="cpu").step == 6
    rng = np.random.default_rng()
    stops = sorted(rng.choice(np.arange(1, 6), 2, replace=False).tolist())
    for number, stop in enumerate([*stops, None]):
        torch.manual_seed(number)  # what the caller's own random numbers are does not matter
        result = train(
            config,
            tmp_path / "parts",
            resume=number > 0,
            device="cpu",
            stop=lambda step, stop=stop: step == stop,
        )
        assert result.interrupted == (stop is not None)
    assert content(tmp_path / "parts") == content(tmp_path / "whole"), stops
    logged = [
        [line["step"] for line in run_log.read_log(tmp_path / name / "log.jsonl")]
        for name in ("whole", "parts")
    ]
    assert set(logged[0]) <= set(logged[1])
    assert logged[1] == sorted(set(logged[1]))


def test_the_same_settings_give_the_same_run_and_another_seed_another(small, tmp_path):
    run(small, tmp_path / "a", steps=2)
    run(small, tmp_path / "b", steps=2)
    run(small, tmp_path / "c", steps=2, seed=1)
    assert content(tmp_path / "a") == content(tmp_path / "b") != content(tmp_path / "c")


def test_a_threshold_of_zero_trains_as_no_rejection_does(small, tmp_path):
    run(small, tmp_path / "none", steps=3, tau=None)
    run(small, tmp_path / "zero", steps=3, tau=0.0)
    without = saved(tmp_path / "none").tensors
    zero = saved(tmp_path / "zero").tensors
    assert all(torch.equal(without[name], zero[name]) for name in without)


def test_a_run_writes_configuration_log_samples_measurements_and_curves(small, tmp_path, images):
    run(
        small,
        tmp_path / "run",
        steps=4,
        log_every=2,
        sample_every=4,
        evaluate_every=2,
        samples=12,
        evaluate_with=["pixels"],
        test=str(images),
    )
    folder = tmp_path / "run"
    again = GanConfig(**json.loads((folder / "config.json").read_text()))
    assert again.steps == 4
    lines = run_log.read_log(folder / "log.jsonl")
    assert [line["step"] for line in lines] == [2, 4]
    for line in lines:
        assert line["rejection"]["images"] > 0
        assert set(line["evaluation"]["pixels"]) >= {
            "fd",
            "fd_test",
            "memorization_distance",
            "c_t",
        }
    assert (folder / "curves.png").stat().st_size > 5_000
    assert len(list((folder / "samples").glob("*.png"))) == 1
    assert sample_run(folder, 5).shape == (5, 3, 16, 16)


def test_dcgan_trains_on_images_without_classes(small, tmp_path):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "images.npy", rng.integers(0, 256, (9, 16, 16, 3), dtype=np.uint8))
    given = small | {"model": "dcgan", "train": str(tmp_path / "images.npy"), "steps": 2}
    assert train(GanConfig(**given), tmp_path / "run", device="cpu").step == 2


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good_checkpoint(
    small, tmp_path, monkeypatch
):
    calls = []

    def fails_in_the_fifth_step(scores):
        calls.append(1)
        return -scores.mean() * (float("nan") if len(calls) == 5 else 1.0)

    monkeypatch.setattr(trainer, "generator_loss", fails_in_the_fifth_step)
    with pytest.raises(
        DivergedError, match=r"at step 5; the last good checkpoint, of step 4"
    ) as caught:
        run(small, tmp_path / "run")
    assert "with a lower --learning-rate: a run that is resumed" in str(caught.value)
    assert "precision" not in str(caught.value)  # it is full already
    assert saved(tmp_path / "run").state["step"] == 4
    tensors = saved(tmp_path / "run").tensors
    assert all(bool(value.isfinite().all()) for value in tensors.values())


def test_weights_that_are_no_numbers_are_never_saved(small, tmp_path, monkeypatch):
    monkeypatch.setattr(trainer.GanTrainer, "is_finite", lambda self: False)
    with pytest.raises(DivergedError, match="there was no checkpoint yet"):
        run(small, tmp_path / "run")
    assert not (tmp_path / "run" / checkpoint.CHECKPOINT_FILE).exists()


def test_a_full_disk_while_saving_leaves_the_old_checkpoint_whole(small, tmp_path, monkeypatch):
    run(small, tmp_path / "run", steps=2)
    before = content(tmp_path / "run")

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    config = resumed_config(GanConfig(**small | {"steps": 2}), {"steps": 4})
    written = trainer.save_checkpoint

    def on_a_full_disk(path, **what):
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            written(path, **what)

    monkeypatch.setattr(trainer, "save_checkpoint", on_a_full_disk)
    with pytest.raises(UsageError, match="no space left on device"):
        train(config, tmp_path / "run", resume=True, device="cpu")
    assert content(tmp_path / "run") == before
    assert not [path for path in (tmp_path / "run").iterdir() if path.name.startswith(".")]


def test_an_interrupt_saves_after_the_step_and_the_run_can_go_on(small, tmp_path):
    config = GanConfig(**small)

    def interrupt(step):
        if step == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return False

    before = signal.getsignal(signal.SIGINT)
    result = train(config, tmp_path / "run", device="cpu", stop=interrupt)
    assert result.interrupted
    assert signal.getsignal(signal.SIGINT) is before
    assert saved(tmp_path / "run").state["step"] == result.step
    assert train(config, tmp_path / "run", resume=True, device="cpu").step == 6


def test_a_threshold_that_rejects_everything_stops_the_run_with_a_hint(small, tmp_path):
    with pytest.raises(RejectsEverythingError, match="acceptance 0 %"):
        run(small, tmp_path / "run", tau=2.0, max_tries=3)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"model": "biggan", "z_dim": 6}, "model = 'sagan'"),
        ({"width": 6}, "width = 4"),
        ({"tau": 0.06}, "tau = 0.05"),
        ({"seed": 5}, "seed = 0"),
        ({"limit": 10}, "limit"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(small, tmp_path, given, words):
    run(small, tmp_path / "run", steps=2)
    with pytest.raises(UsageError, match=words):
        train(GanConfig(**small | given), tmp_path / "run", resume=True, device="cpu")


def test_a_run_killed_before_its_first_checkpoint_resumes_from_the_start(small, tmp_path):
    given = small | {"model": "dcgan", "steps": 2}
    run(given, tmp_path / "whole")
    run(given, tmp_path / "killed")
    (tmp_path / "killed" / checkpoint.CHECKPOINT_FILE).unlink()  # as after SIGKILL in step 1
    train(GanConfig(**given), tmp_path / "killed", resume=True, device="cpu")
    for name, tensor in saved(tmp_path / "whole").tensors.items():
        assert torch.equal(tensor, saved(tmp_path / "killed").tensors[name]), name


def test_a_checkpoint_of_other_images_is_refused(small, tmp_path):
    run(small, tmp_path / "run", steps=2, model="dcgan")
    rng = np.random.default_rng(0)
    np.save(tmp_path / "other.npy", rng.integers(0, 256, (9, 16, 16, 3), dtype=np.uint8))
    other = small | {"model": "dcgan", "train": str(tmp_path / "other.npy")}
    with pytest.raises(UsageError, match="other images"):
        train(GanConfig(**other), tmp_path / "run", resume=True, device="cpu")


def test_a_checkpoint_of_another_version_or_none_is_refused(small, tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"there is no run: config\.json .* without --resume"):
        train(GanConfig(**small), tmp_path / "run", resume=True, device="cpu")
    run(small, tmp_path / "run", steps=2)
    path = tmp_path / "run" / checkpoint.CHECKPOINT_FILE
    monkeypatch.setattr(checkpoint, "FORMAT", "genmem checkpoint 9")
    with pytest.raises(InputError, match="expected a checkpoint of format 'genmem checkpoint 9'"):
        train(GanConfig(**small), tmp_path / "run", resume=True, device="cpu")
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match="truncated"):
        train(GanConfig(**small), tmp_path / "run", resume=True, device="cpu")


def test_a_measurement_that_was_killed_is_made_up_when_the_run_goes_on(
    small, tmp_path, monkeypatch
):
    given = small | {"evaluate_every": 2, "samples": 12, "evaluate_with": ["pixels"]}
    config = GanConfig(**given | {"steps": 2, "sample_every": 2})

    def killed(measuring, *arguments):
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(Evaluator, "__call__", killed)
        with pytest.raises(SystemExit):
            train(config, tmp_path / "run", device="cpu")
    before = content(tmp_path / "run")
    result = train(config, tmp_path / "run", resume=True, device="cpu")
    assert (result.step, result.interrupted) == (2, False)
    lines = run_log.read_log(tmp_path / "run" / "log.jsonl")
    assert [line["step"] for line in lines if "evaluation" in line] == [2]
    assert content(tmp_path / "run") == before
    with pytest.raises(UsageError, match="at step 2 of 2 already"):
        train(config, tmp_path / "run", resume=True, device="cpu")


def test_a_run_is_not_written_over(small, tmp_path):
    run(small, tmp_path / "run", steps=2)
    with pytest.raises(UsageError, match="--resume"):
        run(small, tmp_path / "run", steps=2)
