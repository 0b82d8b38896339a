"""Images of a model's samples beside the training images that they resemble most."""

from __future__ import annotations

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from genmem.metrics.memorization_ratio import distance_ratios, two_nearest_different
from genmem.study_results.emm import MemorizedSample
from genmem.training.common.dataset import TrainingImages
from genmem.training.diffusion.run_folder import TrainedModel
from genmem.training.diffusion.sampler import Sampling, sample

MAX_CANDIDATES = 64
"""Samples to choose from: the first of those that were measured."""

SHOWN = 6
"""Memorized samples of one trial."""


def find_memorized_samples(
    model: TrainedModel, data: TrainingImages, *, seed: int, device: str = "cpu"
) -> tuple[MemorizedSample, ...]:
    """The samples most like one training image alone, the smallest d1/d2 first.

    Args:
        model: the trained model.
        data: what it was trained on.
        seed: of the samples.
        device: where the model is.
    """
    samples = sample(
        model.denoiser,
        min(MAX_CANDIDATES, model.config.samples),
        shape=data.pixels.shape[1:],
        sampling=Sampling(classes=model.classes, seed=seed, device=device),
    )
    generated, train = (
        pixels.reshape(len(pixels), -1).astype(np.float32) for pixels in (samples, data.pixels)
    )
    neighbors, _ = two_nearest_different(generated, train)
    ratios = distance_ratios(neighbors)
    memorized = []
    for number in np.argsort(ratios, kind="stable")[:SHOWN]:
        (first, second), (d1, d2) = neighbors.indices[number], neighbors.distances[number]
        images = (samples[number], data.pixels[first], data.pixels[second])
        memorized.append(
            MemorizedSample(
                sample=int(number),
                d1=round(float(d1), 3),
                d2=round(float(d2), 3),
                ratio=round(float(ratios[number]), 4),
                nearest=data.ids[first],
                second=data.ids[second],
                images=(_png(images[0]), _png(images[1]), _png(images[2])),
            )
        )
    return tuple(memorized)


def _png(pixels: NDArray[np.uint8]) -> str:
    """uint8 [3, H, W] as a PNG in base64."""
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0))).save(file, format="PNG")
    return base64.b64encode(file.getvalue()).decode("ascii")
