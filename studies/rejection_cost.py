"""What memorization rejection costs a training step, by model and embedding.

    python -m studies.rejection_cost [--models dcgan,sagan,biggan] [--embeddings A,B] [--rows 50000]

The models are those of the paper at 32 × 32, at its settings (batch 64, five discriminator steps a
generator step). Each is stepped without rejection and with it, by turns, so that a busy moment of
the machine meets both; a ratio is of medians. Training images are noise, and the training
features unit rows of noise as many as CIFAR-10 has: no image is rejected, and the search is exact,
so that all rows are looked at. Prints Markdown.
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
EMBEDDINGS = ("pixels", "efficientnet-lite0@32", "efficientnet-lite0@64", "efficientnet-lite0")
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


def noise_rejection(embedding: str, rows: int) -> MemorizationRejection:
    """Rejection against so many rows of noise."""
    module, _ = open_backbone(embedding)
    dimension = embed(module, torch.zeros(1, 3, 32, 32, dtype=torch.uint8)).shape[1]
    features = np.random.default_rng(1).standard_normal((rows, dimension), np.float32)
    return MemorizationRejection(features, backbone=embedding, tau=TAU, search="exact")


def step_seconds(settings: GanConfig, rejections: dict[str, MemorizationRejection]) -> dict:
    """Median seconds of a step without rejection ("") and with each, in turns."""
    accelerator = build_accelerator(
        device="cpu", precision=settings.precision, batch_size=settings.batch_size
    )
    training = GanTrainer(settings, noise_images(), accelerator, None)
    kinds: dict[str, MemorizationRejection | None] = {"": None, **rejections}
    found: dict[str, list[float]] = {name: [] for name in kinds}
    for turn in range(STEPS[settings.model] + 1):
        for name, rejection in kinds.items():
            training.rejection = rejection
            began = time.perf_counter()
            training.step()
            if turn:
                found[name].append(time.perf_counter() - began)
    return {name: float(np.median(some)) for name, some in found.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Time steps with and without rejection.")
    parser.add_argument("--models", default="dcgan,sagan,biggan")
    parser.add_argument("--embeddings", default=",".join(EMBEDDINGS))
    parser.add_argument("--rows", type=int, default=50_000)
    given = parser.parse_args()
    names = given.embeddings.split(",")
    rejections = {name: noise_rejection(name, given.rows) for name in names}
    print("| model | a step without | " + " | ".join(f"`{name}`" for name in names) + " |")
    print("|---" * (2 + len(names)) + "|")
    for model in given.models.split(","):
        settings = GanConfig(**{"model": model, "train": "noise", "seed": 0})
        found = step_seconds(settings, rejections)
        ratios = (f"{found[name] / found['']:.2f}×" for name in names)
        print(f"| {model} | {found['']:.2f} s | " + " | ".join(ratios) + " |", flush=True)


if __name__ == "__main__":
    main()
