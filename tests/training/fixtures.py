"""Fixtures of small GAN trainings, for the tests of training and of its commands."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from genmem.training.common.distributed import build_accelerator


def png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


@pytest.fixture
def images(tmp_path):
    """A zip of 24 images of 16 × 16 pixels in two classes, smooth enough to learn."""
    rng = np.random.default_rng(0)
    path = tmp_path / "train.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(24):
            coarse = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)
            pixels = coarse.repeat(4, axis=0).repeat(4, axis=1)
            folder = "cat" if number % 2 else "dog"
            archive.writestr(f"{folder}/{number:02d}.png", png(pixels))
    return path


@pytest.fixture
def small(images):
    """Configuration of a GAN training that takes a second or two, by field."""
    return {
        "model": "sagan",
        "train": str(images),
        "size": 16,
        "width": 4,
        "z_dim": 8,
        "batch_size": 4,
        "discriminator_steps": 1,
        "steps": 6,
        "ema_decay": 0.5,
        "ema_start": 2,
        "augment": True,
        "tau": 0.05,
        "backbone": "pixels",
        "evaluate_with": [],
        "log_every": 0,
        "save_every": 2,
        "sample_every": 0,
    }


def cpu_accelerator(config):
    """The accelerator of a training on the CPU."""
    return build_accelerator(device="cpu", precision=config.precision, batch_size=config.batch_size)
