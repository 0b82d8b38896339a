import os
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch

from genmem.errors import InputError, UsageError
from genmem.training.common.checkpoint import load_checkpoint, save_checkpoint
from genmem.training.common.run_folder import DivergedError
from genmem.training.common.run_log import read_log
from genmem.training.diffusion import run_folder, trainer
from genmem.training.diffusion.config import DiffusionConfig, UNetConfig, ncsnpp
from genmem.training.diffusion.labels import training_labels
from genmem.training.diffusion.learning_rate import learning_rate_at
from genmem.training.diffusion.optimal_denoiser import OptimalDenoiser
from genmem.training.diffusion.sampler import Schedule
from genmem.training.diffusion.train import train
from genmem.training.diffusion.trainer import batch_positions

NETWORK = UNetConfig(
    image_size=8, channels=8, multipliers=(1, 2), blocks=1, attention=(4,), dropout=0.1
)
CONFIG = DiffusionConfig(
    network=NETWORK,
    batch_size=10,
    steps=12,
    warm_up_epochs=1,
    snapshots=3,
    ema_decay=0.9,
    seed=3,
    samples=0,
)
FILES = (
    "config.json",
    "dataset.json",
    "log.jsonl",
    "checkpoint.safetensors",
    "snapshots/00000012.safetensors",
)


def contents(folder):
    return {name: (folder / name).read_bytes() for name in FILES}


@pytest.mark.parametrize("labels", ["none", "random"])
def test_a_run_interrupted_anywhere_ends_as_if_it_had_not_been(made, tmp_path, labels):
    config = CONFIG.replace(labels=labels)
    train(made, tmp_path / "whole", config, device="cpu")
    for steps in (1, 4, 7, 12):
        result = train(
            made, tmp_path / "cut", config, device="cpu", stop_after=steps, resume=steps > 1
        )
        assert result.step == steps
        assert result.interrupted == (steps < 12)
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


def test_training_does_not_touch_the_caller_s_random_numbers(made, tmp_path):
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    train(made, tmp_path / "run", CONFIG.replace(steps=1, snapshots=1), device="cpu")
    assert torch.equal(torch.rand(3), expected)


def test_a_signal_ends_the_step_saves_and_returns(made, tmp_path):
    def progress(stage, done, total):
        if done == 5:
            os.kill(os.getpid(), signal.SIGTERM)

    result = train(made, tmp_path / "run", CONFIG, device="cpu", progress=progress)
    assert result.interrupted
    found = load_checkpoint(tmp_path / "run" / "checkpoint.safetensors", kind="diffusion")
    assert found.state["step"] == result.step == 5
    assert train(made, tmp_path / "run", CONFIG, device="cpu", resume=True).step == 12


@pytest.mark.parametrize(
    ("parametrization", "network"),
    [("vp", NETWORK), ("ve", NETWORK), ("edm", NETWORK), ("edm", ncsnpp(NETWORK))],
)
def test_every_parametrization_learns(cifar10, tmp_path, monkeypatch, network, parametrization):
    monkeypatch.setattr("genmem.training.diffusion.train.LOG_STEPS", 10)
    config = DiffusionConfig(
        network=network.replace(attention=()),
        parametrization=parametrization,
        batch_size=24,
        learning_rate=0.1,
        samples=0,
        steps=40,
        warm_up_epochs=0,
        snapshots=1,
        ema_decay=0.9,
    )
    train(cifar10, tmp_path / "run", config, device="cpu")
    losses = [line["loss"] for line in read_log(tmp_path / "run" / "log.jsonl")]
    assert losses[-1] < 0.9 * losses[0]


def test_a_snapshot_read_back_is_the_average_that_was_kept(made, tmp_path):
    train(made, tmp_path / "run", CONFIG.replace(labels="true"), device="cpu")
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
    train(made, tmp_path / "run", CONFIG.replace(samples=3, snapshots=1), device="cpu")
    line = read_log(tmp_path / "run" / "log.jsonl")[-1]
    assert line["step"] == 12
    assert line["memorization_ratio"]["n"] == {"generated": 3, "train": 24}


def test_the_optimal_denoiser_is_measured_as_a_perfect_memorizer(cifar10):
    found = run_folder.measure_memorization(OptimalDenoiser(cifar10.pixels), cifar10, samples=20)
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
    paper = DiffusionConfig()
    assert paper.total_steps(1_000) == 78_125
    assert learning_rate_at(paper, 100_000, 1_000) == 2e-4
    assert learning_rate_at(paper, 0, 1_000) == pytest.approx(2e-4 * 512 / 200_000)
    smaller = paper.replace(batch_size=128)
    assert learning_rate_at(smaller, 10**6, 1_000) == pytest.approx(5e-5)
    assert paper.replace(steps=10, snapshots=4).snapshot_steps(100) == (3, 5, 8, 10)


