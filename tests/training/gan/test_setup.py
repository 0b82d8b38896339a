"""What is refused before images are embedded, and configurations that go together or do not."""

import os
import signal
from dataclasses import replace

import numpy as np
import pytest

from genmem.errors import GenmemError, InputError, UsageError
from genmem.training.common import checkpoint
from genmem.training.common.checkpoint import Checkpoint, save_checkpoint
from genmem.training.common.dataset import load_shared_images
from genmem.training.common.run_folder import CONFIG_FILE, write_json
from genmem.training.common.signals import stop_signals
from genmem.training.gan import build, plots, train
from genmem.training.gan.build import build_evaluator, build_rejection
from genmem.training.gan.config import GanConfig, training_values
from genmem.training.gan.train import _TrainingLoop, setup
from genmem.training.gan.trainer import GanTrainer, check_same_run

from ..fixtures import cpu_accelerator


def write_config(config, folder):
    """What a training writes before its first step."""
    folder.mkdir()
    write_json(folder / CONFIG_FILE, config.to_dict())


def a_run_at_step(step, small, folder):
    """A folder with the checkpoint of a run of these config."""
    config = GanConfig(**small)
    data = load_shared_images(config.train, size=config.size)
    trainer = GanTrainer(config, data, cpu_accelerator(config), None)
    trainer.step_count = step
    write_config(config, folder)
    trainer.save(folder / checkpoint.CHECKPOINT_FILE)


def a_folder_that_is_a_file(small, folder):
    folder.write_text("not a folder")
    return {}, "is a file"


def a_folder_below_a_file(small, folder):
    folder.parent.joinpath("file").write_text("not a folder")
    return {"out": folder.parent / "file" / "run"}, "is a file"


def a_batch_that_is_no_multiple(small, folder):
    return {"model": "biggan", "z_dim": 7}, "z_dim"


def a_run_that_is_at_its_last_step(small, folder):
    a_run_at_step(6, small, folder)
    return {"resume": True}, "at step 6 of 6 already"


def a_checkpoint_cut_short(small, folder):
    a_run_at_step(2, small, folder)
    path = folder / checkpoint.CHECKPOINT_FILE
    path.write_bytes(path.read_bytes()[:-10])
    return {"resume": True}, "truncated"


def a_checkpoint_of_another_program(small, folder):
    write_config(GanConfig(**small), folder)
    state = {"step": 1, "config": {}, "classes": [], "rejection": None, "scaler": None}
    save_checkpoint(folder / checkpoint.CHECKPOINT_FILE, kind="gan", tensors={}, state=state)
    return {"resume": True}, r"checkpoint\.safetensors: .*images is missing"


def one_held_out_image(small, folder):
    np.save(folder.parent / "one.npy", np.zeros((1, 16, 16, 3), np.uint8))
    given = {"evaluate_every": 2, "evaluate_with": ["pixels"]}
    return given | {"test": str(folder.parent / "one.npy")}, "one.npy: expected at least 2 held-out"


def an_unknown_backbone_to_measure_in(small, folder):
    return {"evaluate_with": ["pixel"]}, "pixels"


def held_out_images_that_are_not_there(small, folder):
    return {"evaluate_with": ["pixels"], "test": "nowhere"}, "nowhere"


@pytest.mark.parametrize(
    "make",
    [
        a_folder_that_is_a_file,
        a_folder_below_a_file,
        a_batch_that_is_no_multiple,
        a_run_that_is_at_its_last_step,
        a_checkpoint_cut_short,
        a_checkpoint_of_another_program,
        one_held_out_image,
        an_unknown_backbone_to_measure_in,
        held_out_images_that_are_not_there,
    ],
    ids=lambda make: make.__name__,
)
def test_what_is_cheap_to_check_is_checked_before_images_are_embedded(
    make, small, tmp_path, monkeypatch
):
    given, words = make(small, tmp_path / "run")
    out, resume = given.pop("out", tmp_path / "run"), given.pop("resume", False)

    def embedded(*arguments):
        raise AssertionError("the training images are embedded")

    monkeypatch.setattr(train, "build_rejection", embedded)
    monkeypatch.setattr(train, "build_evaluator", embedded)
    config = GanConfig(**small | given)
    with pytest.raises(GenmemError, match=words):
        setup(config, out, resume=resume, device="cpu", progress=None, notify=None)


def test_a_resumed_run_goes_on_with_its_steps_of_rejection(small, tmp_path):
    config = GanConfig(**small)
    data = load_shared_images(config.train, size=config.size)
    accelerator = cpu_accelerator(config)
    trainer = GanTrainer(
        config, data, accelerator, build_rejection(config, data, accelerator, None)
    )
    trainer.rejection.steps = trainer.step_count = 3
    write_config(config, tmp_path / "run")
    trainer.save(tmp_path / "run" / checkpoint.CHECKPOINT_FILE)
    resumed, _ = setup(
        config, tmp_path / "run", resume=True, device="cpu", progress=None, notify=None
    )
    assert (resumed.step_count, resumed.rejection.steps) == (3, 3)


def test_notes_on_the_training_images_are_passed_on(small, images, tmp_path, monkeypatch):
    data = load_shared_images(str(images), size=16)
    monkeypatch.setattr(
        train, "training_images", lambda *given: replace(data, notes=("mind this",))
    )
    notes = []
    setup(
        GanConfig(**small | {"tau": None}),
        tmp_path / "run",
        resume=False,
        device="cpu",
        progress=None,
        notify=notes.append,
    )
    assert notes == ["mind this"]


