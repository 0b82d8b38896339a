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
from genmem.training.gan.config import Settings
from genmem.training.gan.sampling import even_labels, generated
from genmem.training.rejection.embedding import find_embedding

SEED_OF_SAMPLES = 3


@dataclass(frozen=True)
class _Space:
    """One backbone with all that it needs of training and held-out images."""

    extractor: FeatureExtractor
    train: NDArray[np.float32]
    train_moments: Moments
    test_moments: Moments | None
    test_distances: NDArray[np.float64] | None


class Measuring:
    """Measures samples in one or more feature spaces; training images are embedded once.

    Raises:
        UsageError: an unknown backbone, or one that is not there.
        WeightsError: its weights are missing.
    """

    def __init__(
        self,
        settings: Settings,
        train: TrainingImages,
        test: TrainingImages | None,
        *,
        device: str,
        progress: Progress | None = None,
    ) -> None:
        self._settings = settings
        self._classes = max(1, len(train.classes))
        self._spaces = {
            name: _space(name, train, test, device, progress) for name in settings.measure_with
        }

    def __call__(self, generator: nn.Module, progress: Progress | None = None) -> Json:
        """The metrics of fresh samples, by backbone; the same noise each time."""
        settings = self._settings
        labels = even_labels(settings.measure_images, self._classes)
        pixels = generated(generator, labels, z=settings.z, seed=(settings.seed, SEED_OF_SAMPLES))
        return {name: _metrics(space, pixels, progress) for name, space in self._spaces.items()}


def _space(
    name: str,
    train: TrainingImages,
    test: TrainingImages | None,
    device: str,
    progress: Progress | None,
) -> _Space:
    extractor = load_backbone(
        find_embedding(name), device="cuda" if device == "cuda" else "cpu", progress=progress
    )
    rows = features_of(extractor, train.pixels, progress, keep=True)
    of_test, distances = None, None
    if test is not None:
        tested = features_of(extractor, test.pixels, progress, keep=True)
        of_test = moments(tested)
        distances = nearest(tested, rows, metric="absolute_cosine").distances[:, 0]
    return _Space(extractor, rows, moments(rows), of_test, distances)


def features_of(
    extractor: FeatureExtractor, pixels: NDArray[np.uint8], progress: Progress | None, *, keep: bool
) -> NDArray[np.float32]:
    """Features float32 [n, d] of uint8 [n, 3, H, W]; `keep`: in the cache, by content."""
    images = np.ascontiguousarray(pixels.transpose(0, 2, 3, 1))
    with open_images(images) as source:
        cache = "default" if keep else None
        return extract(source, extractor=extractor, cache=cache, progress=progress).array


def _metrics(space: _Space, pixels: NDArray[np.uint8], progress: Progress | None) -> Json:
    """FD, memorization distance and, with held-out images, FD to them and C_T (one cell)."""
    rows = features_of(space.extractor, pixels, progress, keep=False)
    distances = nearest(rows, space.train, metric="absolute_cosine").distances[:, 0]
    found = {
        "fd": fd(generated=rows, train=space.train_moments),
        "memorization_distance": memorization_distance_from(
            distances=distances, zero_rows=zero_rows(rows), train_rows=len(space.train)
        ),
    }
    if space.test_moments is not None and space.test_distances is not None:
        found["fd_test"] = fd(generated=rows, train=space.test_moments)
        found["c_t"] = c_t_from_distances(
            generated=distances, test=space.test_distances, train_rows=len(space.train)
        )
    out: dict[str, Json] = {}
    for name, result in found.items():
        value = float(result)
        out[name] = value if np.isfinite(value) else None
        if result.interval is not None:
            out[f"{name}_interval"] = [result.interval.low, result.interval.high]
    return out
