"""What is refused before anything expensive is begun, and settings that go together or do not."""

import os
import signal
from dataclasses import replace

import numpy as np
import pytest

from genmem.errors import GenmemError, InputError, UsageError
from genmem.training.common import checkpoint
from genmem.training.common.checkpoint import Checkpoint, save_checkpoint
from genmem.training.common.dataset import load_shared_images
from genmem.training.common.signals import asked_to_stop
from genmem.training.gan import build, plots, train
from genmem.training.gan.build import make_accelerator, make_measuring, make_rejection
from genmem.training.gan.config import check_used, fixed, make_settings
from genmem.training.gan.train import _Run, begin
from genmem.training.gan.trainer import Training, check_same_run


def a_run_at_step(step, small, folder):
    """A folder with the checkpoint of a run of these settings."""
    settings = make_settings(small)
    data = load_shared_images(settings.data, size=settings.size)
    training = Training(settings, data, make_accelerator(settings, "cpu"), None)
    training.step_count = step
    folder.mkdir()
    training.save(folder / checkpoint.CHECKPOINT_FILE)


def a_folder_that_is_a_file(small, folder):
    folder.write_text("not a folder")
    return {}, "is a file"


def a_folder_below_a_file(small, folder):
    folder.parent.joinpath("file").write_text("not a folder")
    return {"out": folder.parent / "file" / "run"}, "is a file"


def a_batch_that_is_no_multiple(small, folder):
    return {"model": "biggan", "z": 7}, "z"


def a_run_that_is_at_its_last_step(small, folder):
    a_run_at_step(6, small, folder)
    return {"resume": True}, "at step 6 of 6 already"


def a_checkpoint_cut_short(small, folder):
    a_run_at_step(2, small, folder)
    path = folder / checkpoint.CHECKPOINT_FILE
    path.write_bytes(path.read_bytes()[:-10])
    return {"resume": True}, "cut short"


def a_checkpoint_of_another_program(small, folder):
    folder.mkdir()
    state = {"step": 1, "settings": {}, "classes": [], "rejection": None, "scaler": None}
    save_checkpoint(folder / checkpoint.CHECKPOINT_FILE, kind="gan", tensors={}, state=state)
    return {"resume": True}, r"checkpoint\.safetensors: .*images is missing"


def one_held_out_image(small, folder):
    np.save(folder.parent / "one.npy", np.zeros((1, 16, 16, 3), np.uint8))
    given = {"measure_every": 2, "measure_with": ["pixels"]}
    return given | {"test": str(folder.parent / "one.npy")}, "one.npy: expected at least 2 held-out"


def an_unknown_backbone_to_measure_in(small, folder):
    return {"measure_with": ["pixel"]}, "pixels"


def held_out_images_that_are_not_there(small, folder):
    return {"measure_with": ["pixels"], "test": "nowhere"}, "nowhere"


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

    monkeypatch.setattr(train, "make_rejection", embedded)
    monkeypatch.setattr(train, "make_measuring", embedded)
    settings = make_settings(small | given)
    with pytest.raises(GenmemError, match=words):
        begin(settings, out, resume=resume, device="cpu", progress=None, tell=None)


def test_a_resumed_run_goes_on_with_its_steps_of_rejection(small, tmp_path):
    settings = make_settings(small)
    data = load_shared_images(settings.data, size=settings.size)
    accelerator = make_accelerator(settings, "cpu")
    training = Training(
        settings, data, accelerator, make_rejection(settings, data, accelerator, None)
    )
    training.rejection.steps = training.step_count = 3
    (tmp_path / "run").mkdir()
    training.save(tmp_path / "run" / checkpoint.CHECKPOINT_FILE)
    again, _ = begin(
        settings, tmp_path / "run", resume=True, device="cpu", progress=None, tell=None
    )
    assert (again.step_count, again.rejection.steps) == (3, 3)


def test_notes_on_the_training_images_are_told(small, images, tmp_path, monkeypatch):
    data = load_shared_images(str(images), size=16)
    monkeypatch.setattr(
        train, "training_images", lambda *given: replace(data, notes=("mind this",))
    )
    told = []
    begin(
        make_settings(small | {"tau": None}),
        tmp_path / "run",
        resume=False,
        device="cpu",
        progress=None,
        tell=told.append,
    )
    assert told == ["mind this"]


def checkpoint_state(settings, **more):
    state = {"settings": fixed(settings.to_dict()), "images": "abc", **more}
    return Checkpoint(tensors={}, state=state, path="run/checkpoint.safetensors")


