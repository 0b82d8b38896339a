"""Labelled sets of images or features → their memorization distances, and a calibration."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from genmem.arrays import to_numpy
from genmem.calibration.calibrate import calibrate, ranked
from genmem.calibration.labels import NOT_REVIEWED, Labels
from genmem.calibration.margins import margins
from genmem.calibration.results import Bools, Calibration, Criterion, Floats
from genmem.errors import InputError, UsageError
from genmem.features import (
    Device,
    FeatureExtractor,
    find_backbone,
    is_feature_source,
    load_backbone,
)
from genmem.metrics.memorization_distance import memorization_distance_from, zero_rows
from genmem.neighbors import nearest
from genmem.results import InputSummary
from genmem.scoring.inputs import prepare

_TRAIN = "train"

Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True, kw_only=True)
class SetDistances:
    """The distances of labelled sets to a training set, in one feature space.

    Attributes:
        space: the backbone's name; "features" where features were given.
        means: a set's memorization distance, by the set's name.
        images: its images' distances to their nearest training images, float64 [n].
        inputs: what went in, by the set's name, and "train".
    """

    space: str
    means: Mapping[str, float]
    images: Mapping[str, Floats]
    inputs: Mapping[str, InputSummary]


def calibrate_sets(
    sets: Mapping[str, str],
    *,
    train: Any,
    labels: Labels,
    backbones: Sequence[str] = ("inception",),
    criterion: Criterion = "false_penalty",
    false_penalty_rate: float = 0.0,
    seed: int = 0,
    weights: str | Path | None = None,
    device: Device = "auto",
    skip_broken: bool = False,
    progress: Progress | None = None,
) -> tuple[list[Calibration], list[SetDistances]]:
    """Calibrations from labelled sets, the best feature space first, and their distances.

    A set gives one distance, the mean over its images, as in MiFID; `image_margins` compares the
    images themselves, which tells spaces apart where there is but one set a label.

    Args:
        sets: label by source; a source is whatever `genmem score` takes as a path.
        train: the training set.
        labels: which labels are honest and which cheating.
        backbones: candidate feature spaces; unused where features are given.
        criterion: as in `calibrate`.
        false_penalty_rate: as in `calibrate`.
        seed: of the bootstrap.
        weights: a single backbone's weights file; None: looked for.
        device: "auto", "cpu", "cuda" or "mps".
        skip_broken: leave broken images out instead of stopping at the first.
        progress: told (stage, done, total).

    Raises:
        InputError: a set is empty, broken, or does not go with the others.
        UsageError: a label is unknown or a group has no set, or a backbone is none.
        WeightsError: a backbone's weights are not here and cannot be had.
    """
    _check(sets, labels, backbones, weights)
    is_honest, _ = labels.masks(list(sets.values()))
    found: list[Calibration] = []
    measured: list[SetDistances] = []
    for extractor in _extractors([train, *sets], backbones, weights, device, progress):
        one = set_distances(
            list(sets),
            train=train,
            backbone=extractor,
            skip_broken=skip_broken,
            progress=progress,
        )
        means = np.asarray(list(one.means.values()))
        images = [one.images[source] for source in sets]
        by_set = calibrate(
            honest=means[is_honest],
            cheating=means[~is_honest],
            space=one.space,
            criterion=criterion,
            false_penalty_rate=false_penalty_rate,
            seed=seed,
        )
        of_images = margins(
            honest=_joined(images, is_honest), cheating=_joined(images, ~is_honest), seed=seed
        )
        measured.append(one)
        found.append(replace(by_set, image_margins=of_images))
    return ranked(found), measured


def set_distances(
    sources: Sequence[str],
    *,
    train: Any,
    backbone: str | FeatureExtractor = "inception",
    weights: str | Path | None = None,
    device: Device = "auto",
    skip_broken: bool = False,
    progress: Progress | None = None,
) -> SetDistances:
    """The memorization distance of several sets to one training set, in one feature space.

    Args:
        sources: the sets, as `genmem score` takes them.
        train: the training set.
        backbone: what turns images into features, by name or opened.
        weights: its weights file; None: looked for.
        device: "auto", "cpu", "cuda" or "mps".
        skip_broken: leave broken images out instead of stopping at the first.
        progress: told (stage, done, total).

    Raises:
        InputError, UsageError, WeightsError: as `genmem.score`.
    """
    given = {_TRAIN: train, **{f"set {source}": source for source in sources}}
    with ExitStack() as stack:
        inputs = prepare(
            given,
            stack=stack,
            backbone=backbone,
            weights=weights,
            device=device,
            skip_broken=skip_broken,
            progress=progress,
        )
        train_rows = inputs.rows[_TRAIN].array
        images, means = {}, {}
        for source in sources:
            rows = inputs.rows[f"set {source}"].array
            if rows.shape[1] != train_rows.shape[1]:
                raise InputError(
                    f"{source}: expected features of dimension {train_rows.shape[1]} like those "
                    f"of train, got {rows.shape[1]}; extract both with the same backbone."
                )
            distances = to_numpy(nearest(rows, train_rows, metric="absolute_cosine").distances)[
                :, 0
            ]
            zero = zero_rows(rows)
            mean = memorization_distance_from(
                distances=distances, zero_rows=zero, train_rows=int(train_rows.shape[0])
            )
            images[source], means[source] = distances[~zero], mean.value
        summaries = {role.removeprefix("set "): one.summary for role, one in inputs.rows.items()}
    return SetDistances(space=inputs.backbone, means=means, images=images, inputs=summaries)


def _joined(images: Sequence[Floats], mask: Bools) -> Floats:
    return np.concatenate([one for one, wanted in zip(images, mask, strict=True) if wanted])


def _extractors(
    sources: Sequence[Any],
    backbones: Sequence[str],
    weights: str | Path | None,
    device: Device,
    progress: Progress | None,
) -> list[str | FeatureExtractor]:
    """The opened backbones, all before the first works: a missing one is no later surprise.

    Where all sets are features, one that is not used: every backbone would give the same.
    """
    if all(map(is_feature_source, sources)):
        return ["features"]
    return [
        load_backbone(name, weights=weights, device=device, progress=progress) for name in backbones
    ]


def _check(
    sets: Mapping[str, str],
    labels: Labels,
    backbones: Sequence[str],
    weights: str | Path | None,
) -> None:
    """Refuse labels and backbones that do not go together, before any work is done."""
    for source, label in sets.items():
        complaint = labels.complaint(label)
        if label == NOT_REVIEWED:
            complaint = "expected a label after =, got a blank."
        if complaint:
            raise UsageError(f"{source}: {complaint}")
    is_honest, is_cheating = labels.masks(list(sets.values()))
    for name, mask, known in (
        ("honest", is_honest, labels.honest),
        ("cheating", is_cheating, labels.cheating),
    ):
        if not mask.any():
            raise UsageError(f"expected a set that is {name}, SOURCE={known[0]}; got none.")
    if not backbones or len(set(backbones)) < len(backbones):
        raise UsageError("expected one backbone or several different ones, A,B,C.")
    if weights is not None and len(backbones) > 1:
        raise UsageError("a weights file belongs to one backbone; name only one.")
    for name in backbones:
        find_backbone(name)
