"""Real trainings of a tiny network, interrupted in every way."""

import json
import os
import signal
import subprocess
import time

import numpy as np
import pytest

from genmem.errors import InputError
from genmem.training.common.run_folder import DivergedError
from genmem.training.emm import trial
from genmem.training.emm.results import findings
from genmem.training.emm.study import Study
from genmem.training.emm.trial import do_trial, outcome, read_task, write_task
from genmem.training.sweep.pool import InProcess, Processes, StoppedError

from .small_models import Curve, with_training


class Killed(BaseException):
    """Nothing heeds it, so nothing is saved: as good as SIGKILL for what is on the disk."""


def numbers(study):
    return json.dumps(findings(study))


@pytest.fixture
def small(request_of):
    return request_of(factors=(("labels", ("none", "random:2")),), sizes=(4, 8, 16))


def test_a_study_interrupted_ten_times_anywhere_ends_with_the_same_numbers(small, tmp_path):
    whole = Study(small, tmp_path / "whole", threads=1)
    calls = []
    whole.go(InProcess(device="cpu", progress=lambda *told: calls.append(told)))
    rng, killed = np.random.default_rng(0), 0
    lengths = rng.integers(1, len(calls) // 8, 10).tolist()
    for length in lengths:
        cut = Study(small, tmp_path / "cut", threads=1)
        left = [length]

        def progress(*told, left=left):
            left[0] -= 1
            if left[0] == 0:
                raise Killed

        with pytest.raises(Killed):
            cut.go(InProcess(device="cpu", progress=progress))
        killed += 1
    last = Study(small, tmp_path / "cut", threads=1)
    last.go(InProcess(device="cpu"))
    assert killed == 10
    assert numbers(last) == numbers(whole)


def test_a_signal_saves_and_the_same_study_goes_on(small, tmp_path):
    whole, cut = (Study(small, tmp_path / name, threads=1) for name in ("whole", "cut"))
    whole.go(InProcess(device="cpu"))

    def progress(stage, done, total):
        if stage == "training" and done == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(StoppedError):
        cut.go(InProcess(device="cpu", progress=progress))
    checkpoint = next((tmp_path / "cut").glob("trials/*/checkpoint.safetensors"))
    assert not (checkpoint.parent / "outcome.json").exists()
    cut.go(InProcess(device="cpu"))
    assert numbers(cut) == numbers(whole)


def test_a_signal_while_the_last_snapshot_is_measured_keeps_the_next_training_from_beginning(
    small, tmp_path
):
    whole, cut = (Study(small, tmp_path / name, threads=1) for name in ("whole", "cut"))
    stages = []
    whole.go(InProcess(device="cpu", progress=lambda stage, *rest: stages.append(stage)))
    last = [stage for stage in stages if stage.startswith("sampling after")][-1]

    def progress(stage, done, total):
        if stage == last and done == total:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(StoppedError):
        cut.go(InProcess(device="cpu", progress=progress))
    assert len(list((tmp_path / "cut" / "trials").iterdir())) == 1
    cut.go(InProcess(device="cpu"))
    assert numbers(cut) == numbers(whole)


def test_processes_that_are_killed_are_begun_again_with_the_same_numbers(
    request_of, tmp_path, monkeypatch
):
    slow = with_training(steps=30, snapshots=10, samples=2)
    request = request_of(base=slow, sizes=(4,), every_size=True)
    whole, cut = (Study(request, tmp_path / name, threads=1) for name in ("whole", "cut"))
    whole.go(InProcess(device="cpu"))
    workers, started, killed = Processes(2, device="cpu"), [], []
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
    cut.go(workers)
    assert len(started) == 3
    assert killed[0].returncode == -signal.SIGKILL
    assert numbers(cut) == numbers(whole)


def test_a_trial_measures_its_snapshots_and_keeps_only_the_best(request_of, tmp_path):
    study = Study(request_of(sizes=(8,), seeds=1), tmp_path / "s", threads=1)
    study.go(InProcess(device="cpu"))
    (folder,) = (tmp_path / "s" / "trials").iterdir()
    found = outcome(folder)
    assert [one["step"] for one in found["snapshots"]] == [3, 6]
    assert found["ratio"] == max(one["ratio"] for one in found["snapshots"])
    kept = [path.stem for path in (folder / "snapshots").iterdir()]
    assert kept == [f"{found['step']:08d}"]
    assert not (folder / "checkpoint.safetensors").exists()
    shown = found["exhibits"]
    assert [one["ratio"] for one in shown] == sorted(one["ratio"] for one in shown)
    for one in shown:
        assert one["ratio"] == pytest.approx(one["d1"] / one["d2"], abs=1e-3)
        assert one["nearest"] != one["second"]


def test_a_finished_trial_is_read_not_done(request_of, tmp_path, monkeypatch):
    study = Study(request_of(sizes=(8,), seeds=1), tmp_path / "s", threads=1)
    study.go(InProcess(device="cpu"))
    (folder,) = (tmp_path / "s" / "trials").iterdir()
    monkeypatch.setattr(trial, "train", lambda *_: pytest.fail("it was trained again"))
    assert do_trial(folder) == outcome(folder)


def test_a_task_comes_back_from_its_file(request_of, tmp_path):
    study = Study(request_of(factors=(("skips", ("4",)),)), tmp_path / "s", threads=1)
    trial = study.trial(("skips", "4"), 8, 1)
    write_task(tmp_path / "t", trial)
    assert read_task(tmp_path / "t") == trial
    (tmp_path / "t" / "task.json").write_text("{")
    with pytest.raises(InputError, match="Delete its folder"):
        read_task(tmp_path / "t")


def test_a_training_that_cannot_be_done_ends_the_study_with_its_reason(request_of, tmp_path):
    request = request_of(base=with_training(learning_rate=1e30), sizes=(4,), seeds=1)
    with pytest.raises(DivergedError, match="the loss became"):
        Study(request, tmp_path / "s", threads=1).go(InProcess(device="cpu"))


def test_a_worker_says_why_it_cannot_and_that_is_the_study_s_error(request_of, tmp_path):
    request = request_of(base=with_training(learning_rate=1e30), sizes=(4,), seeds=1)
    with pytest.raises(InputError, match="the loss became"):
        Study(request, tmp_path / "s", threads=1).go(Processes(1, device="cpu"))


def test_what_a_trial_left_that_was_killed_when_it_had_finished_is_cleared_away(
    request_of, tmp_path, monkeypatch
):
    study = Study(request_of(sizes=(8,), seeds=1), tmp_path / "s", threads=1)

    def killed(folder, *, keep):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(trial, "tidy", killed)
        with pytest.raises(Killed):
            study.go(InProcess(device="cpu"))
    folder = study.place(study.trial(("", ""), 8, 0))
    found = outcome(folder)
    assert (folder / "checkpoint.safetensors").exists()
    study.go(InProcess(device="cpu"))
    assert outcome(folder) == found
    kept = [path.name for path in folder.rglob("*.safetensors")]
    assert kept == [f"{found['step']:08d}.safetensors"]


def test_a_ratio_that_was_lost_from_the_log_is_measured_again(request_of, tmp_path):
    study = Study(request_of(sizes=(8,), seeds=1), tmp_path / "s", threads=1)
    trial = study.trial(("", ""), 8, 0)
    folders = [tmp_path / name for name in ("whole", "cut")]
    for folder in folders:
        write_task(folder, trial)

    def cut(stage, done, total):
        if stage.startswith("sampling after 6"):  # the first ratio, of step 3, is in the log
            raise Killed

    with pytest.raises(Killed):
        do_trial(folders[1], device="cpu", progress=cut)
    log = folders[1] / "log.jsonl"
    lines = log.read_text().splitlines(keepends=True)
    kept = [line for line in lines if "memorization_ratio" not in line]
    assert len(kept) < len(lines)
    log.write_text("".join(kept) + '{"step": 3, "memorization_ratio": {}}\n')
    assert do_trial(folders[1], device="cpu") == do_trial(folders[0], device="cpu")


DAMAGED = [
    {"ratio": 2.5},
    {"ratio": float("nan")},
    {"snapshots": []},
    {"snapshots": [1]},
    {"exhibits": [{}]},
    {"exhibits": [3]},
]


@pytest.mark.parametrize("change", DAMAGED)
def test_an_outcome_with_a_damaged_part_is_refused(request_of, tmp_path, change):
    study = Study(request_of(sizes=(8,), seeds=1), tmp_path / "s", threads=1)
    study.go(Curve(lambda *_: 0.5))
    path = study.place(study.trial(("", ""), 8, 0)) / "outcome.json"
    whole = json.loads(path.read_text())
    assert outcome(path.parent) == whole
    path.write_text(json.dumps(whole | change))
    with pytest.raises(InputError, match="Delete its folder to do the trial anew"):
        outcome(path.parent)


@pytest.mark.parametrize("content", ["[]", "{}", '{"ratio": "half"}', "{", "[" * 100_000])
def test_a_damaged_outcome_or_task_says_what_to_delete(request_of, tmp_path, content):
    study = Study(request_of(sizes=(8,), seeds=1), tmp_path / "s", threads=1)
    trial = study.trial(("", ""), 8, 0)
    folder = study.place(trial)
    write_task(folder, trial)
    (folder / "outcome.json").write_text(content)
    with pytest.raises(InputError, match="Delete its folder to do the trial anew"):
        findings(study)
    (folder / "task.json").write_text(content)
    with pytest.raises(InputError, match="Delete its folder to do the trial anew"):
        read_task(folder)
