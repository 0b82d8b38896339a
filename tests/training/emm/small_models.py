"""Configurations that train in a second, and workers that train nothing."""

import base64
import io
import json
from dataclasses import replace

import numpy as np
from PIL import Image

from genmem.training.diffusion.config import DiffusionConfig, UNetConfig
from genmem.training.emm.dataset import look_at
from genmem.training.emm.factors import Configuration
from genmem.training.emm.study import Request
from genmem.training.emm.trial import read_task

NETWORK = UNetConfig(
    image_size=4, channels=4, multipliers=(1, 1), blocks=1, attention=(), dropout=0.0
)
TRAINING = DiffusionConfig(
    network=NETWORK,
    batch_size=4,
    learning_rate=0.5,
    steps=6,
    warm_up_epochs=0,
    snapshots=2,
    ema_decay=0.5,
    samples=6,
)
TINY = Configuration(training=TRAINING)


def with_training(**changes):
    return replace(TINY, training=TRAINING.replace(**changes))


def save_images(folder):
    """Save 24 images of 4 × 4 noise and two that repeat others, in three classes, as PNGs."""
    pixels = np.random.default_rng(0).integers(0, 256, (24, 4, 4, 3), np.uint8)
    pixels = np.concatenate([pixels, pixels[:2]])
    for number, image in enumerate(pixels):
        category = folder / "abc"[number % 3]
        category.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(category / f"{number:02d}.png")
    return folder


def build_request(images, **changes):
    """A request of a study that takes a second."""
    source = look_at(str(images))
    return Request(**{"source": source, "base": TINY, "sizes": (4, 8, 16), "seeds": 2} | changes)


class Curve:
    """Workers that train nothing: a trial's ratio is a function of its configuration, |D|, seed."""

    places = 1

    def __init__(self, ratio):
        self.ratio = ratio
        self.done = []

    def start(self, folder):
        self.folder = folder

    def wait(self):
        trial = read_task(self.folder)
        self.done.append((trial.count, trial.seed))
        ratio = self.ratio(trial.configuration, trial.count, trial.seed)
        snapshots = [
            {"step": step, "ratio": part * ratio, "low": 0.0, "high": 1.0, "samples": 100}
            for step, part in ((500, 0.2), (1_000, 0.8), (1_500, 1.0))
        ]
        found = {
            "ratio": ratio,
            "step": 1_500,
            "snapshots": snapshots,
            "duplicates": 0,
            "digest": "0",
            "exhibits": [exhibit(number, trial) for number in range(2)],
        }
        (self.folder / "outcome.json").write_text(json.dumps(found))
        return self.folder, found

    def stop(self):
        pass


def exhibit(number, trial):
    pixels = np.random.default_rng([number, trial.count]).integers(0, 256, (8, 8, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG")
    png = base64.b64encode(file.getvalue()).decode()
    return {
        "sample": number,
        "d1": 30.5,
        "d2": 400.25,
        "ratio": 0.0762,
        "nearest": f"a/{trial.count + number}.png",
        "second": "b/1.png",
        "pictures": [png] * 3,
    }
