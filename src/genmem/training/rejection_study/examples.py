"""Examples of a study: samples beside training images, and maps."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from genmem.study_results.rejection import Map, MapPanel, RunStrips, Strip, Tau
from genmem.training.common.dataset import TrainingImages
from genmem.training.rejection_study.evaluation import PERCENTILES, Evaluation
from genmem.training.rejection_study.feature_spaces import FeatureSpace
from genmem.training.rejection_study.grid import GridRun, Plan

TRAIN_POINTS = 300
"""Training images on a map."""

PERPLEXITY = 30.0

_GAP = 1


def draw_strip(samples: NDArray[np.uint8], train: NDArray[np.uint8]) -> bytes:
    """Pairs side by side as one PNG: each sample left of its nearest training image.

    Args:
        samples: uint8 [n, 3, h, w].
        train: their training images, uint8 [n, 3, h, w].
    """
    height, width = samples.shape[2:]
    step = 2 * width + 3 * _GAP
    sheet = np.zeros((height, step * len(samples) - 2 * _GAP, 4), np.uint8)
    for number, pair in enumerate(zip(samples, train, strict=True)):
        for place, image in enumerate(pair):
            left = number * step + place * (width + _GAP)
            sheet[:, left : left + width, :3] = image.transpose(1, 2, 0)
            sheet[:, left : left + width, 3] = 255
    buffer = io.BytesIO()
    Image.fromarray(sheet).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def build_strips(
    plan: Plan,
    train: TrainingImages,
    space: FeatureSpace,
    evaluations: Mapping[tuple[str, str], Evaluation],
) -> list[RunStrips]:
    """A strip for each percentile, of the first evaluated seed of each model and τ.

    Args:
        plan: the study.
        train: its training images.
        space: the feature space of the distances.
        evaluations: by run and feature space.
    """
    all_strips = []
    for run in _first_seeds(plan, space, evaluations):
        evaluation = evaluations[run.name, space.name]
        parts = np.split(evaluation.shown, len(PERCENTILES))
        images = np.split(evaluation.images, len(PERCENTILES))
        strips = tuple(
            Strip(
                percentile=percentile,
                distances=tuple(evaluation.distances[part].tolist()),
                png=draw_strip(pixels, train.pixels[evaluation.nearest[part]]),
            )
            for percentile, part, pixels in zip(PERCENTILES, parts, images, strict=True)
        )
        all_strips.append(RunStrips(model=run.model, tau=run.tau, seed=run.seed, strips=strips))
    return all_strips


def build_maps(
    plan: Plan, space: FeatureSpace, evaluations: Mapping[tuple[str, str], Evaluation]
) -> tuple[Map, ...]:
    """t-SNE of training images and samples together, one map a model (van der Maaten 2008).

    Rows of norm 1 are reduced to 50 principal components first, as is usual. Shown are the first
    evaluated seeds of τ = 0, of a middle τ and of the last one.

    Args:
        plan: the study.
        space: the feature space to map.
        evaluations: by run and feature space.
    """
    maps = []
    drawn = np.random.default_rng(0).permutation(len(space.train))[:TRAIN_POINTS]
    train = np.asarray(space.train[np.sort(drawn)])
    runs = _first_seeds(plan, space, evaluations)
    for model in plan.models:
        shown = _first_middle_last([run for run in runs if run.model == model])
        if not shown:
            continue
        samples = [evaluations[run.name, space.name] for run in shown]
        train_points, *sample_points = _embed([train, *(sample.first_rows for sample in samples)])
        panels = tuple(
            MapPanel(
                tau=run.tau,
                seed=run.seed,
                points=_points(points),
                distances=tuple(
                    np.round(sample.distances[: len(points)].astype(float), 5).tolist()
                ),
            )
            for run, sample, points in zip(shown, samples, sample_points, strict=True)
        )
        maps.append(Map(model=model, train=_points(train_points), panels=panels))
    return tuple(maps)


def _points(points: NDArray[np.float64]) -> tuple[tuple[float, float], ...]:
    return tuple((x, y) for x, y in points.tolist())


def _embed(parts: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float64]]:
    """Points [n, 2] of the rows of every part, all in one t-SNE map."""
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


def _first_seeds(
    plan: Plan, space: FeatureSpace, evaluations: Mapping[tuple[str, str], Evaluation]
) -> list[GridRun]:
    """The first evaluated run of each model and τ, in the order of the page."""
    first: dict[tuple[str, Tau], GridRun] = {}
    for run in plan.runs:
        if (run.name, space.name) in evaluations:
            first.setdefault((run.model, run.tau), run)
    order: list[tuple[str, Tau]] = [(model, tau) for model in plan.models for tau in plan.taus]
    return [first[key] for key in order if key in first]


def _first_middle_last(runs: Sequence[GridRun]) -> list[GridRun]:
    places = sorted({0, len(runs) // 2, len(runs) - 1}) if runs else []
    return [runs[place] for place in places]
