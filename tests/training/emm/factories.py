"""Configurations that train in a second, and a backend that trains nothing."""

import base64
import io
from dataclasses import replace

import numpy as np
from PIL import Image

from genmem.study_results.emm import MemorizedSample, Snapshot, TrialResult
from genmem.training.diffusion.config import DiffusionConfig, UNetConfig
from genmem.training.emm.dataset import inspect_source
from genmem.training.emm.factors import TrialConfig
from genmem.training.emm.study import StudyConfig
from genmem.training.emm.trial import RESULT_FILE, Trial

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
TINY = TrialConfig(training=TRAINING)


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


def build_study_config(images, **changes):
    """The configuration of a study that takes a second."""
    source = inspect_source(str(images))
    return StudyConfig(
        **{"source": source, "base": TINY, "sizes": (4, 8, 16), "seeds": 2} | changes
    )


class FakeBackend:
    """Trains nothing: a trial's ratio is a function of its configuration, |D| and seed."""

    places = 1

    def __init__(self, ratio):
        self.ratio = ratio
        self.trials = []

    def start(self, spec):
        self.spec = spec

    def wait(self):
        trial = Trial.from_dict(self.spec.config)
        self.trials.append((trial.size, trial.seed))
        ratio = self.ratio(trial.config, trial.size, trial.seed)
        result = TrialResult(
            ratio=ratio,
            step=1_500,
            snapshots=tuple(
                Snapshot(step=step, ratio=part * ratio, low=0.0, high=1.0, samples=100)
                for step, part in ((500, 0.2), (1_000, 0.8), (1_500, 1.0))
            ),
            duplicates=0,
            digest="0",
            memorized_samples=tuple(memorized_sample(number, trial) for number in range(2)),
        )
        self.spec.folder.mkdir(exist_ok=True)
        result.save(self.spec.folder / RESULT_FILE)
        return self.spec

    def stop(self):
        pass


def memorized_sample(number, trial):
    pixels = np.random.default_rng([number, trial.size]).integers(0, 256, (8, 8, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG")
    png = base64.b64encode(file.getvalue()).decode()
    return MemorizedSample(
        sample=number,
        d1=30.5,
        d2=400.25,
        ratio=0.0762,
        nearest=f"a/{trial.size + number}.png",
        second="b/1.png",
        images=(png, png, png),
    )
