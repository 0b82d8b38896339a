"""Pictures of a model's samples beside the training images that they resemble most."""

from __future__ import annotations

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from genmem.metrics.memorization_ratio import distance_ratios, two_nearest_different
from genmem.results import Json
from genmem.training.common.dataset import TrainingImages
from genmem.training.diffusion.run_folder import TrainedModel
from genmem.training.diffusion.sampler import sample

LOOKED_AT = 64
"""Samples from which the exhibits are taken, at most: the first of those that were measured."""

SHOWN = 6
"""Exhibits of one trial."""


def exhibits(
    run: TrainedModel, data: TrainingImages, *, seed: int, device: str = "cpu"
) -> list[Json]:
    """The samples most like one training image alone, the smallest d1/d2 first.

    Args:
        run: the trained model.
        data: what it was trained on.
        seed: of the samples.
        device: where the model is.

    Returns:
        For each: `sample`, its number; `d1`, `d2`, distances in pixels of 8 bits to the two nearest
        training images; `ratio`; `nearest`, `second`, their ids; and `pictures`, the PNGs of all
        three in base64.
    """
    drawn = sample(
        run.denoiser,
        min(LOOKED_AT, run.config.samples),
        shape=data.pixels.shape[1:],
        classes=run.classes,
        seed=seed,
        device=device,
    )
    flat = [pixels.reshape(len(pixels), -1).astype(np.float32) for pixels in (drawn, data.pixels)]
    found, _ = two_nearest_different(*flat)
    ratios = distance_ratios(found)
    return [
        {
            "sample": int(number),
            "d1": round(float(found.distances[number, 0]), 3),
            "d2": round(float(found.distances[number, 1]), 3),
            "ratio": round(float(ratios[number]), 4),
            "nearest": data.ids[found.indices[number, 0]],
            "second": data.ids[found.indices[number, 1]],
            "pictures": [
                _png(pixels)
                for pixels in (
                    drawn[number],
                    data.pixels[found.indices[number, 0]],
                    data.pixels[found.indices[number, 1]],
                )
            ],
        }
        for number in np.argsort(ratios, kind="stable")[:SHOWN]
    ]


def _png(pixels: NDArray[np.uint8]) -> str:
    """uint8 [3, H, W] as a PNG in base64."""
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0))).save(file, format="PNG")
    return base64.b64encode(file.getvalue()).decode("ascii")
