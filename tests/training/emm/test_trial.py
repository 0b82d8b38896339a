"""Real trainings of a tiny network, interrupted in every way."""

import json
import os
import signal
import subprocess
import time
from dataclasses import replace

import numpy as np
import pytest

from genmem.errors import InputError
from genmem.training.common.run_folder import DivergedError
from genmem.training.emm import trial
from genmem.training.emm.results import summarize_study
from genmem.training.emm.study import EmmStudy
from genmem.training.emm.trial import RUN_KIND, Trial, load_result
from genmem.training.sweep.local_backend import InProcess, LocalBackend
from genmem.training.sweep.run_spec import RunSpec, execute
from genmem.training.sweep.runner import StoppedError

from .factories import FakeBackend, with_training


class Killed(BaseException):
    """Nothing heeds it, so nothing is saved: as good as SIGKILL for what is on the disk."""


def numbers(study):
    return json.dumps(summarize_study(study).to_dict())


@pytest.fixture
def small(study_config):
    return study_config(factors=(("labels", ("none", "random:2")),), sizes=(4, 8, 16))


def test_a_study_interrupted_ten_times_anywhere_ends_with_the_same_numbers(small, tmp_path):
    whole = EmmStudy(small, tmp_path / "whole", threads=1)
    calls = []
    whole.run(InProcess(progress=lambda *report: calls.append(report)), device="cpu")
    rng, killed = np.random.default_rng(0), 0
    lengths = rng.integers(1, len(calls) // 8, 10).tolist()
    for length in lengths:
        cut = EmmStudy(small, tmp_path / "cut", threads=1)
        left = [length]

        def progress(*report, left=left):
            left[0] -= 1
            if left[0] == 0:
                raise Killed

        with pytest.raises(Killed):
            cut.run(InProcess(progress=progress), device="cpu")
        killed += 1
    last = EmmStudy(small, tmp_path / "cut", threads=1)
    last.run(InProcess(), device="cpu")
    assert killed == 10
    assert numbers(last) == numbers(whole)


def test_a_signal_saves_and_the_same_study_goes_on(small, tmp_path):
    whole, cut = (EmmStudy(small, tmp_path / name, threads=1) for name in ("whole", "cut"))
    whole.run(InProcess(), device="cpu")

    def progress(stage, done, total):
        if stage == "training" and done == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(StoppedError):
        cut.run(InProcess(progress=progress), device="cpu")
    checkpoint = next((tmp_path / "cut").glob("trials/*/checkpoint.safetensors"))
    assert not (checkpoint.parent / "result.json").exists()
    cut.run(InProcess(), device="cpu")
    assert numbers(cut) == numbers(whole)


def test_a_signal_while_the_last_snapshot_is_measured_keeps_the_next_training_from_beginning(
    small, tmp_path
):
    whole, cut = (EmmStudy(small, tmp_path / name, threads=1) for name in ("whole", "cut"))
    stages = []
    whole.run(InProcess(progress=lambda stage, *rest: stages.append(stage)), device="cpu")
    last = [stage for stage in stages if stage.startswith("sampling after")][-1]

    def progress(stage, done, total):
        if stage == last and done == total:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(StoppedError):
        cut.run(InProcess(progress=progress), device="cpu")
    assert len(list((tmp_path / "cut" / "trials").iterdir())) == 1
    cut.run(InProcess(), device="cpu")
    assert numbers(cut) == numbers(whole)


def test_a_process_that_is_killed_is_started_again_with_the_same_numbers(
    study_config, tmp_path, monkeypatch
):
    slow = with_training(steps=30, snapshots=10, samples=2)
    config = study_config(base=slow, sizes=(4,), every_size=True)
    whole, cut = (EmmStudy(config, tmp_path / name, threads=1) for name in ("whole", "cut"))
    whole.run(InProcess(), device="cpu")
    backend, started, killed = LocalBackend(1), [], []
    real = subprocess.Popen

    def popen(*args, **options):
        process = real(*args, **options)
        started.append(process)
        return process

    monkeypatch.setattr(subprocess, "Popen", popen)
    sleep = time.sleep

    def kill_one_that_trains(seconds):
        sleep(seconds)
        if not killed and any((tmp_path / "cut").glob("trials/*/snapshots/*")):
            started[0].kill()
            killed.append(started[0])

    monkeypatch.setattr(time, "sleep", kill_one_that_trains)
    cut.run(backend, device="cpu")
    assert len(started) == 2
    assert killed[0].returncode == -signal.SIGKILL
    assert numbers(cut) == numbers(whole)


def test_a_trial_measures_its_snapshots_and_keeps_only_the_best(study_config, tmp_path):
    study = EmmStudy(study_config(sizes=(8,), seeds=1), tmp_path / "s", threads=1)
    study.run(InProcess(), device="cpu")
    (folder,) = (tmp_path / "s" / "trials").iterdir()
    found = load_result(folder)
    assert [snapshot.step for snapshot in found.snapshots] == [3, 6]
    assert found.ratio == max(snapshot.ratio for snapshot in found.snapshots)
    remaining = [path.stem for path in (folder / "snapshots").iterdir()]
    assert remaining == [f"{found.step:08d}"]
    assert not (folder / "checkpoint.safetensors").exists()
    samples = found.memorized_samples
    assert [one.ratio for one in samples] == sorted(one.ratio for one in samples)
    for one in samples:
        assert one.ratio == pytest.approx(one.d1 / one.d2, abs=1e-3)
        assert one.nearest != one.second


def test_a_finished_trial_is_read_not_done(study_config, tmp_path, monkeypatch):
    study = EmmStudy(study_config(sizes=(8,), seeds=1), tmp_path / "s", threads=1)
    study.run(InProcess(), device="cpu")
    (folder,) = (tmp_path / "s" / "trials").iterdir()
    result = load_result(folder)
    monkeypatch.setattr(trial, "train", lambda *_: pytest.fail("it was trained again"))
    assert execute(RunSpec(kind=RUN_KIND, config={}, folder=folder))
    assert load_result(folder) == result


def test_a_trial_comes_back_from_its_json_and_its_run_spec(study_config, tmp_path):
    study = EmmStudy(study_config(factors=(("skips", ("4",)),)), tmp_path / "s", threads=1)
    trial = study.trial(("skips", "4"), 8, 1)
    spec = study.run_spec(trial, "cpu")
    again = RunSpec.from_dict(json.loads(json.dumps(spec.to_dict())))
    assert again == spec
    assert Trial.from_dict(again.config) == trial
    trial.save(tmp_path / "trial.json")
    assert Trial.load(tmp_path / "trial.json") == trial


def test_a_failed_training_ends_the_study_with_its_reason(study_config, tmp_path):
    config = study_config(base=with_training(learning_rate=1e30), sizes=(4,), seeds=1)
    with pytest.raises(DivergedError, match="the loss became"):
        EmmStudy(config, tmp_path / "s", threads=1).run(InProcess(), device="cpu")


@pytest.mark.parametrize("change", ["another image", "one image less", "another order"])
def test_images_that_changed_since_the_study_began_are_refused(
    change, study_config, images, tmp_path
):
    study = EmmStudy(study_config(sizes=(4,), seeds=1), tmp_path / "s", threads=1)
    first = images / "a" / "00.png"
    if change == "another image":
        first.write_bytes((images / "b" / "01.png").read_bytes())
    elif change == "one image less":
        first.unlink()
    else:
        first.rename(images / "a" / "99.png")
    with pytest.raises(InputError, match=r"expected the 26 images that the study began with"):
        study.run(InProcess(), device="cpu")


def test_the_error_of_a_worker_process_is_the_study_s_error(study_config, tmp_path):
    config = study_config(base=with_training(learning_rate=1e30), sizes=(4,), seeds=1)
    with pytest.raises(InputError, match="the loss became"):
        EmmStudy(config, tmp_path / "s", threads=1).run(LocalBackend(1), device="cpu")


def test_the_leftovers_of_a_trial_killed_just_when_it_had_finished_are_deleted(
    study_config, tmp_path, monkeypatch
):
    study = EmmStudy(study_config(sizes=(8,), seeds=1), tmp_path / "s", threads=1)

    def killed(folder, *, keep):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(trial, "prune_snapshots", killed)
        with pytest.raises(Killed):
            study.run(InProcess(), device="cpu")
    folder = study.trial_folder(study.trial(("", ""), 8, 0))
    found = load_result(folder)
    assert (folder / "checkpoint.safetensors").exists()
    study.run(InProcess(), device="cpu")
    assert load_result(folder) == found
    remaining = [path.name for path in folder.rglob("*.safetensors")]
    assert remaining == [f"{found.step:08d}.safetensors"]


def test_a_ratio_that_was_lost_from_the_log_is_measured_again(study_config, tmp_path):
    study = EmmStudy(study_config(sizes=(8,), seeds=1), tmp_path / "s", threads=1)
    trial = study.trial(("", ""), 8, 0)
    spec = study.run_spec(trial, "cpu")
    whole, broken = (replace(spec, folder=tmp_path / name) for name in ("whole", "cut"))

    def cut(stage, done, total):
        if stage.startswith("sampling after 6"):  # the first ratio, of step 3, is in the log
            raise Killed

    with pytest.raises(Killed):
        execute(broken, progress=cut)
    log = broken.folder / "log.jsonl"
    lines = log.read_text().splitlines(keepends=True)
    remaining = [line for line in lines if "memorization_ratio" not in line]
    assert len(remaining) < len(lines)
    log.write_text("".join(remaining) + '{"step": 3, "memorization_ratio": {}}\n')
    assert execute(broken)
    assert execute(whole)
    assert load_result(broken.folder) == load_result(whole.folder)


DAMAGED = [
    {"ratio": 2.5},
    {"ratio": float("nan")},
    {"snapshots": []},
    {"snapshots": [1]},
    {"memorized_samples": [{}]},
    {"memorized_samples": [3]},
]


@pytest.mark.parametrize("change", DAMAGED)
def test_a_result_with_a_damaged_part_is_refused(study_config, tmp_path, change):
    study = EmmStudy(study_config(sizes=(8,), seeds=1), tmp_path / "s", threads=1)
    study.run(FakeBackend(lambda *_: 0.5))
    path = study.trial_folder(study.trial(("", ""), 8, 0)) / "result.json"
    whole = json.loads(path.read_text())
    assert load_result(path.parent).to_dict() == whole
    path.write_text(json.dumps(whole | change))
    with pytest.raises(InputError, match="Delete its folder to do the trial again"):
        load_result(path.parent)


@pytest.mark.parametrize("content", ["[]", "{}", '{"ratio": "half"}', "{", "[" * 100_000])
def test_a_damaged_result_names_the_folder_to_delete(study_config, tmp_path, content):
    study = EmmStudy(study_config(sizes=(8,), seeds=1), tmp_path / "s", threads=1)
    trial = study.trial(("", ""), 8, 0)
    folder = study.trial_folder(trial)
    folder.mkdir()
    (folder / "result.json").write_text(content)
    with pytest.raises(InputError, match="Delete its folder to do the trial again"):
        summarize_study(study)
    (folder / "trial.json").write_text(content)
    with pytest.raises(InputError, match=r"trial\.json: cannot be read"):
        Trial.load(folder / "trial.json")