def test_labels_are_none_the_classes_drawn_ones_or_the_image_s_number(made):
    config = CONFIG
    assert training_labels(config.labels, made, seed=config.seed) == (None, 0)
    true, classes = training_labels("true", made, seed=config.seed)
    assert (true.tolist(), classes) == (made.labels.tolist(), 3)
    unique, classes = training_labels("unique", made, seed=config.seed)
    assert (unique.tolist(), classes) == (list(range(24)), 24)
    drawn, classes = training_labels("random:5", made, seed=config.seed)
    assert (set(drawn.tolist()), classes) == (set(range(5)), 5)
    assert np.array_equal(training_labels("random:5", made, seed=config.seed)[0], drawn)
    with pytest.raises(InputError, match="true labels need images with classes"):
        training_labels("true", replace(made, labels=None), seed=config.seed)


def test_settings_come_back_from_their_json():
    config = CONFIG.replace(network=NETWORK.replace(without_skips=("8.1",)), labels="unique")
    assert DiffusionConfig(**config.to_dict()) == config
    with pytest.raises(UsageError, match="there is no setting 'colors'"):
        DiffusionConfig(network={"colors": 3})


def test_a_run_is_not_begun_twice_nor_resumed_as_another(made, cifar10, tmp_path):
    folder = tmp_path / "run"
    train(made, folder, CONFIG, device="cpu", stop_after=2)
    with pytest.raises(UsageError, match="holds a run already"):
        train(made, folder, CONFIG, device="cpu")
    wider = CONFIG.replace(network=NETWORK.replace(channels=16), ema_decay=0.5)
    with pytest.raises(UsageError, match=r"began with another network\.channels, ema"):
        train(made, folder, wider, device="cpu", resume=True)
    with pytest.raises(InputError, match="other training images"):
        train(cifar10, folder, CONFIG, device="cpu", resume=True)
    with pytest.raises(InputError, match="there is no run"):
        train(made, tmp_path / "none", CONFIG, device="cpu", resume=True)


def test_images_of_another_size_than_the_network_s_are_refused(made, tmp_path):
    larger = CONFIG.replace(network=NETWORK.replace(image_size=16, attention=()))
    with pytest.raises(InputError, match=r"expected images of shape \[3, 16, 16\]"):
        train(made, tmp_path / "run", larger, device="cpu")


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good_checkpoint(
    made, tmp_path, monkeypatch
):
    train(made, tmp_path / "run", CONFIG, device="cpu", stop_after=4)
    before = (tmp_path / "run" / "checkpoint.safetensors").read_bytes()
    monkeypatch.setattr(
        trainer, "weighted_loss", lambda denoiser, *rest: denoiser.network.last.weight.sum() / 0
    )
    with pytest.raises(DivergedError, match="the last good checkpoint, of step 4"):
        train(made, tmp_path / "run", CONFIG, device="cpu", resume=True)
    assert (tmp_path / "run" / "checkpoint.safetensors").read_bytes() == before


@pytest.mark.parametrize(
    "wrong",
    [
        {"batch_size": 0},
        {"ema_decay": 1.0},
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
        {"network": 3},
        {"labels": "random:0"},
    ],
)
def test_settings_that_cannot_be_are_refused(wrong):
    with pytest.raises(UsageError, match="expected"):
        CONFIG.replace(**wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"time_embedding": "foo"},
        {"resampling": "foo"},
        {"channels": 8.0},
        {"multipliers": 2},
        {"multipliers": ("1",)},
        {"without_skips": "8"},
        {"progressive_input": 1},
        {"dropout": float("nan")},
        {"image_channels": 0},
    ],
)
def test_networks_that_cannot_be_are_refused(wrong):
    with pytest.raises(UsageError, match="expected"):
        NETWORK.replace(**wrong)


def test_more_snapshots_than_steps_are_one_a_step():
    config = CONFIG.replace(steps=3, snapshots=2_000_000_000)
    assert config.snapshot_steps(24) == (1, 2, 3)


def test_images_that_are_all_the_same_are_refused_before_the_first_step(made, tmp_path):
    same = replace(made, pixels=np.repeat(made.pixels[:1], 24, axis=0))
    with pytest.raises(InputError, match="expected at least two different images, got 24 images"):
        train(same, tmp_path / "run", CONFIG.replace(samples=2), device="cpu")
    assert not (tmp_path / "run").exists()
    train(same, tmp_path / "run", CONFIG.replace(steps=1, snapshots=1), device="cpu")


@pytest.fixture
def quick_ratios(monkeypatch):
    """Ratios of snapshots are measured in small batches and few steps of the sampler."""
    measure = run_folder.measure_memorization

    def quick(denoiser, data, *, samples, sampling):
        sampling = replace(sampling, batch_size=2, schedule=Schedule(steps=2))
        return measure(denoiser, data, samples=samples, sampling=sampling)

    monkeypatch.setattr(run_folder, "measure_memorization", quick)


