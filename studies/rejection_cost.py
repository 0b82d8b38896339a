"""The cost of memorization rejection per training step, by model and backbone.

    python -m studies.rejection_cost [--models dcgan,sagan,biggan] [--backbone A,B] [--rows 50000]

The models are those of the paper at 32 × 32, with its configuration (batch 64, five discriminator
steps per generator step). Steps without and with rejection take turns, so that a busy moment of the
machine affects both; a ratio is of medians. Training images are noise, and so are the training
features, as many rows as CIFAR-10 has. No image is rejected; the exact search compares all rows.
Prints Markdown.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch

from genmem.training.common.dataset import TrainingImages
from genmem.training.common.distributed import build_accelerator
from genmem.training.gan.config import GanConfig
from genmem.training.gan.trainer import GanTrainer
from genmem.training.rejection.embedding import embed, open_backbone
from genmem.training.rejection.rejection import MemorizationRejection

IMAGES, CLASSES, TAU = 640, 10, 0.001
BACKBONES = ("pixels", "efficientnet-lite0@32", "efficientnet-lite0@64", "efficientnet-lite0")
STEPS = {"dcgan": 24, "sagan": 4, "biggan": 2}
"""Timed steps of each kind, after one that is not timed."""


def noise_images() -> TrainingImages:
    """Training images of the right shape."""
    rng = np.random.default_rng(0)
    return TrainingImages(
        pixels=rng.integers(0, 256, (IMAGES, 3, 32, 32), np.uint8),
        labels=np.arange(IMAGES) % CLASSES,
        classes=tuple(f"class {number}" for number in range(CLASSES)),
        ids=tuple(str(number) for number in range(IMAGES)),
        name="noise",
        duplicates=0,
        notes=(),
    )


def noise_rejection(backbone: str, rows: int) -> MemorizationRejection:
    """Rejection against this many rows of noise."""
    module, _ = open_backbone(backbone)
    dimension = embed(module, torch.zeros(1, 3, 32, 32, dtype=torch.uint8)).shape[1]
    features = np.random.default_rng(1).standard_normal((rows, dimension), np.float32)
    return MemorizationRejection(features, backbone=backbone, tau=TAU, search="exact")


def step_seconds(
    config: GanConfig, rejections: dict[str, MemorizationRejection]
) -> dict[str, float]:
    """Median seconds of a step without rejection ("") and with each, in turns."""
    accelerator = build_accelerator(
        device="cpu", precision=config.precision, batch_size=config.batch_size
    )
    trainer = GanTrainer(config, noise_images(), accelerator, None)
    kinds: dict[str, MemorizationRejection | None] = {"": None, **rejections}
    seconds: dict[str, list[float]] = {name: [] for name in kinds}
    for turn in range(STEPS[config.model] + 1):
        for name, rejection in kinds.items():
            trainer.rejection = rejection
            start = time.perf_counter()
            trainer.step()
            if turn:
                seconds[name].append(time.perf_counter() - start)
    return {name: float(np.median(times)) for name, times in seconds.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Time steps with and without rejection.")
    parser.add_argument("--models", default="dcgan,sagan,biggan")
    parser.add_argument("--backbone", default=",".join(BACKBONES))
    parser.add_argument("--rows", type=int, default=50_000)
    arguments = parser.parse_args()
    names = arguments.backbone.split(",")
    rejections = {name: noise_rejection(name, arguments.rows) for name in names}
    print("| model | a step without | " + " | ".join(f"`{name}`" for name in names) + " |")
    print("|---" * (2 + len(names)) + "|")
    for model in arguments.models.split(","):
        config = GanConfig(**{"model": model, "train": "noise", "seed": 0})
        medians = step_seconds(config, rejections)
        ratios = (f"{medians[name] / medians['']:.2f}×" for name in names)
        print(f"| {model} | {medians['']:.2f} s | " + " | ".join(ratios) + " |", flush=True)


if __name__ == "__main__":
    main()
