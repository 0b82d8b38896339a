"""Worker processes: how runs end, and what the study learns of it."""

import os
import time

import pytest

from genmem.errors import InputError
from genmem.training.sweep.local_backend import LocalBackend, visible_gpus
from genmem.training.sweep.run_spec import RunSpec
from genmem.training.sweep.runner import MAX_ATTEMPTS, run_all

MODULE = """
import os
import time

from genmem.errors import InputError
from genmem.training.common.signals import stop_signals


def run(spec, *, progress=None, on_stop=None):
    print("a library's output")
    (spec.folder / "gpu").write_text(os.environ.get("CUDA_VISIBLE_DEVICES", "all"))
    task = spec.config["task"]
    (spec.folder / f"attempt-{time.time_ns()}").touch()
    if task == "fail":
        raise InputError("there are\\nno images")
    if task == "crash":
        raise RuntimeError("a bug")
    if task == "die":
        os.kill(os.getpid(), 9)
    with stop_signals() as stopped:
        (spec.folder / "ready").touch()
        progress("training", 1, 1)
        while task == "wait" and not stopped():
            time.sleep(0.01)
        (spec.folder / "saved").touch()
        return not stopped()
"""


@pytest.fixture
def spec(tmp_path, monkeypatch):
    """A function that builds a run, of a module that worker processes can import."""
    (tmp_path / "toy_runs.py").write_text(MODULE)
    search_path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    monkeypatch.setenv("PYTHONPATH", search_path)

    def build(name, task):
        return RunSpec(kind="toy_runs:run", config={"task": task}, folder=tmp_path / name)

    return build


def run(specs, backend, folder):
    waiting = {spec.folder: spec for spec in specs}
    run_all(
        lambda: list(waiting.values()),
        backend,
        folder=folder,
        on_finished=lambda spec: waiting.pop(spec.folder),
    )
    return waiting


def test_all_runs_finish_and_report_their_progress_whatever_they_print(spec, tmp_path):
    reports = []
    backend = LocalBackend(2, progress=lambda *report: reports.append(report))
    specs = [spec(name, "finish") for name in "abc"]
    assert run(specs, backend, tmp_path) == {}
    assert all((spec.folder / "saved").exists() for spec in specs)
    assert sorted(reports) == [("a", 1, 1), ("b", 1, 1), ("c", 1, 1)]


@pytest.mark.parametrize(
    ("task", "reason"), [("fail", "there are no images"), ("crash", "RuntimeError: a bug")]
)
def test_a_run_that_fails_ends_the_study_with_its_reason(spec, tmp_path, task, reason):
    with pytest.raises(InputError, match=f"bad: the run failed: {reason}"):
        run([spec("bad", task)], LocalBackend(1), tmp_path)


def test_a_run_whose_process_is_killed_is_started_again_a_few_times(spec, tmp_path):
    with pytest.raises(InputError, match=f"its process was killed {MAX_ATTEMPTS} times"):
        run([spec("a", "die")], LocalBackend(1), tmp_path)
    assert len(list((tmp_path / "a").glob("attempt-*"))) == MAX_ATTEMPTS


def test_a_backend_that_is_stopped_lets_its_runs_save(spec, tmp_path):
    stops = []
    backend = LocalBackend(1, on_stop=lambda: stops.append("stopping"))
    waiting = spec("a", "wait")
    backend.start(waiting)
    deadline = time.monotonic() + 120
    while not (waiting.folder / "ready").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    backend.stop()
    assert (waiting.folder / "saved").exists()
    assert stops == ["stopping"]


@pytest.mark.parametrize(
    ("setting", "count", "expected"),
    [
        (None, 2, ["0", "1"]),
        (None, 0, []),
        ("3", 1, ["3"]),
        ("5,2", 2, ["5", "2"]),
        ("GPU-8932f937, GPU-1f2e", 2, ["GPU-8932f937", "GPU-1f2e"]),
        ("2,-1,1", 1, ["2"]),  # what follows an invalid number is not visible
        ("", 0, []),
    ],
)
def test_the_gpus_are_those_that_cuda_visible_devices_names(setting, count, expected, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if setting is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", setting)
    monkeypatch.setattr("torch.cuda.device_count", lambda: count)
    assert visible_gpus() == expected


def test_worker_processes_take_the_gpus_in_turn(spec, tmp_path):
    specs = [spec(name, "wait") for name in "abc"]
    backend = LocalBackend(3, gpus=["5", "2"])
    for one in specs:
        backend.start(one)
    while not all((one.folder / "ready").exists() for one in specs):
        time.sleep(0.01)
    backend.stop()
    assert [(one.folder / "gpu").read_text() for one in specs] == ["5", "2", "5"]
