import os
import signal
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from genmem.errors import InputError, UsageError
from genmem.training.common.checkpoint import load_checkpoint, save_checkpoint
from genmem.training.common.run_log import read_log
from genmem.training.diffusion import run_folder, trainer
from genmem.training.diffusion.config import (
    TrainingSettings,
    UNetSettings,
    ncsnpp,
    settings_from,
    training_labels,
)
from genmem.training.diffusion.optimal_denoiser import OptimalDenoiser
from genmem.training.diffusion.train import DivergedError, train
from genmem.training.diffusion.trainer import batch_positions

NETWORK = UNetSettings(
    image_size=8, channels=8, multipliers=(1, 2), blocks=1, attention=(4,), dropout=0.1
)
SETTINGS = TrainingSettings(
    network=NETWORK, batch_size=10, steps=12, warm_up_epochs=1, snapshots=3, ema=0.9, seed=3
)
FILES = ("settings.json", "log.jsonl", "checkpoint.safetensors", "snapshots/00000012.safetensors")


def contents(folder):
    return {name: (folder / name).read_bytes() for name in FILES}


@pytest.mark.parametrize("labels", ["none", "random"])
def test_a_run_interrupted_anywhere_ends_as_if_it_had_not_been(made, tmp_path, labels):
    settings = replace(SETTINGS, labels=labels)
    train(made, tmp_path / "whole", settings, device="cpu")
    for steps in (1, 4, 7, 12):
        ending = train(
            made, tmp_path / "cut", settings, device="cpu", stop_after=steps, resume=steps > 1
        )
        assert ending.step == steps
        assert ending.interrupted == (steps < 12)
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


def test_training_does_not_touch_the_caller_s_random_numbers(made, tmp_path):
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    train(made, tmp_path / "run", replace(SETTINGS, steps=1, snapshots=1), device="cpu")
    assert torch.equal(torch.rand(3), expected)


def test_a_signal_ends_the_step_saves_and_returns(made, tmp_path):
    def progress(stage, done, total):
        if done == 5:
            os.kill(os.getpid(), signal.SIGTERM)

    ending = train(made, tmp_path / "run", SETTINGS, device="cpu", progress=progress)
    assert ending.interrupted
    found = load_checkpoint(tmp_path / "run" / "checkpoint.safetensors", kind="diffusion")
    assert found.state["step"] == ending.step == 5
    assert train(made, tmp_path / "run", SETTINGS, device="cpu", resume=True).step == 12


@pytest.mark.parametrize(
    ("parametrization", "network"),
    [("vp", NETWORK), ("ve", NETWORK), ("edm", NETWORK), ("edm", ncsnpp(NETWORK))],
)
def test_every_parametrization_learns(cifar10, tmp_path, monkeypatch, network, parametrization):
    monkeypatch.setattr("genmem.training.diffusion.train.LOG_STEPS", 10)
    settings = TrainingSettings(
        network=replace(network, attention=()),
        parametrization=parametrization,
        batch_size=24,
        learning_rate=0.1,
        steps=40,
        warm_up_epochs=0,
        snapshots=1,
        ema=0.9,
    )
    train(cifar10, tmp_path / "run", settings, device="cpu")
    losses = [line["loss"] for line in read_log(tmp_path / "run" / "log.jsonl")]
    assert losses[-1] < 0.9 * losses[0]


def test_a_snapshot_read_back_is_the_average_that_was_kept(made, tmp_path):
    train(made, tmp_path / "run", replace(SETTINGS, labels="true"), device="cpu")
    run = run_folder.load_run(tmp_path / "run")
    assert (run.step, run.classes) == (12, 3)
    assert run_folder.snapshots(tmp_path / "run") == [4, 8, 12]
    kept = load_checkpoint(tmp_path / "run" / "checkpoint.safetensors", kind="diffusion")
    for name, tensor in run.denoiser.state_dict().items():
        assert torch.equal(tensor, kept.tensors[f"ema.{name}"])
    x = torch.randn(2, 3, 8, 8)
    found = run.denoiser.denoise(x, 1.0, torch.tensor([0, 2]))
    assert torch.equal(found, run.denoiser.denoise(x, 1.0, torch.tensor([0, 2])))  # no dropout
    earlier = run_folder.load_run(tmp_path / "run", step=4).denoiser
    assert not torch.equal(earlier.denoise(x, 1.0, torch.tensor([0, 2])), found)
    with pytest.raises(InputError, match="expected a snapshot after 5 steps, found 4, 8, 12"):
        run_folder.load_run(tmp_path / "run", step=5)


