"""Evaluate a diffusion model without retraining: what it copies, how far from memorization.

Three results of a denoiser D and its training images:

- the memorization ratio of its samples: d₁/d₂ < 1/3 ("On Memorization in Diffusion Models", Gu et
  al. 2023, arXiv 2310.02664);
- which training images those samples copy, and how often;
- its distance to the optimal denoiser D*, which can only replay training images, as a function of
  the noise level:

      E ‖D(y + σn; σ) − D*(y + σn; σ)‖² / (C·H·W) ,   n ~ N(0, I)

  over training images y and, if there are any, test images. On test images at small σ, D* pulls
  towards a training image: a model that does not is far from D*.

Samples of every model are drawn by EDM's deterministic Heun sampler, not by the model's own: noise,
steps and quantization are those of the paper, ratios of different models are comparable, and each
sample depends on the seed and its number alone. It needs 35 calls of the denoiser; the ancestral
sampler of a DDPM needs 1,000.
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from genmem.errors import InputError, UsageError
from genmem.metrics.memorization_ratio import (
    memorization_ratio_from,
    two_nearest_different,
)
from genmem.neighbors import Nearest
from genmem.results import Result
from genmem.training.common.dataset import TrainingImages, image_key
from genmem.training.diffusion.evaluation.optimal_gap import POINTS, distance_to_optimal
from genmem.training.diffusion.evaluation.results import (
    THRESHOLD,
    Curve,
    DenoiserEvaluation,
    copied_images,
)
from genmem.training.diffusion.optimal_denoiser import OptimalDenoiser
from genmem.training.diffusion.sampler import Denoiser, Sampling, sample

BATCH_NUMBERS = 256 * 3 * 32 * 32
"""Pixel values that go through a model at a time."""


def evaluate_denoiser(
    model: Denoiser,
    train: TrainingImages,
    *,
    test: TrainingImages | None = None,
    samples: int = 10_000,
    points: int = POINTS,
    sampling: Sampling | None = None,
) -> DenoiserEvaluation:
    """Find which training images a model copies, and how far it is from pure memorization.

    Args:
        model: anything with `denoise(x, sigma, labels)`; see `Denoiser` for shapes and types.
        train: the images it was trained on, at least two different ones; with labels
            (`sampling.classes` of them) for a conditional model. D* is then that of the image's
            class.
        test: images of the same kind that it was not trained on, with the same classes.
        samples: number of samples to draw.
        points: images of each set, drawn by the seed, at which the distance to D* is taken.
        sampling: how samples are drawn: seed, labels, noise levels and the like. The distance is
            taken at the same levels, and D* is computed on the same device. None: the defaults.
            A `batch_size` of None is 256 at 32 × 32, fewer if the images are larger.

    Raises:
        InputError: test images of another shape or with other classes, labels that are missing,
            fewer than two different training images, or a model that returns another shape, NaN or
            infinity.
        UsageError: `samples` or `points` is below 1.
    """
    _check_numbers(samples, points)
    how = sampling or Sampling()
    _check_images(train, test, how.classes)
    shape = train.pixels.shape[1:]
    how = replace(how, batch_size=how.batch_size or max(1, BATCH_NUMBERS // int(np.prod(shape))))
    stopwatch = _Stopwatch()
    drawn = sample(model, samples, shape=shape, sampling=how)
    stopwatch.lap("sampling")
    train_rows = _pixel_rows(train.pixels, how.device)
    ratio, nearest = _ratio(drawn, train_rows, how.device)
    test_ratio = None if test is None else _ratio(test.pixels, train_rows, how.device)[0]
    del train_rows
    stopwatch.lap("comparing")
    curves = _curves(model, train, test, points, how)
    stopwatch.lap("distance to the optimal denoiser")
    return DenoiserEvaluation(
        ratio=ratio,
        test_ratio=test_ratio,
        samples=drawn,
        nearest=nearest,
        copied=copied_images(nearest),
        curves=curves,
        train=train,
        test=test,
        classes=how.classes,
        schedule=how.schedule,
        seed=how.seed,
        notes=_notes(train, test),
        seconds=stopwatch.seconds,
    )


def _curves(
    model: Denoiser,
    train: TrainingImages,
    test: TrainingImages | None,
    points: int,
    sampling: Sampling,
) -> dict[str, Curve]:
    """The distance to D* around the images of each set, by role."""
    labels = train.labels if sampling.classes else None
    optimal = OptimalDenoiser(train.pixels, labels=labels, device=sampling.device)
    return {
        role: distance_to_optimal(
            model,
            optimal,
            images,
            points=points,
            sampling=sampling,
            stage=f"distance on {role} images",
        )
        for role, images in (("train", train), ("test", test))
        if images is not None
    }


def _check_numbers(samples: int, points: int) -> None:
    for name, value in {"samples": samples, "points": points}.items():
        if value < 1:
            raise UsageError(f"{name}: expected at least 1, got {value}.")


def _check_images(train: TrainingImages, test: TrainingImages | None, classes: int) -> None:
    if test is not None and test.pixels.shape[1:] != train.pixels.shape[1:]:
        raise InputError(
            f"{test.name}: expected test images of shape {list(train.pixels.shape[1:])} (channels, "
            f"height, width), as the training images are, got {list(test.pixels.shape[1:])}. "
            "Resize them."
        )
    if not classes:
        return
    for images in (train, test):
        if images is not None and images.labels is None:
            raise InputError(
                f"{images.name}: the model is conditioned on {classes:,} labels, and these images "
                "have none. Give them with their classes: a folder each, or a column of "
                "labels."
            )
    if train.labels is not None:
        known = len(train.classes) or int(train.labels.max()) + 1
        if known > classes or (train.classes and known < classes):
            raise InputError(
                f"{train.name}: the model is conditioned on {classes:,} labels; expected as many "
                f"classes of its training images, got {known:,}."
            )
    if test is not None and test.classes != train.classes:
        missing = sorted(set(test.classes) ^ set(train.classes))
        raise InputError(
            f"{test.name}: expected the classes of the training images, but {missing[0]!r} is in "
            "one of the two sets only."
        )


def _pixel_rows(pixels: NDArray[np.uint8], device: str | torch.device) -> torch.Tensor:
    rows = np.ascontiguousarray(pixels).reshape(len(pixels), -1)
    return torch.from_numpy(rows).to(device).to(torch.float32)


def _ratio(
    pixels: NDArray[np.uint8], train_rows: torch.Tensor, device: str | torch.device
) -> tuple[Result, Nearest]:
    """The memorization ratio of images, and the two nearest training images of each."""
    nearest, duplicates = two_nearest_different(_pixel_rows(pixels, device), train_rows)
    ratio = memorization_ratio_from(
        two_nearest=nearest,
        train_duplicates=duplicates,
        train_rows=len(train_rows),
        threshold=THRESHOLD,
    )
    return ratio, nearest


def _notes(train: TrainingImages, test: TrainingImages | None) -> tuple[str, ...]:
    notes = [f"{train.name}: {note}" for note in train.notes]
    if test is not None:
        notes += [f"{test.name}: {note}" for note in test.notes]
        train_keys = {image_key(image) for image in train.pixels}
        shared = sum(image_key(image) in train_keys for image in test.pixels)
        if shared:
            notes.append(
                f"{shared:,} of {len(test):,} test images equal a training image to the last bit: "
                "the model has seen them."
            )
    return tuple(notes)


class _Stopwatch:
    """Wall-clock seconds by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._since = time.monotonic()

    def lap(self, stage: str) -> None:
        """Count the time since the last lap as this stage's."""
        now = time.monotonic()
        self.seconds[stage], self._since = now - self._since, now
