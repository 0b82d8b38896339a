"""A finished run's samples, measured in every feature space; kept beside the run."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genmem.errors import UsageError
from genmem.features.cache import entry_key
from genmem.images import Progress
from genmem.io.atomic import atomic_write
from genmem.metrics.c_t import c_t, c_t_from_distances
from genmem.metrics.copied_fraction import copied_fraction_from
from genmem.metrics.frechet import fd
from genmem.metrics.memorization_distance import memorization_distance_from, zero_rows
from genmem.neighbors import nearest
from genmem.results import Json, Result
from genmem.training.common.checkpoint import CHECKPOINT_FILE
from genmem.training.gan.evaluation import extract_features
from genmem.training.gan.sampling import balanced_labels, generate, load_generator
from genmem.training.rejection_study.feature_spaces import METRIC, Sets, Space
from genmem.training.rejection_study.grid import TEST, Case

PERCENTILES = (0, 1, 5, 25, 50)
PAIRS = 4
"""Samples shown at each percentile: those that lie next to it in order of distance."""

MAP_ROWS = 200
"""Samples whose features are kept, to be drawn on a map."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One run in one space.

    Attributes:
        values: the metrics as plain JSON; None where one is not defined.
        distances: float32 [n], of each sample to its nearest training image.
        nearest: int64 [n], the numbers of those training images.
        shown: int64 [20], samples to show: 4 at each of `PERCENTILES`.
        pictures: uint8 [20, 3, size, size], their pixels.
        first_rows: float32 [200, d], features of the first samples.
    """

    values: Mapping[str, Any]
    distances: NDArray[np.float32]
    nearest: NDArray[np.int64]
    shown: NDArray[np.int64]
    pictures: NDArray[np.uint8]
    first_rows: NDArray[np.float32]


def numbers_to_show(distances: NDArray[np.float64]) -> NDArray[np.int64]:
    """Samples about each percentile of the distance, int64 [5 × 4]; fewer than 4 of a few samples.

    Args:
        distances: float [n], of each sample to its nearest training image.
    """
    order = np.argsort(distances, kind="stable")
    count = min(PAIRS, len(order))
    parts = []
    for percentile in PERCENTILES:
        place = round(percentile / 100 * (len(order) - 1))
        start = min(max(place - count // 2, 0), len(order) - count)
        parts.append(order[start : start + count])
    return np.concatenate(parts)


def write_measured(path: Path, key: str, measured: Measured) -> None:
    """Write the file, whole or not at all.

    Args:
        path: ends in .npz.
        key: of all that the numbers depend on.
        measured: what to keep.

    Raises:
        UsageError: it cannot be written.
    """
    buffer = io.BytesIO()
    header = json.dumps({"key": key, "values": measured.values}, allow_nan=False).encode()
    np.savez(
        buffer,
        header=np.frombuffer(header, np.uint8),
        distances=measured.distances,
        nearest=measured.nearest,
        shown=measured.shown,
        pictures=measured.pictures,
        first_rows=measured.first_rows,
    )
    with atomic_write(path) as file:
        file.write(buffer.getvalue())


def read_measured(path: Path, key: str) -> Measured | None:
    """What is kept there, if it has this key; None where there is nothing, or it is damaged."""
    try:
        with np.load(path, allow_pickle=False) as opened:
            header = json.loads(opened["header"].tobytes())
            if header["key"] != key:
                return None
            return Measured(
                values=header["values"],
                distances=opened["distances"],
                nearest=opened["nearest"],
                shown=opened["shown"],
                pictures=opened["pictures"],
                first_rows=opened["first_rows"],
            )
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None


VERSION = "rejection study 3"
"""Raised when the same samples would be measured otherwise."""

SAMPLES = 4
"""What the noise of measured samples is for, the second part of its seed."""

CELLS, COMPONENTS = 3, 64
"""Of C_T over k-means cells, as Meehan et al. (arXiv 2004.05675) choose them for ImageNet."""

FEWEST_IN_A_CLASS = 20
"""A class is scored when more generated and held-out images than these are of it."""


def samples_of(case: Case, images: int) -> NDArray[np.uint8]:
    """The run's measured samples, uint8 [n, 3, size, size]: the classes in turn, seeded."""
    generator, classes, z = load_generator(case.folder)
    labels = balanced_labels(images, max(1, len(classes)))
    return generate(generator, labels, z_dim=z, seed=(case.seed, SAMPLES))


def measure(
    case: Case, sets: Sets, space: Space, *, images: int, progress: Progress | None = None
) -> Measured:
    """FD, memorization distance, copied fraction and C_T of a run's samples, computed once.

    FD is to the training images (`fd`, as in the papers), which copies of them lower, and to the
    held-out ones (`fd_test`).

    C_T is taken over one cell (`c_t`), over k-means cells (`c_t_cells`), with every reference set,
    and class by class where the training images have classes (`c_t_by_class`, their mean): against
    the training images of the image's own class or, from a model that knows no classes, over cells
    that hold whatever is nearest to a training image of that class.

    Args:
        case: a run at its last step.
        sets: the study's images.
        space: the study's images in the backbone to measure in.
        images: how many samples.
        progress: told while samples are embedded.

    Raises:
        InputError: the checkpoint cannot be read.
        UsageError: the run was trained on other images; a full disk.
    """
    checkpoint = blake2b((case.folder / CHECKPOINT_FILE).read_bytes(), digest_size=16).hexdigest()
    key = _key(checkpoint, sets, space, images)
    file = case.folder / f"measured-{_slug(space.name)}.npz"
    kept = read_measured(file, key)
    if kept is not None:
        return kept
    pixels = samples_of(case, images)
    rows = extract_features(space.extractor, pixels, progress, cached=False)
    found = nearest(rows, space.train, metric=METRIC)
    distances, places = found.distances[:, 0], found.indices[:, 0]
    values = values_of(case, sets, space, rows, distances, places)
    shown = numbers_to_show(distances)
    measured = Measured(
        values=values,
        distances=distances.astype(np.float32),
        nearest=places,
        shown=shown,
        pictures=pixels[shown],
        first_rows=rows[:MAP_ROWS],
    )
    write_measured(file, key, measured)
    return measured