def test_snapshots_are_measured_as_the_settings_ask(made, tmp_path):
    train(made, tmp_path / "run", replace(SETTINGS, samples=3, snapshots=1), device="cpu")
    line = read_log(tmp_path / "run" / "log.jsonl")[-1]
    assert line["step"] == 12
    assert line["memorization_ratio"]["n"] == {"generated": 3, "train": 24}


def test_the_optimal_denoiser_is_measured_as_a_perfect_memorizer(cifar10):
    found = run_folder.memorized(OptimalDenoiser(cifar10.pixels), cifar10, samples=20)
    assert found.value == 1.0


def test_an_optimal_denoiser_has_no_greater_loss_than_any_other(made):
    """The closed form is the training loss's minimum: any other denoiser does worse."""
    clean = torch.from_numpy(made.pixels).float() / 127.5 - 1
    optimal, random = OptimalDenoiser(made.pixels), torch.Generator().manual_seed(0)
    for sigma in (0.5, 5.0, 20.0):
        picked = torch.randint(24, (400,), generator=random)
        x = clean[picked] + sigma * torch.randn(400, 3, 8, 8, generator=random)
        best = (optimal.denoise(x, sigma) - clean[picked]).square().mean()
        for other in (x, clean.mean(dim=0), optimal.denoise(x, 1.3 * sigma)):
            assert best <= (other - clean[picked]).square().mean() + 1e-6


def test_passes_take_every_image_once_and_batches_run_across_them():
    taken = np.concatenate(
        [batch_positions(step, images=7, batch_size=3, seed=1) for step in range(14)]
    )
    for start in range(0, 42, 7):
        assert sorted(taken[start : start + 7]) == list(range(7))
    assert not np.array_equal(taken[:7], taken[7:14])
    assert len(batch_positions(0, images=3, batch_size=10, seed=0)) == 10


def test_steps_learning_rate_and_snapshots_are_the_paper_s():
    paper = TrainingSettings()
    assert paper.total_steps(1_000) == 78_125
    assert paper.learning_rate_at(100_000, 1_000) == 2e-4
    assert paper.learning_rate_at(0, 1_000) == pytest.approx(2e-4 * 512 / 200_000)
    assert replace(paper, batch_size=128).learning_rate_at(10**6, 1_000) == pytest.approx(5e-5)
    assert replace(paper, steps=10, snapshots=4).snapshot_steps(100) == (3, 5, 8, 10)


def test_labels_are_none_the_classes_drawn_ones_or_the_image_s_number(made):
    settings = replace(SETTINGS, random_classes=5)
    assert training_labels(settings, made) == (None, 0)
    true, classes = training_labels(replace(settings, labels="true"), made)
    assert (true.tolist(), classes) == (made.labels.tolist(), 3)
    unique, classes = training_labels(replace(settings, labels="unique"), made)
    assert (unique.tolist(), classes) == (list(range(24)), 24)
    drawn, classes = training_labels(replace(settings, labels="random"), made)
    assert (set(drawn.tolist()), classes) == (set(range(5)), 5)
    assert np.array_equal(training_labels(replace(settings, labels="random"), made)[0], drawn)
    with pytest.raises(InputError, match="true labels need images with classes"):
        training_labels(replace(settings, labels="true"), replace(made, labels=None))


def test_settings_come_back_from_their_json():
    settings = replace(SETTINGS, network=replace(NETWORK, without_skips=("8.1",)), labels="unique")
    assert settings_from(settings.to_dict()) == settings
    with pytest.raises(InputError, match="of this version"):
        settings_from({"network": {"colours": 3}})