def test_a_run_goes_on_in_as_many_processes_as_it_began_in(small):
    settings = make_settings(small)
    saved = checkpoint_state(settings, processes=2)
    check_same_run(saved, settings, images="abc", processes=2)
    check_same_run(checkpoint_state(settings), settings, images="abc", processes=1)  # not told
    with pytest.raises(UsageError, match=r"in 2 processes, now there are 1.*nproc-per-node 2"):
        check_same_run(saved, settings, images="abc", processes=1)


def test_a_first_signal_is_heard_at_once():
    heard = []
    with asked_to_stop(lambda: heard.append(1)) as asked:
        assert not asked()
        os.kill(os.getpid(), signal.SIGINT)
        assert asked()
        assert heard == [1]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["$x_$", "a run 😀", "line\nbreak", "\udcff"])
def test_curves_are_drawn_whatever_the_run_is_called(tmp_path, name):
    lines = [{"step": step, "measured": {name: {"fd": 1.0 / step}}} for step in (1, 2)]
    plots.write_curves(lines, tmp_path / "curves.png", title=name)
    assert (tmp_path / "curves.png").stat().st_size > 1_000


def test_nothing_is_set_up_for_measurements_that_never_come(small, monkeypatch):
    monkeypatch.setattr(build, "Measuring", None)
    settings = make_settings(small | {"measure_every": 0, "measure_with": ["pixels"]})
    assert make_measuring(settings, None, None, None, None) is None


def test_a_loss_that_is_no_number_in_mixed_precision_hints_at_full_precision(small):
    run = object.__new__(_Run)
    run.settings, run.saved = make_settings(small | {"precision": "bf16"}), None
    message = str(run._not_finite("weights are no numbers any more", 3))
    assert "there was no checkpoint yet. Start another run, with --precision full, or" in message


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"seed": 2**70}, "seed: expected at most 4,294,967,295"),
        ({"batch": 10**8}, "batch: expected at most 16,384"),
    ],
)
def test_a_seed_or_a_batch_beyond_all_bounds_is_refused(small, given, words):
    with pytest.raises(UsageError, match=words):
        make_settings(small | given)


def test_rejection_by_class_needs_a_model_and_images_with_classes(small, images):
    data = load_shared_images(str(images), size=16)
    by_class = small | {"reject_by_class": True}
    with pytest.raises(UsageError, match="dcgan knows no classes"):
        make_rejection(make_settings(by_class | {"model": "dcgan"}), data, None, None)
    none = replace(data, labels=None, classes=())
    with pytest.raises(UsageError, match="have no classes"):
        make_rejection(make_settings(by_class), none, None, None)


@pytest.mark.parametrize(
    ("settings", "options", "config", "words"),
    [
        ({"tau": None}, ["embedding"], [], "--embedding: nothing is rejected"),
        ({"tau": None}, ["reject_by_class"], [], "--reject-by-class: nothing is rejected"),
        ({"tau": None}, [], ["mode"], r"mode \(in --config\): nothing is rejected"),
        ({"tau": None}, [], ["mode", "tau"], None),  # as the config.json of a run has it
        ({"tau": 0.1}, ["embedding", "mode"], [], None),
        ({"measure_every": 0}, ["test", "measure_every"], [], "--test: .*measure_every is 0"),
        ({"measure_with": []}, ["measure_images", "measure_with"], [], "--measure-images: .*names"),
        ({"measure_with": [], "measure_every": 0}, ["measure_every", "measure_with"], [], None),
        ({"measure_with": ["pixels"]}, ["test"], [], None),
        ({"measure_every": 0}, [], ["test", "measure_every"], None),
    ],
)
def test_settings_that_were_asked_for_and_do_nothing_are_refused(
    small, settings, options, config, words
):
    made = make_settings(small | {"measure_with": ["pixels"], "test": "t"} | settings)
    given = {name: made.to_dict()[name] for name in options}
    if words is None:
        check_used(made, given, config)
        return
    with pytest.raises(UsageError, match=words):
        check_used(made, given, config)


def test_a_checkpoint_of_no_gan_is_an_error_that_names_the_file(tmp_path):
    from genmem.training.gan.sampling import load_generator

    path = tmp_path / checkpoint.CHECKPOINT_FILE
    whole = {"step": 1, "settings": {"model": "dcgan"}, "classes": [], "images": "a"}
    whole |= {"rejection": None, "scaler": None}
    for wrong in (
        {"settings": {"model": "vae"}},
        {"settings": {"strange": 1}},
        {"classes": [1]},
        {"rejection": {"steps": "many"}},
        {"step": True},
    ):
        save_checkpoint(path, kind="gan", tensors={}, state=whole | wrong)
        with pytest.raises(InputError, match=r"checkpoint\.safetensors"):
            load_generator(tmp_path)
