"""The backend's answers, with a stand-in for Ray that does each task at once in this process."""

import sys
from types import SimpleNamespace

import pytest

from genmem.errors import InputError
from genmem.training.sweep import ray_backend
from genmem.training.sweep.ray_backend import RayBackend
from genmem.training.sweep.run_spec import RunSpec
from genmem.training.sweep.runner import MAX_ATTEMPTS, StoppedError


class LostError(Exception):
    """Of a machine that is lost."""


class FakeRay:
    """Ray's functions that the backend calls."""

    exceptions = SimpleNamespace(RayError=LostError)

    def __init__(self, resources):
        self.resources = resources
        self.options, self.results, self.cancelled = [], {}, []
        self.running, self.ended = False, []

    def is_initialized(self):
        return self.running

    def init(self, **options):
        self.running = True

    def shutdown(self):
        self.running = False

    def cluster_resources(self):
        return self.resources

    def remote(self, **options):
        self.options.append(options)

        def decorate(function):
            def start(document):
                self.results[len(self.results)] = (function, document)
                return len(self.results) - 1

            return SimpleNamespace(remote=start)

        return decorate

    def wait(self, tasks, num_returns, timeout=None):
        if timeout == 0:
            ended = [task for task in tasks if task in self.ended]
            return ended, [task for task in tasks if task not in ended]
        return tasks[:num_returns], tasks[num_returns:]

    def get(self, task):
        function, document = self.results[task]
        return function(document)

    def cancel(self, task):
        self.cancelled.append(task)


@pytest.fixture
def spec(tmp_path):
    return RunSpec(kind="toy:run", config={}, folder=tmp_path / "a", device="auto")


def build(monkeypatch, resources, outcome):
    ray = FakeRay(resources)
    monkeypatch.setitem(sys.modules, "ray", ray)

    def execute(spec):
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(ray_backend, "execute", execute)
    return ray, RayBackend("local", device="auto", threads=2)


def test_a_place_is_a_gpu_or_else_some_cpus(monkeypatch, spec):
    for resources, places, gpus in (({"GPU": 3, "CPU": 8}, 3, 1), ({"CPU": 8}, 4, 0)):
        ray, backend = build(monkeypatch, resources, True)
        assert backend.places == places
        backend.start(spec)
        options = ray.options[0]
        assert (options["num_gpus"], options["max_retries"]) == (gpus, MAX_ATTEMPTS - 1)
        assert options["num_cpus"] == (1 if gpus else 2)
        assert backend.wait() == spec


@pytest.mark.parametrize(
    ("outcome", "error", "words"),
    [
        (False, StoppedError, "stopped after saving"),
        (InputError("no images"), InputError, "a: the run failed: no images"),
        (LostError("node died"), InputError, "its machine was lost .* node died"),
    ],
)
def test_a_run_that_is_not_finished_ends_the_study(monkeypatch, spec, outcome, error, words):
    _, backend = build(monkeypatch, {"CPU": 2}, outcome)
    backend.start(spec)
    with pytest.raises(error, match=words):
        backend.wait()


def test_a_backend_that_is_stopped_cancels_what_runs_and_ends_its_own_cluster(monkeypatch, spec):
    ray, backend = build(monkeypatch, {"CPU": 4}, True)
    backend.start(spec)
    backend.start(spec)
    ray.ended = [0]
    backend.stop()
    assert ray.cancelled == [1]
    assert not ray.running
