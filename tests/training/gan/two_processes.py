"""Train in two processes: started by the test beside this file, in a Python of its own.

Accelerate's launcher for the CPU forks, which torch forbids once gradients were computed in
threads.
"""

import json
import sys
from pathlib import Path

import torch
from accelerate import debug_launcher
from accelerate.state import AcceleratorState, GradientState, PartialState

from genmem.training import MemorizationRejection, RejectsEverythingError
from genmem.training.gan.config import GanConfig
from genmem.training.gan.train import train
from genmem.training.gan.trainer import GanTrainer


def in_each(given, out, steps, rejects_in):
    """Train in this process, one of several; write what it ended with to a file of its own."""
    for kind in (AcceleratorState, GradientState, PartialState):
        kind._reset_state()
    ended = {}

    class Watched(GanTrainer):
        def step(self):
            losses = super().step()
            self.save(f"{out}-{self.accelerator.process_index}.safetensors")
            assert self.accelerator.num_processes == 2
            assert self.share == given["batch_size"] // 2
            return losses

    import genmem.training.gan.train as train_module

    train_module.GanTrainer = Watched
    collect = MemorizationRejection._collect

    def sometimes(self, draw, count, labels):
        if PartialState().process_index in rejects_in:
            raise RejectsEverythingError("nothing passes here (acceptance 0 %)")
        return collect(self, draw, count, labels)

    MemorizationRejection._collect = sometimes
    try:
        for stop in steps:
            train(
                GanConfig(**given),
                out,
                resume=stop != steps[0],
                device="cpu",
                stop=lambda step, stop=stop: PartialState().process_index == 1 and step == stop,
            )
    except RejectsEverythingError as error:
        ended = {"error": str(error)}
    log_of(out, PartialState().process_index).write_text(json.dumps(ended))


def log_of(out, process):
    return out.parent / f"{out.name}-{process}.json"


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    # What Adam imports (for seconds), imported before the processes fork.
    torch.optim.Adam([torch.zeros(1, requires_grad=True)])
    arguments = (asked["given"], Path(asked["out"]), asked["steps"], asked["rejects_in"])
    debug_launcher(in_each, arguments, num_processes=2)
