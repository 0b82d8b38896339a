"""Two processes on the CPU, started by accelerate's own launcher for that."""

import json
from pathlib import Path

import torch

from genmem.training.common import checkpoint
from genmem.training.common.checkpoint import load_checkpoint
from genmem.training.common.run_log import read_log

from ..launcher import run_program

PROGRAM = Path(__file__).with_name("two_processes.py")


def launch(given, out, *, steps=(0,), rejects_in=()):
    """What both processes ended with."""
    asked = {"given": given, "out": out, "steps": steps, "rejects_in": rejects_in}
    run_program(PROGRAM, json.dumps(asked, default=str))
    written = [out.parent / f"{out.name}-{process}.json" for process in range(2)]
    return [json.loads(path.read_text()) for path in written]


def saved(path):
    return load_checkpoint(path, kind="gan").tensors


def tensors(out, process):
    return saved(out.parent / f"{out.name}-{process}.safetensors")


def equal(first, second):
    """Whether two states are the same to the bit, but for the number of batches seen."""
    return first.keys() == second.keys() and all(
        torch.equal(first[name], second[name])
        for name in first
        if not name.endswith("num_batches_tracked")
    )


def test_two_processes_stay_equal_and_resume_to_the_bit(small, tmp_path):
    given = small | {"model": "biggan", "z_dim": 6, "steps": 3, "log_every": 1}
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert launch(given, whole) == [{}, {}]
    assert equal(tensors(whole, 0), tensors(whole, 1))
    # Only one process is asked to stop: the other must follow, and both save the same.
    assert launch(given, parts, steps=(2, 0)) == [{}, {}]
    kept = saved(whole / checkpoint.CHECKPOINT_FILE)
    assert equal(kept, saved(parts / checkpoint.CHECKPOINT_FILE))
    assert equal(kept, tensors(whole, 1))
    # What was rejected is told of the images of both: two in each, and two more a redraw.
    rejected = [line["rejection"] for line in read_log(whole / "log.jsonl")]
    assert [one["images"] for one in rejected] == [4 + 2 * one["redraws"] for one in rejected]
    assert load_checkpoint(whole / checkpoint.CHECKPOINT_FILE, kind="gan").state["processes"] == 2


def test_a_process_in_which_nothing_passes_goes_on_with_the_others(small, tmp_path):
    out = tmp_path / "run"
    assert launch(small | {"steps": 2}, out, rejects_in=(1,)) == [{}, {}]
    assert equal(tensors(out, 0), tensors(out, 1))


def test_all_processes_stop_when_nothing_passes_in_any(small, tmp_path):
    ended = launch(small | {"steps": 1}, tmp_path / "run", rejects_in=(0, 1))
    assert all(one["error"].startswith("nothing passes here (acceptance 0 %)") for one in ended)