def test_a_run_is_not_begun_twice_nor_resumed_as_another(made, cifar10, tmp_path):
    folder = tmp_path / "run"
    train(made, folder, SETTINGS, device="cpu", stop_after=2)
    with pytest.raises(UsageError, match="holds a run already"):
        train(made, folder, SETTINGS, device="cpu")
    wider = replace(SETTINGS, network=replace(NETWORK, channels=16), ema=0.5)
    with pytest.raises(UsageError, match=r"began with another network\.channels, ema"):
        train(made, folder, wider, device="cpu", resume=True)
    with pytest.raises(InputError, match="other training images"):
        train(cifar10, folder, SETTINGS, device="cpu", resume=True)
    with pytest.raises(InputError, match="cannot be read"):
        train(made, tmp_path / "none", SETTINGS, device="cpu", resume=True)


def test_images_of_another_size_than_the_network_s_are_refused(made, tmp_path):
    larger = replace(SETTINGS, network=replace(NETWORK, image_size=16, attention=()))
    with pytest.raises(InputError, match=r"expected images of shape \[3, 16, 16\]"):
        train(made, tmp_path / "run", larger, device="cpu")


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good_checkpoint(
    made, tmp_path, monkeypatch
):
    train(made, tmp_path / "run", SETTINGS, device="cpu", stop_after=4)
    before = (tmp_path / "run" / "checkpoint.safetensors").read_bytes()
    monkeypatch.setattr(
        trainer, "weighted_loss", lambda denoiser, *rest: denoiser.network.last.weight.sum() / 0
    )
    with pytest.raises(DivergedError, match="the last good checkpoint, after 4 steps"):
        train(made, tmp_path / "run", SETTINGS, device="cpu", resume=True)
    assert (tmp_path / "run" / "checkpoint.safetensors").read_bytes() == before


@pytest.mark.parametrize(
    "wrong",
    [
        {"batch_size": 0},
        {"ema": 1.0},
        {"learning_rate": 0.0},
        {"weight_decay": -1.0},
        {"steps": 0},
        {"labels": "some"},
        {"precision": "fp8"},
        {"snapshots": 0},
        {"weight_decay": float("nan")},
        {"learning_rate": float("inf")},
        {"batch_size": 16.5},
        {"batch_size": True},
        {"batch_size": 2_000_000_000},
        {"parametrization": ["vp"]},
        {"network": {"channels": 8}},
    ],
)
def test_settings_that_cannot_be_are_refused(wrong):
    with pytest.raises(UsageError, match="expected"):
        replace(SETTINGS, **wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"time_embedding": "foo"},
        {"resampling": "foo"},
        {"channels": 8.0},
        {"multipliers": [1, 2]},
        {"multipliers": ("1",)},
        {"without_skips": "8"},
        {"progressive_input": 1},
        {"dropout": float("nan")},
        {"image_channels": 0},
    ],
)
def test_networks_that_cannot_be_are_refused(wrong):
    with pytest.raises(UsageError, match="expected"):
        replace(NETWORK, **wrong)


def test_more_snapshots_than_steps_are_one_a_step():
    settings = replace(SETTINGS, steps=3, snapshots=2_000_000_000)
    assert settings.snapshot_steps(24) == (1, 2, 3)


def test_images_that_are_all_the_same_are_refused_before_the_first_step(made, tmp_path):
    same = replace(made, pixels=np.repeat(made.pixels[:1], 24, axis=0))
    with pytest.raises(InputError, match="expected at least two different images, got 24 images"):
        train(same, tmp_path / "run", replace(SETTINGS, samples=2), device="cpu")
    assert not (tmp_path / "run").exists()
    train(same, tmp_path / "run", replace(SETTINGS, steps=1, snapshots=1), device="cpu")


