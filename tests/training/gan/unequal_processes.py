"""One generator step in two processes, of which one accepts three images and the other one.

Started by test_step.py in a Python of its own. Each process writes the gradient that its step took,
and that of −Σ D(x) over its own accepted images, computed apart.
"""

import copy
import json
import sys
from pathlib import Path

import numpy as np
import torch
from accelerate import debug_launcher
from accelerate.state import AcceleratorState, GradientState, PartialState

from genmem.training.common.dataset import TrainingImages
from genmem.training.common.distributed import build_accelerator
from genmem.training.gan.config import GanConfig
from genmem.training.gan.trainer import GanTrainer

KEPT = ([0, 1, 2], [3])
"""By process, of the four images that each draws."""


class Unequal:
    """Accepts other images in each process, and keeps what the step begins with."""

    def __init__(self, process):
        self.kept = KEPT[process]

    def sample_labelled(self, draw, labels):
        training = self.training
        self.networks = copy.deepcopy((training.generator, training.discriminator))
        self.labels = labels
        return draw(labels)[self.kept], labels[self.kept]


def flat(module):
    return torch.cat([parameter.grad.flatten() for parameter in module.parameters()]).tolist()


def in_each(folder):
    for kind in (AcceleratorState, GradientState, PartialState):
        kind._reset_state()
    pixels = np.random.default_rng(0).integers(0, 256, (8, 3, 16, 16), dtype=np.uint8)
    data = TrainingImages(
        pixels=pixels,
        labels=None,
        classes=(),
        ids=tuple("abcdefgh"),
        name="noise",
        duplicates=0,
        notes=(),
    )
    given = {"model": "dcgan", "train": "-", "size": 16, "width": 4, "z_dim": 8, "batch_size": 8}
    config = GanConfig(**given | {"discriminator_steps": 1, "flips": False, "tau": 0.1})
    accelerator = build_accelerator(device="cpu", precision="full", batch_size=8)
    process = accelerator.process_index
    stub = Unequal(process)
    stub.training = training = GanTrainer(config, data, accelerator, stub)
    training.step()
    # The same draws: labels and noise of the discriminator's step, then of the generator's.
    rng = np.random.default_rng([config.seed, 0, 0, process])
    for _ in range(2):
        labels = torch.from_numpy(rng.integers(1, size=4))
        noise = torch.from_numpy(rng.standard_normal((4, 8), dtype=np.float32))
    assert torch.equal(labels, stub.labels)
    generator, discriminator = stub.networks
    generator.zero_grad()
    accepted = generator(noise, labels)[stub.kept]
    (-discriminator(accepted, labels[stub.kept]).sum()).backward()
    found = {
        "count": len(accepted),
        "gradient_taken": flat(training.generator),
        "gradient_of_sum": flat(generator),
    }
    (folder / f"{process}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    # What Adam imports (for seconds), imported before the processes fork.
    torch.optim.Adam([torch.zeros(1, requires_grad=True)])
    debug_launcher(in_each, (Path(sys.argv[1]),), num_processes=2)
