"""Results of evaluating a diffusion model: its samples, what they copy, its distance to D*."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genmem.metrics.memorization_ratio import distance_ratios
from genmem.neighbors import Nearest
from genmem.results import InputSummary, Json, Result, to_json
from genmem.training.common.dataset import TrainingImages
from genmem.training.diffusion.sampler import Schedule

THRESHOLD = 1 / 3
"""d₁/d₂ below which a sample counts as memorized."""


def copied_images(nearest: Nearest) -> tuple[CopiedImage, ...]:
    """The training images that samples with d₁/d₂ < 1/3 are nearest to, the most copied first."""
    ratios = distance_ratios(nearest)
    memorized = np.flatnonzero(ratios < THRESHOLD)
    memorized = memorized[np.argsort(ratios[memorized], kind="stable")]
    by_image: dict[int, list[int]] = {}
    for number in memorized.tolist():
        by_image.setdefault(int(nearest.indices[number, 0]), []).append(number)
    images = [CopiedImage(train=train, samples=np.array(rows)) for train, rows in by_image.items()]
    return tuple(sorted(images, key=lambda image: -len(image.samples)))


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Squared distances to the optimal denoiser by noise level, for images in [−1, 1].

    Attributes:
        sigmas: float64 [k], falling.
        distance: float64 [k], mean of ‖D − D*‖²/(C·H·W).
        standard_error: float64 [k], of that mean, over the images.
        clean: float64 [k], mean of ‖y − D*‖²/(C·H·W): the distance of a denoiser that removes all
            noise.
        images: number of images.
    """

    sigmas: NDArray[np.float64]
    distance: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    clean: NDArray[np.float64]
    images: int

    def to_dict(self) -> dict[str, Json]:
        """As plain JSON."""
        return to_json(
            {
                "sigma": self.sigmas,
                "distance": self.distance,
                "standard_error": self.standard_error,
                "clean": self.clean,
                "images": self.images,
            }
        )


@dataclass(frozen=True, kw_only=True)
class CopiedImage:
    """A training image that samples copy.

    Attributes:
        train: its place among the training images.
        samples: int64, the samples memorized from it, the closest (by d₁/d₂) first.
    """

    train: int
    samples: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class DenoiserEvaluation:
    """Results of `evaluate_denoiser`.

    Attributes:
        ratio: the memorization ratio of the samples.
        test_ratio: memorization ratio of the test images, which copy nothing; None without them.
        samples: uint8 [n, C, H, W].
        nearest: of each sample the two nearest training images that differ: distances float64
            [n, 2], Euclidean in 8-bit pixel values, and indices int64 [n, 2].
        copied: the training images that samples copy, the most copied first.
        curves: the distance to the optimal denoiser on "train" and, where given, "test" images.
        train, test: the images; test is None if there are none.
        classes: labels that the model is conditioned on, drawn uniformly; 0: none.
        schedule: the sampler's noise levels.
        seed: of everything random.
        notes: sentences that readers of the numbers must know.
        seconds: by stage, wall clock.
    """

    ratio: Result
    test_ratio: Result | None
    samples: NDArray[np.uint8]
    nearest: Nearest
    copied: tuple[CopiedImage, ...]
    curves: Mapping[str, Curve]
    train: TrainingImages
    test: TrainingImages | None
    classes: int
    schedule: Schedule
    seed: int
    notes: tuple[str, ...]
    seconds: Mapping[str, float]

    @property
    def ratios(self) -> NDArray[np.float64]:
        """d₁/d₂ of each sample, float64 [n]."""
        return distance_ratios(self.nearest)

    def closest(self, count: int) -> list[int]:
        """The samples with the smallest d₁/d₂, one for each training image, at most `count`."""
        first: dict[int, int] = {}
        for number in np.argsort(self.ratios, kind="stable").tolist():
            first.setdefault(int(self.nearest.indices[number, 0]), number)
        return list(first.values())[:count]

    def copy_of(self, number: int) -> dict[str, Json]:
        """Sample `number`, its two nearest training images and how far they are, as JSON."""
        (first, second), (d1, d2) = self.nearest.indices[number], self.nearest.distances[number]
        return to_json(
            {
                "sample": number,
                "nearest": self.train.ids[first],
                "second_nearest": self.train.ids[second],
                "d1": d1,
                "d2": d2,
            }
        )

    def to_dict(self) -> dict[str, Json]:
        """As plain JSON, without pixels."""
        inputs = {"train": self.train} | ({"test": self.test} if self.test else {})
        return to_json(
            {
                "memorization_ratio": self.ratio.to_dict(),
                "test_memorization_ratio": None
                if self.test_ratio is None
                else self.test_ratio.to_dict(),
                "copied_training_images": len(self.copied),
                "copied": [
                    {
                        "train": self.train.ids[image.train],
                        "copies": len(image.samples),
                        "closest": self.copy_of(int(image.samples[0])),
                    }
                    for image in self.copied
                ],
                "distance_to_optimal_denoiser": {
                    role: curve.to_dict() for role, curve in self.curves.items()
                },
                "sampling": {
                    "samples": len(self.samples),
                    "sampler": "EDM Heun, deterministic",
                    "steps": self.schedule.steps,
                    "sigma_max": self.schedule.sigma_max,
                    "sigma_min": self.schedule.sigma_min,
                    "rho": self.schedule.rho,
                    "classes": self.classes,
                },
                "inputs": {
                    role: input_summary(images).to_dict() for role, images in inputs.items()
                },
                "notes": self.notes,
                "seed": self.seed,
                "seconds": self.seconds,
            }
        )


def input_summary(images: TrainingImages) -> InputSummary:
    """The images as an input of a report."""
    return InputSummary(source=images.name, kind="images", count=len(images), digest=images.digest)