def checkpoint_state(config, **more):
    state = {"config": training_values(config.to_dict()), "images": "abc", **more}
    return Checkpoint(tensors={}, state=state, path="run/checkpoint.safetensors")


def test_a_run_goes_on_in_as_many_processes_as_it_began_in(small):
    config = GanConfig(**small)
    saved = checkpoint_state(config, processes=2)
    check_same_run(saved, config, images="abc", processes=2)
    check_same_run(checkpoint_state(config), config, images="abc", processes=1)  # not told
    with pytest.raises(UsageError, match=r"in 2 processes, now there are 1.*nproc-per-node 2"):
        check_same_run(saved, config, images="abc", processes=1)


def test_a_first_signal_is_heard_at_once():
    heard = []
    with stop_signals(lambda: heard.append(1)) as asked:
        assert not asked()
        os.kill(os.getpid(), signal.SIGINT)
        assert asked()
        assert heard == [1]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["$x_$", "a run 😀", "line\nbreak", "\udcff"])
def test_curves_are_drawn_whatever_the_run_is_called(tmp_path, name):
    lines = [{"step": step, "evaluation": {name: {"fd": 1.0 / step}}} for step in (1, 2)]
    plots.write_curves(lines, tmp_path / "curves.png", title=name)
    assert (tmp_path / "curves.png").stat().st_size > 1_000


def test_nothing_is_set_up_for_measurements_that_never_come(small, monkeypatch):
    monkeypatch.setattr(build, "Evaluator", None)
    config = GanConfig(**small | {"evaluate_every": 0, "evaluate_with": ["pixels"]})
    assert build_evaluator(config, None, None, None, None) is None


def test_a_loss_that_is_no_number_in_mixed_precision_hints_at_full_precision(small):
    loop = object.__new__(_TrainingLoop)
    loop.config, loop.folder, loop.saved = GanConfig(**small | {"precision": "bf16"}), None, None
    message = str(loop._diverged("weights are not finite", 3))
    assert "there was no checkpoint yet. Start another run, with --precision full, or" in message


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"seed": 2**70}, "seed: expected at most 4,294,967,295"),
        ({"batch_size": 10**8}, "batch_size: expected at most 16,384"),
    ],
)
def test_a_seed_or_a_batch_beyond_all_bounds_is_refused(small, given, words):
    with pytest.raises(UsageError, match=words):
        GanConfig(**small | given)


def test_rejection_by_class_needs_a_model_and_images_with_classes(small, images):
    data = load_shared_images(str(images), size=16)
    by_class = small | {"reject_by_class": True}
    with pytest.raises(UsageError, match="dcgan is unconditional"):
        build_rejection(GanConfig(**by_class | {"model": "dcgan"}), data, None, None)
    none = replace(data, labels=None, classes=())
    with pytest.raises(UsageError, match="have no classes"):
        build_rejection(GanConfig(**by_class), none, None, None)


@pytest.mark.parametrize(
    ("changes", "options", "words"),
    [
        ({"tau": None}, ["backbone"], "--backbone: has no effect without a tau"),
        ({"tau": None}, ["reject_by_class"], "--reject-by-class: has no effect without a tau"),
        ({"tau": 0.1}, ["backbone", "mode"], None),
        ({"evaluate_every": 0}, ["test", "evaluate_every"], "--test: .*evaluate_every is 0"),
        ({"evaluate_with": []}, ["samples", "evaluate_with"], "--samples: .*evaluate_with is none"),
        ({"evaluate_with": [], "evaluate_every": 0}, ["evaluate_every", "evaluate_with"], None),
        ({"evaluate_with": ["pixels"]}, ["test"], None),
        ({"evaluate_every": 0}, [], None),  # what the file of a run says of its test images
    ],
)
def test_options_without_effect_are_refused(small, changes, options, words):
    config = GanConfig(**small | {"evaluate_with": ["pixels"], "test": "t"} | changes)
    given = {name: config.to_dict()[name] for name in options}
    if words is None:
        config.check_options(given)
        return
    with pytest.raises(UsageError, match=words):
        config.check_options(given)


def test_settings_of_a_rejection_are_refused_where_nothing_says_whether_there_is_one():
    values = {"model": "dcgan", "train": "-", "mode": "filter"}
    with pytest.raises(UsageError, match="mode: has no effect without a tau"):
        GanConfig(**values)
    assert GanConfig(**values, tau=None).mode == "filter"  # as the config.json of a run has it


def test_a_checkpoint_of_no_gan_is_an_error_that_names_the_file(tmp_path):
    from genmem.training.gan.sampling import load_generator

    path = tmp_path / checkpoint.CHECKPOINT_FILE
    whole = {"step": 1, "config": {"model": "dcgan"}, "classes": [], "images": "a"}
    whole |= {"rejection": None, "scaler": None}
    for wrong in (
        {"config": {"model": "vae"}},
        {"config": {"strange": 1}},
        {"classes": [1]},
        {"rejection": {"steps": "many"}},
        {"step": True},
    ):
        save_checkpoint(path, kind="gan", tensors={}, state=whole | wrong)
        with pytest.raises(InputError, match=r"checkpoint\.safetensors"):
            load_generator(tmp_path)
