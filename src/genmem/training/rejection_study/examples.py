"""What a study shows rather than counts: samples beside training images, and maps."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from genmem.results import Json
from genmem.training.common.dataset import TrainingImages
from genmem.training.rejection_study.evaluation import PERCENTILES, Measured
from genmem.training.rejection_study.feature_spaces import Space
from genmem.training.rejection_study.grid import Case, Plan, Tau

TRAIN_POINTS = 300
"""Training images on a map."""

PERPLEXITY = 30.0

_GAP = 1


def strip(pictures: NDArray[np.uint8], near: NDArray[np.uint8]) -> bytes:
    """Pairs side by side as one PNG: each sample left of its nearest training image.

    Args:
        pictures: samples, uint8 [n, 3, h, w].
        near: their training images, uint8 [n, 3, h, w].
    """
    height, width = pictures.shape[2:]
    step = 2 * width + 3 * _GAP
    sheet = np.zeros((height, step * len(pictures) - 2 * _GAP, 4), np.uint8)
    for number, pair in enumerate(zip(pictures, near, strict=True)):
        for place, image in enumerate(pair):
            left = number * step + place * (width + _GAP)
            sheet[:, left : left + width, :3] = image.transpose(1, 2, 0)
            sheet[:, left : left + width, 3] = 255
    buffer = io.BytesIO()
    Image.fromarray(sheet).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def exhibits(
    plan: Plan, train: TrainingImages, space: Space, found: Mapping[tuple[str, str], Measured]
) -> list[dict[str, Any]]:
    """A strip for each percentile, of the first measured seed of each model and τ.

    Returns:
        A line each: `model`, `tau`, `seed`, and `strips`, each with `percentile`, `distances` of
        its pairs and `png` (bytes).
    """
    out = []
    for case in _first_seeds(plan, space, found):
        one = found[case.name, space.name]
        parts = np.split(np.arange(len(one.shown)), len(PERCENTILES))
        strips = [
            {
                "percentile": percentile,
                "distances": one.distances[one.shown[part]].tolist(),
                "png": strip(one.pictures[part], train.pixels[one.nearest[one.shown[part]]]),
            }
            for percentile, part in zip(PERCENTILES, parts, strict=True)
        ]
        out.append({"model": case.model, "tau": case.tau, "seed": case.seed, "strips": strips})
    return out


def maps(
    plan: Plan, space: Space, found: Mapping[tuple[str, str], Measured]
) -> list[dict[str, Json]]:
    """t-SNE of training images and samples together, one map a model (van der Maaten 2008).

    Rows of norm 1 are reduced to 50 principal components first, as is usual; the first measured
    seed of τ = 0, of a middle τ and of the last one is shown.

    Returns:
        A line a model: `model`, `train` [[x, y], …], and `generated`, for each τ its `seed`,
        `points` [[x, y], …] and `distances`.
    """
    out: list[dict[str, Json]] = []
    drawn = np.random.default_rng(0).permutation(len(space.train))[:TRAIN_POINTS]
    train = np.asarray(space.train[np.sort(drawn)])
    cases = _first_seeds(plan, space, found)
    for model in plan.models:
        shown = _three([case for case in cases if case.model == model])
        samples = [found[case.name, space.name] for case in shown]
        if not shown:
            continue
        placed = _flat([train, *(one.first_rows for one in samples)])
        generated = [
            {
                "tau": case.tau,
                "seed": case.seed,
                "points": points.tolist(),
                "distances": np.round(one.distances[: len(points)].astype(float), 5).tolist(),
            }
            for case, one, points in zip(shown, samples, placed[1:], strict=True)
        ]
        out.append({"model": model, "train": placed[0].tolist(), "generated": generated})
    return out


def _flat(parts: list[NDArray[np.float32]]) -> list[NDArray[np.float64]]:
    """Points [n, 2] of every part, all in one map."""
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    rows = np.concatenate(parts).astype(np.float64)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    components = min(50, *rows.shape)
    reduced = PCA(components, random_state=0, svd_solver="full").fit_transform(rows)
    perplexity = min(PERPLEXITY, (len(rows) - 1) / 3)
    # One thread: sums in one order give the same map every time, and a busy machine no waiting.
    with threadpool_limits(1):
        flat = TSNE(perplexity=perplexity, random_state=0, init="pca").fit_transform(reduced)
    ends = np.cumsum([len(part) for part in parts])
    return np.split(np.round(flat.astype(np.float64), 2), ends[:-1])


def _first_seeds(plan: Plan, space: Space, found: Mapping[tuple[str, str], Measured]) -> list[Case]:
    """The first measured run of each model and τ, in the order of the page."""
    first: dict[tuple[str, Tau], Case] = {}
    for case in plan.cases:
        if (case.name, space.name) in found:
            first.setdefault((case.model, case.tau), case)
    order = [(model, tau) for model in plan.models for tau in plan.taus]
    return [first[one] for one in order if one in first]


def _three(cases: list[Case]) -> list[Case]:
    """The first, the middle and the last."""
    places = sorted({0, len(cases) // 2, len(cases) - 1}) if cases else []
    return [cases[place] for place in places]
