"""FD, memorization distance and C_T of a generator's samples, at intervals of its training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import nn

from genmem.features.extract import extract
from genmem.features.extractor import FeatureExtractor, load_backbone
from genmem.images import Progress, open_images
from genmem.metrics.c_t import c_t_from_distances
from genmem.metrics.frechet import fd
from genmem.metrics.memorization_distance import memorization_distance_from, zero_rows
from genmem.metrics.moments import Moments, moments
from genmem.neighbors import nearest
from genmem.results import Json
from genmem.training.common.dataset import TrainingImages
from genmem.training.gan.config import GanConfig
from genmem.training.gan.sampling import balanced_labels, generate

EVALUATION_STREAM = 3
"""Second part of the seed of evaluated samples; see `trainer.STEP_STREAM`."""


@dataclass(frozen=True)
class _Space:
    """A feature space: its backbone, and what the metrics need of training and held-out images."""

    extractor: FeatureExtractor
    train: NDArray[np.float32]
    train_moments: Moments
    test_moments: Moments | None
    test_distances: NDArray[np.float64] | None


class Evaluator:
    """Evaluates samples in one or more feature spaces; training images are embedded once.

    Raises:
        UsageError: a backbone is unknown or not available.
        WeightsError: its weights are missing.
    """

    def __init__(
        self,
        config: GanConfig,
        train: TrainingImages,
        test: TrainingImages | None,
        *,
        device: str,
        progress: Progress | None = None,
    ) -> None:
        self._config = config
        self._classes = max(1, len(train.classes))
        self._spaces = {
            name: _space(name, train, test, device, progress) for name in config.evaluate_with
        }

    def __call__(self, generator: nn.Module, progress: Progress | None = None) -> Json:
        """The metrics of new samples, by backbone; the noise is the same in every call."""
        config = self._config
        labels = balanced_labels(config.samples, self._classes)
        seed = (config.seed, EVALUATION_STREAM)
        pixels = generate(generator, labels, z_dim=config.z_dim, seed=seed)
        return {name: _metrics(space, pixels, progress) for name, space in self._spaces.items()}


def _space(
    name: str,
    train: TrainingImages,
    test: TrainingImages | None,
    device: str,
    progress: Progress | None,
) -> _Space:
    extractor = load_backbone(name, device="cuda" if device == "cuda" else "cpu", progress=progress)
    rows = extract_features(extractor, train.pixels, progress, cached=True)
    test_moments, distances = None, None
    if test is not None:
        test_rows = extract_features(extractor, test.pixels, progress, cached=True)
        test_moments = moments(test_rows)
        distances = nearest(test_rows, rows, metric="absolute_cosine").distances[:, 0]
    return _Space(extractor, rows, moments(rows), test_moments, distances)


def extract_features(
    extractor: FeatureExtractor,
    pixels: NDArray[np.uint8],
    progress: Progress | None,
    *,
    cached: bool,
) -> NDArray[np.float32]:
    """Features float32 [n, d] of pixels uint8 [n, 3, H, W]; `cached`: kept by their content."""
    images = np.ascontiguousarray(pixels.transpose(0, 2, 3, 1))
    with open_images(images) as source:
        cache = "default" if cached else None
        return extract(source, extractor=extractor, cache=cache, progress=progress).array


def _metrics(space: _Space, pixels: NDArray[np.uint8], progress: Progress | None) -> Json:
    """FD, memorization distance and, with held-out images, FD to them and C_T (one cell)."""
    rows = extract_features(space.extractor, pixels, progress, cached=False)
    distances = nearest(rows, space.train, metric="absolute_cosine").distances[:, 0]
    results = {
        "fd": fd(generated=rows, train=space.train_moments),
        "memorization_distance": memorization_distance_from(
            distances=distances, zero_rows=zero_rows(rows), train_rows=len(space.train)
        ),
    }
    if space.test_moments is not None and space.test_distances is not None:
        results["fd_test"] = fd(generated=rows, train=space.test_moments)
        results["c_t"] = c_t_from_distances(
            generated=distances, test=space.test_distances, train_rows=len(space.train)
        )
    document: dict[str, Json] = {}
    for name, result in results.items():
        value = float(result)
        document[name] = value if np.isfinite(value) else None
        if result.interval is not None:
            document[f"{name}_interval"] = [result.interval.low, result.interval.high]
    return document
