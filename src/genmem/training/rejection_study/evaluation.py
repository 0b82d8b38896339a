"""Metrics of a finished run's samples in a feature space; stored in the run's folder."""

from __future__ import annotations

import json
import re
import zipfile
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genmem.features.cache import entry_key
from genmem.images import Progress
from genmem.io.atomic import atomic_write
from genmem.metrics.c_t import c_t, c_t_from_distances
from genmem.metrics.copied_fraction import (
    NEIGHBORS,
    copied_fraction_from,
    relative_distances,
)
from genmem.metrics.frechet import fd
from genmem.metrics.memorization_distance import memorization_distance_from, zero_rows
from genmem.neighbors import Nearest, nearest
from genmem.results import Result
from genmem.study_results.rejection import ClassMetrics, RunMetrics
from genmem.training.common.checkpoint import CHECKPOINT_FILE
from genmem.training.gan.evaluation import extract_features
from genmem.training.gan.sampling import balanced_labels, generate, load_generator
from genmem.training.rejection_study.feature_spaces import METRIC, FeatureSpace, ImageSets
from genmem.training.rejection_study.grid import TEST, GridRun

PERCENTILES = (0, 1, 5, 25, 50)
PAIRS = 4
"""Samples shown at each percentile: those that lie next to it in order of distance."""

MAP_ROWS = 200
"""Samples whose features are stored, for a map."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """One run in one feature space.

    Attributes:
        metrics: of all samples.
        distances: float32 [n], of each sample to its nearest training image.
        nearest: int64 [n], the numbers of those training images.
        shown: int64 [20], samples to show: 4 at each of `PERCENTILES`.
        images: uint8 [20, 3, size, size], their pixels.
        first_rows: float32 [200, d], features of the first samples.
    """

    metrics: RunMetrics
    distances: NDArray[np.float32]
    nearest: NDArray[np.int64]
    shown: NDArray[np.int64]
    images: NDArray[np.uint8]
    first_rows: NDArray[np.float32]


def select_percentile_samples(distances: NDArray[np.float64]) -> NDArray[np.int64]:
    """Numbers of the samples about each percentile of the distance.

    Args:
        distances: float [n], of each sample to its nearest training image.

    Returns:
        int64 [5 × 4]; fewer than 4 each where there are fewer samples.
    """
    order = np.argsort(distances, kind="stable")
    count = min(PAIRS, len(order))
    chosen = []
    for percentile in PERCENTILES:
        place = round(percentile / 100 * (len(order) - 1))
        start = min(max(place - count // 2, 0), len(order) - count)
        chosen.append(order[start : start + count])
    return np.concatenate(chosen)


_ARRAYS = ("distances", "nearest", "shown", "images", "first_rows")


def save_evaluation(path: Path, key: str, evaluation: Evaluation) -> None:
    """Write the file, whole or not at all.

    Args:
        path: ends in .npz.
        key: of everything that the numbers depend on.
        evaluation: what to store.

    Raises:
        UsageError: it cannot be written.
    """
    header = {"key": key, "metrics": evaluation.metrics.to_dict()}
    encoded = json.dumps(header, allow_nan=False).encode()
    arrays = {name: getattr(evaluation, name) for name in _ARRAYS}
    with atomic_write(path) as file:
        np.savez(file, header=np.frombuffer(encoded, np.uint8), **arrays)


def load_evaluation(path: Path, key: str) -> Evaluation | None:
    """The stored evaluation with this key; None where there is none, or the file is damaged."""
    try:
        with np.load(path, allow_pickle=False) as file:
            header = json.loads(file["header"].tobytes())
            if header["key"] != key:
                return None
            arrays = {name: file[name] for name in _ARRAYS}
            return Evaluation(metrics=RunMetrics.from_dict(header["metrics"]), **arrays)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None


VERSION = "rejection study 4"
"""Raised when the same samples would get other metrics."""

SAMPLES_STREAM = 4
"""Second part of the seed of the evaluated samples' noise."""

CELLS, COMPONENTS = 3, 64
"""Cells and principal components of C_T over k-means cells, as in Meehan et al. (arXiv 2004.05675)
for ImageNet."""

MIN_CLASS_IMAGES = 20
"""A class is scored if it has more generated and more held-out images."""


def generate_samples(run: GridRun, count: int) -> NDArray[np.uint8]:
    """The run's evaluated samples, uint8 [n, 3, size, size], balanced over classes."""
    generator, classes, z = load_generator(run.folder)
    labels = balanced_labels(count, max(1, len(classes)))
    return generate(generator, labels, z_dim=z, seed=(run.seed, SAMPLES_STREAM))


