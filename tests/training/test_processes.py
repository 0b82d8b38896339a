"""Two processes on the CPU, started by accelerate's own launcher for that."""

import pytest
import torch
from accelerate import debug_launcher
from accelerate.state import AcceleratorState, GradientState, PartialState

import genmem.training.gan.state as state_module
from genmem.training import MemorizationRejection, RejectsEverythingError
from genmem.training.gan import checkpoints, log
from genmem.training.gan.loop import train
from genmem.training.gan.settings import make_settings


def in_each(given, out, steps, rejects_in):
    """Train in this process, one of several; write what it ended with to a file of its own."""
    for kind in (AcceleratorState, GradientState, PartialState):
        kind._reset_state()
    ended = {}

    class Watched(state_module.Training):
        def step(self):
            losses = super().step()
            self.save(f"{out}-{self.accelerator.process_index}.safetensors")
            assert self.accelerator.num_processes == 2
            assert self.share == given["batch"] // 2
            return losses

    import genmem.training.gan.loop as loop

    loop.Training = Watched
    collect = MemorizationRejection._collect

    def sometimes(self, draw, count, labels):
        if PartialState().process_index in rejects_in:
            raise RejectsEverythingError("nothing passes here (acceptance 0 %)")
        return collect(self, draw, count, labels)

    MemorizationRejection._collect = sometimes
    try:
        for stop in steps:
            train(
                make_settings(given),
                out,
                resume=stop != steps[0],
                device="cpu",
                stop=lambda step, stop=stop: PartialState().process_index == 1 and step == stop,
            )
    except RejectsEverythingError as error:
        ended = {"error": str(error)}
    log.append(log_of(out, PartialState().process_index), ended)


def log_of(out, process):
    return out.parent / f"{out.name}-{process}.json"


@pytest.fixture(autouse=True)
def ready(monkeypatch):
    """One thread each; and what Adam imports (for seconds), imported before the processes fork."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    torch.optim.Adam([torch.zeros(1, requires_grad=True)])


def launch(given, out, *, steps=(0,), rejects_in=()):
    """What both processes ended with."""
    debug_launcher(in_each, (given, out, steps, rejects_in), num_processes=2)
    return [log.read(log_of(out, process))[0] for process in range(2)]


def tensors(out, process):
    return checkpoints.read_tensors(out.parent / f"{out.name}-{process}.safetensors")


def equal(first, second):
    """Whether two states are the same to the bit, but for the number of batches seen."""
    return first.keys() == second.keys() and all(
        torch.equal(first[name], second[name])
        for name in first
        if not name.endswith("num_batches_tracked")
    )


@pytest.mark.filterwarnings("ignore")
def test_two_processes_stay_equal_and_resume_to_the_bit(small, tmp_path):
    given = small | {"model": "biggan", "z": 6, "steps": 3}
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert launch(given, whole) == [{}, {}]
    assert equal(tensors(whole, 0), tensors(whole, 1))
    # Only one process is asked to stop: the other must follow, and both save the same.
    assert launch(given, parts, steps=(2, 0)) == [{}, {}]
    saved = checkpoints.read_tensors(whole / checkpoints.FILE)
    assert equal(saved, checkpoints.read_tensors(parts / checkpoints.FILE))
    assert equal(saved, tensors(whole, 1))


@pytest.mark.filterwarnings("ignore")
def test_a_process_in_which_nothing_passes_goes_on_with_the_others(small, tmp_path):
    out = tmp_path / "run"
    assert launch(small | {"steps": 2}, out, rejects_in=(1,)) == [{}, {}]
    assert equal(tensors(out, 0), tensors(out, 1))


@pytest.mark.filterwarnings("ignore")
def test_all_processes_stop_when_nothing_passes_in_any(small, tmp_path):
    ended = launch(small | {"steps": 1}, tmp_path / "run", rejects_in=(0, 1))
    assert [one["error"] for one in ended] == ["nothing passes here (acceptance 0 %)"] * 2