def _key(checkpoint: str, sets: Sets, space: Space, images: int) -> str:
    """Of all that the numbers depend on."""
    described = space.extractor.describe()
    named = ("name", "preprocessing", "weights_sha256")
    return entry_key(
        VERSION,
        checkpoint,
        sets.train.digest,
        sets.test.digest,
        json.dumps([[name, one.digest] for name, one in sorted(sets.references.items())]),
        json.dumps([str(described.get(name)) for name in named]),
        str(images),
    )


def values_of(
    case: Case,
    sets: Sets,
    space: Space,
    rows: NDArray[np.float32],
    distances: NDArray[np.float64],
    places: NDArray[np.int64],
) -> dict[str, Json]:
    """The metrics of samples in a space; see `measure`.

    Args:
        case: whose samples they are.
        sets: the study's images, for their classes.
        space: the study's images in the samples' backbone.
        rows: the samples' features, float32 [n, d]; the classes in turn.
        distances: float64 [n], of each to its nearest training row.
        places: int64 [n], the numbers of those rows.
    """
    count = len(space.train)
    test = space.references[TEST]
    mean = memorization_distance_from(
        distances=distances, zero_rows=zero_rows(rows), train_rows=count
    )
    copied = copied_fraction_from(generated=distances, test=test, train_rows=count)
    of_reference = {
        name: _number(c_t_from_distances(generated=distances, test=some, train_rows=count))
        for name, some in space.references.items()
    }
    classes = _by_class(case, sets, space, rows, distances, places)
    scored = [one["c_t"] for one in classes.values() if one["c_t"] is not None]
    return {
        "fd": _number(fd(generated=rows, train=space.train_moments)),
        "fd_test": _number(fd(generated=rows, train=space.test_moments)),
        "memorization_distance": _number(mean),
        "copied_fraction": _number(copied),
        "c_t": of_reference[TEST],
        "c_t_cells": _over_cells(space, rows),
        "c_t_by_class": float(np.mean(scored)) if scored else None,
        "references": of_reference,
        "classes": classes,
    }


def _over_cells(space: Space, rows: NDArray[np.float32]) -> float | None:
    components = min(COMPONENTS, len(space.train) - 1, space.train.shape[1])
    cells = min(CELLS, len(space.train))
    return _number(
        c_t(
            generated=rows,
            train=space.train,
            test=space.test,
            cells=cells,
            metric="cosine",
            pca=components,
        )
    )


def _by_class(
    case: Case,
    sets: Sets,
    space: Space,
    rows: NDArray[np.float32],
    distances: NDArray[np.float64],
    places: NDArray[np.int64],
) -> dict[str, dict[str, float | None]]:
    """C_T and mean distance by class; empty where the training images have no classes."""
    labels = sets.train.labels
    if labels is None:
        return {}
    names = sets.train.classes
    if case.model != "dcgan" and sets.test.labels is None:
        return {}
    if case.model == "dcgan":
        of_generated, of_test = labels[places], labels[space.nearest_train]
    else:
        of_generated, of_test = balanced_labels(len(rows), len(names)), sets.test.labels
    out: dict[str, dict[str, float | None]] = {}
    for number, name in enumerate(names):
        chosen, held_out = of_generated == number, of_test == number
        if min(chosen.sum(), held_out.sum()) <= FEWEST_IN_A_CLASS:
            out[name] = {"c_t": None, "memorization_distance": None}
            continue
        generated_distances = distances[chosen]
        test_distances = space.references[TEST][held_out]
        if case.model != "dcgan":
            own = space.train[labels == number]
            generated_distances = nearest(rows[chosen], own, metric=METRIC).distances[:, 0]
            test_distances = nearest(space.test[held_out], own, metric=METRIC).distances[:, 0]
        score = c_t_from_distances(generated=generated_distances, test=test_distances)
        out[name] = {
            "c_t": _number(score),
            "memorization_distance": float(generated_distances.mean()),
        }
    return out


def check_images(case: Case, trained_on: str, sets: Sets) -> None:
    """Refuse to measure a run of other training images.

    Args:
        case: the run.
        trained_on: the digest in its checkpoint.
        sets: of the study.

    Raises:
        UsageError: they are others.
    """
    if trained_on != sets.train.digest:
        raise UsageError(
            f"{case.folder}: the run was trained on other images than --data holds now. Name "
            "another --out, or the same images."
        )


def _number(result: Result) -> float | None:
    value = float(result)
    return value if np.isfinite(value) else None


def _slug(name: str) -> str:
    """A backbone's name as part of a file name, no two the same."""
    plain = re.sub(r"[^A-Za-z0-9@-]+", "-", name)[-60:]
    if plain == name:
        return name
    return f"{plain}-{blake2b(name.encode(), digest_size=4).hexdigest()}"