def evaluate_run(
    run: GridRun,
    sets: ImageSets,
    space: FeatureSpace,
    *,
    samples: int,
    progress: Progress | None = None,
) -> Evaluation:
    """FD, memorization distance, copied fraction and C_T of a run's samples; computed once.

    FD to the training images (`fd`, as in the papers) becomes lower by copying, FD to the held-out
    images (`fd_test`) does not.

    C_T is taken over one cell (`c_t`), over k-means cells (`c_t_cells`), with every reference set,
    and class by class where the training images have classes (`c_t_by_class`, their mean): against
    the training images of the image's own class or, for an unconditional model, over cells of the
    images that are nearest to a training image of that class.

    Args:
        run: a run at its last step.
        sets: the study's images.
        space: the study's images in the backbone to evaluate in.
        samples: how many.
        progress: told while features are extracted.

    Raises:
        InputError: the checkpoint cannot be read.
        UsageError: a full disk.
    """
    checkpoint = blake2b((run.folder / CHECKPOINT_FILE).read_bytes(), digest_size=16).hexdigest()
    key = _key(checkpoint, sets, space, samples)
    file = run.folder / f"evaluation-{_slug(space.name)}.npz"
    stored = load_evaluation(file, key)
    if stored is not None:
        return stored
    pixels = generate_samples(run, samples)
    rows = extract_features(space.extractor, pixels, progress, cached=False)
    k = min(NEIGHBORS, len(space.train))
    neighbors = nearest(rows, space.train, k=k, metric=METRIC)
    distances, positions = neighbors.distances[:, 0], neighbors.indices[:, 0]
    shown = select_percentile_samples(distances)
    evaluation = Evaluation(
        metrics=compute_metrics(run, sets, space, rows, neighbors),
        distances=distances.astype(np.float32),
        nearest=positions,
        shown=shown,
        images=pixels[shown],
        first_rows=rows[:MAP_ROWS],
    )
    save_evaluation(file, key, evaluation)
    return evaluation


def _key(checkpoint: str, sets: ImageSets, space: FeatureSpace, samples: int) -> str:
    """Of everything that the numbers depend on."""
    backbone = space.extractor.describe()
    names = ("name", "preprocessing", "weights_sha256")
    return entry_key(
        VERSION,
        checkpoint,
        sets.train.digest,
        sets.test.digest,
        json.dumps([[name, images.digest] for name, images in sorted(sets.references.items())]),
        json.dumps([str(backbone.get(name)) for name in names]),
        str(samples),
    )


def compute_metrics(
    run: GridRun,
    sets: ImageSets,
    space: FeatureSpace,
    rows: NDArray[np.float32],
    neighbors: Nearest,
) -> RunMetrics:
    """The metrics of samples in a feature space; see `evaluate_run`.

    Args:
        run: whose samples they are.
        sets: the study's images, for their classes.
        space: the study's images in the samples' backbone.
        rows: the samples' features, float32 [n, d]; the classes in turn.
        neighbors: the `NEIGHBORS` nearest training rows of each.
    """
    count = len(space.train)
    distances, positions = neighbors.distances[:, 0], neighbors.indices[:, 0]
    mean_distance = memorization_distance_from(
        distances=distances, zero_rows=zero_rows(rows), train_rows=count
    )
    copied = copied_fraction_from(
        generated=relative_distances(neighbors.distances),
        test=space.test_closeness,
        nearest_train=positions,
        train_rows=count,
    )
    references = {
        name: _finite(c_t_from_distances(generated=distances, test=reference, train_rows=count))
        for name, reference in space.references.items()
    }
    classes = _compute_by_class(run, sets, space, rows, distances, positions)
    scores = [metrics.c_t for metrics in classes.values() if metrics.c_t is not None]
    return RunMetrics(
        fd=_finite(fd(generated=rows, train=space.train_moments)),
        fd_test=_finite(fd(generated=rows, train=space.test_moments)),
        memorization_distance=_finite(mean_distance),
        copied_fraction=_finite(copied),
        c_t=references[TEST],
        c_t_cells=_c_t_over_cells(space, rows),
        c_t_by_class=float(np.mean(scores)) if scores else None,
        references=references,
        classes=classes,
    )


def _c_t_over_cells(space: FeatureSpace, rows: NDArray[np.float32]) -> float | None:
    return _finite(
        c_t(
            generated=rows,
            train=space.train,
            test=space.test,
            cells=min(CELLS, len(space.train)),
            metric="cosine",
            pca=min(COMPONENTS, len(space.train) - 1, space.train.shape[1]),
        )
    )


def _compute_by_class(
    run: GridRun,
    sets: ImageSets,
    space: FeatureSpace,
    rows: NDArray[np.float32],
    distances: NDArray[np.float64],
    positions: NDArray[np.int64],
) -> dict[str, ClassMetrics]:
    """C_T and mean distance by class; empty where the training images have no classes."""
    labels, classes = sets.train.labels, sets.train.classes
    conditional = run.model != "dcgan"
    if labels is None or (conditional and sets.test.labels is None):
        return {}
    if conditional:
        generated_labels, test_labels = balanced_labels(len(rows), len(classes)), sets.test.labels
    else:
        generated_labels, test_labels = labels[positions], labels[space.nearest_train]
    metrics: dict[str, ClassMetrics] = {}
    for number, name in enumerate(classes):
        generated, held_out = generated_labels == number, test_labels == number
        if min(generated.sum(), held_out.sum()) <= MIN_CLASS_IMAGES:
            metrics[name] = ClassMetrics(c_t=None, memorization_distance=None)
            continue
        generated_distances = distances[generated]
        test_distances = space.references[TEST][held_out]
        if conditional:
            train = space.train[labels == number]
            generated_distances = nearest(rows[generated], train, metric=METRIC).distances[:, 0]
            test_distances = nearest(space.test[held_out], train, metric=METRIC).distances[:, 0]
        score = c_t_from_distances(generated=generated_distances, test=test_distances)
        metrics[name] = ClassMetrics(
            c_t=_finite(score), memorization_distance=float(generated_distances.mean())
        )
    return metrics


def _finite(result: Result) -> float | None:
    value = float(result)
    return value if np.isfinite(value) else None


def _slug(name: str) -> str:
    """A backbone's name as part of a file name, no two the same."""
    plain = re.sub(r"[^A-Za-z0-9@-]+", "-", name)[-60:]
    if plain == name:
        return name
    return f"{plain}-{blake2b(name.encode(), digest_size=4).hexdigest()}"