@pytest.mark.parametrize("at", [1, 2, 5])
def test_a_signal_while_a_snapshot_is_measured_saves_and_the_rest_is_measured_later(
    made, tmp_path, monkeypatch, at
):
    monkeypatch.setattr(run_folder, "memorized", partial(run_folder.memorized, batch_size=2))
    settings = replace(SETTINGS, samples=6, snapshots=2)
    train(made, tmp_path / "whole", settings, device="cpu")
    calls, heard = [], []

    def progress(stage, done, total):
        if stage.startswith("sampling after"):
            calls.append(stage)
            if len(calls) == at:
                os.kill(os.getpid(), signal.SIGTERM)

    def train_on(**options):
        return train(made, tmp_path / "cut", settings, device="cpu", **options)

    ending = train_on(progress=progress, on_stop=lambda: heard.append(True))
    assert ending.interrupted
    assert ending.step == (12 if at == 5 else 6)
    assert heard == [True]
    assert len(calls) == at  # nothing was drawn after it
    found = load_checkpoint(tmp_path / "cut" / "checkpoint.safetensors", kind="diffusion")
    assert found.state["step"] == ending.step
    measured = [line["step"] for line in read_log(tmp_path / "cut" / "log.jsonl")]
    assert (ending.step in measured) == (at == 5)  # its loss alone, at the end
    assert not train_on(resume=True).interrupted
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


def test_a_signal_in_the_step_before_a_snapshot_ends_without_measuring_it(made, tmp_path):
    settings = replace(SETTINGS, samples=3, snapshots=2)

    def progress(stage, done, total):
        assert stage == "training"
        if done == 6:
            os.kill(os.getpid(), signal.SIGTERM)

    ending = train(made, tmp_path / "cut", settings, device="cpu", progress=progress)
    assert (ending.step, ending.interrupted) == (6, True)
    train(made, tmp_path / "cut", settings, device="cpu", resume=True)
    train(made, tmp_path / "whole", settings, device="cpu")
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{}", "expected an object 'settings'"),
        ("[]", "expected a JSON object"),
        ('{"settings": {}, "data": {}, "source": {}}', "'name' of the data"),
        ('{"settings": {}, "data": {"name": "", "digest": "", "count": 1}}', "object 'source'"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_settings_of_a_run_that_are_damaged_are_one_error(made, tmp_path, content, words):
    (tmp_path / "settings.json").write_text(content)
    with pytest.raises(InputError, match=words):
        run_folder.load_run(tmp_path)
    with pytest.raises(InputError, match=words):
        train(made, tmp_path, SETTINGS, device="cpu", resume=True)


def test_a_run_of_several_processes_is_not_resumed_in_one(made, tmp_path, monkeypatch):
    train(made, tmp_path / "run", SETTINGS, device="cpu", stop_after=4)
    path = tmp_path / "run" / "checkpoint.safetensors"
    found = load_checkpoint(path, kind="diffusion")
    state = found.state | {"processes": 2}
    save_checkpoint(path, kind="diffusion", tensors=found.tensors, state=state)
    with pytest.raises(UsageError, match="trained in 2 processes, now there are 1"):
        train(made, tmp_path / "run", SETTINGS, device="cpu", resume=True)


def test_a_ratio_that_was_lost_from_the_log_is_measured_when_the_run_goes_on(made, tmp_path):
    settings = replace(SETTINGS, samples=3)
    train(made, tmp_path / "whole", settings, device="cpu")
    train(made, tmp_path / "cut", settings, device="cpu", stop_after=9)
    log = tmp_path / "cut" / "log.jsonl"
    lines = log.read_text().splitlines(keepends=True)
    log.write_text("".join(line for line in lines if "memorization_ratio" not in line))
    train(made, tmp_path / "cut", settings, device="cpu", resume=True)
    whole, cut = (run_folder.ratios(tmp_path / name) for name in ("whole", "cut"))
    assert list(whole) == [4, 8, 12]
    assert cut == whole


def test_a_run_begun_in_python_may_say_anything_of_its_images(made, tmp_path):
    said = {"path": "somewhere", "size": [8, 8]}
    train(made, tmp_path / "run", SETTINGS, device="cpu", stop_after=4, source=said)
    assert train(made, tmp_path / "run", SETTINGS, device="cpu", resume=True).step == 12
    assert run_folder.load_run(tmp_path / "run").step == 12


def test_a_damaged_setting_is_told_with_its_file(made, tmp_path):
    train(made, tmp_path / "run", SETTINGS, device="cpu", stop_after=4)
    path = tmp_path / "run" / "settings.json"
    path.write_text(path.read_text().replace('"batch_size": 10', '"batch_size": "10"'))
    with pytest.raises(InputError, match=r"settings\.json: damaged: batch_size: expected a whole"):
        run_folder.load_run(tmp_path / "run")