@pytest.mark.usefixtures("quick_ratios")
@pytest.mark.parametrize("at", [1, 2, 5])
def test_a_signal_while_a_snapshot_is_measured_saves_and_the_rest_is_measured_later(
    made, tmp_path, at
):
    config = CONFIG.replace(samples=6, snapshots=2)
    train(made, tmp_path / "whole", config, device="cpu")
    calls, heard = [], []

    def progress(stage, done, total):
        if stage.startswith("sampling after"):
            calls.append(stage)
            if len(calls) == at:
                os.kill(os.getpid(), signal.SIGTERM)

    def train_on(**options):
        return train(made, tmp_path / "cut", config, device="cpu", **options)

    result = train_on(progress=progress, on_stop=lambda: heard.append(True))
    assert result.interrupted
    assert result.step == (12 if at == 5 else 6)
    assert heard == [True]
    assert len(calls) == at  # nothing was drawn after it
    found = load_checkpoint(tmp_path / "cut" / "checkpoint.safetensors", kind="diffusion")
    assert found.state["step"] == result.step
    measured = [line["step"] for line in read_log(tmp_path / "cut" / "log.jsonl")]
    assert (result.step in measured) == (at == 5)  # its loss alone, at the end
    assert not train_on(resume=True).interrupted
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


@pytest.mark.usefixtures("quick_ratios")
def test_a_signal_in_the_step_before_a_snapshot_ends_without_measuring_it(made, tmp_path):
    config = CONFIG.replace(samples=3, snapshots=2)

    def progress(stage, done, total):
        assert stage == "training"
        if done == 6:
            os.kill(os.getpid(), signal.SIGTERM)

    result = train(made, tmp_path / "cut", config, device="cpu", progress=progress)
    assert (result.step, result.interrupted) == (6, True)
    train(made, tmp_path / "cut", config, device="cpu", resume=True)
    train(made, tmp_path / "whole", config, device="cpu")
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[]", "expected an object"),
        ('{"settings": {}}', "damaged, or of another version: there is no setting 'settings'"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_a_damaged_configuration_of_a_run_is_one_error(made, tmp_path, content, words):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(InputError, match=words):
        run_folder.load_run(tmp_path)
    with pytest.raises(InputError, match=words):
        train(made, tmp_path, CONFIG, device="cpu", resume=True)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{}", "damaged: expected 'name', text"),
        ('{"name": "", "count": 1, "digest": 2}', "damaged: expected 'digest', text"),
        ('{"name": "", "digest": "", "count": 1}', "damaged: expected 'source', an object"),
    ],
)
def test_a_damaged_record_of_the_training_images_is_one_error(made, tmp_path, content, words):
    train(made, tmp_path / "run", CONFIG, device="cpu", stop_after=4)
    (tmp_path / "run" / "dataset.json").write_text(content)
    with pytest.raises(InputError, match=words):
        train(made, tmp_path / "run", CONFIG, device="cpu", resume=True)


def test_a_run_of_several_processes_is_not_resumed_in_one(made, tmp_path, monkeypatch):
    train(made, tmp_path / "run", CONFIG, device="cpu", stop_after=4)
    path = tmp_path / "run" / "checkpoint.safetensors"
    found = load_checkpoint(path, kind="diffusion")
    state = found.state | {"processes": 2}
    save_checkpoint(path, kind="diffusion", tensors=found.tensors, state=state)
    with pytest.raises(UsageError, match="trained in 2 processes, now there are 1"):
        train(made, tmp_path / "run", CONFIG, device="cpu", resume=True)


@pytest.mark.usefixtures("quick_ratios")
def test_a_ratio_that_was_lost_from_the_log_is_measured_when_the_run_goes_on(made, tmp_path):
    config = CONFIG.replace(samples=3)
    train(made, tmp_path / "whole", config, device="cpu")
    train(made, tmp_path / "cut", config, device="cpu", stop_after=9)
    log = tmp_path / "cut" / "log.jsonl"
    lines = log.read_text().splitlines(keepends=True)
    log.write_text("".join(line for line in lines if "memorization_ratio" not in line))
    train(made, tmp_path / "cut", config, device="cpu", resume=True)
    whole, cut = (run_folder.memorization_ratios(tmp_path / name) for name in ("whole", "cut"))
    assert list(whole) == [4, 8, 12]
    assert cut == whole


def test_a_run_begun_in_python_may_say_anything_of_its_images(made, tmp_path):
    said = {"path": "somewhere", "size": [8, 8]}
    train(made, tmp_path / "run", CONFIG, device="cpu", stop_after=4, source=said)
    assert train(made, tmp_path / "run", CONFIG, device="cpu", resume=True).step == 12
    assert run_folder.load_run(tmp_path / "run").step == 12


def test_a_damaged_setting_is_told_with_its_file(made, tmp_path):
    train(made, tmp_path / "run", CONFIG, device="cpu", stop_after=4)
    path = tmp_path / "run" / "config.json"
    path.write_text(path.read_text().replace('"batch_size": 10', '"batch_size": "10"'))
    with pytest.raises(InputError, match=r"config\.json: damaged.*: batch_size: expected a whole"):
        run_folder.load_run(tmp_path / "run")


def test_a_list_of_a_json_file_is_a_tuple_and_a_whole_number_for_a_float_is_one():
    network = UNetConfig(image_size=8, multipliers=[1, 2], dropout=0, without_skips=["8.1"])
    assert (network.multipliers, network.without_skips) == ((1, 2), ("8.1",))
    assert type(network.dropout) is float
