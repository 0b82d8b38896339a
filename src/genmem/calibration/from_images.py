"""Labelled sets of images or features → their memorization distances, and a calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from genmem.arrays import as_source, to_numpy
from genmem.calibration.calibrate import calibrate, rank_spaces
from genmem.calibration.labels import NOT_REVIEWED, Labels
from genmem.calibration.margins import margins
from genmem.calibration.results import Bools, Calibration, Criterion, Floats
from genmem.errors import InputError, UsageError
from genmem.features import BackboneLike, Backbones, find_backbones
from genmem.metrics.memorization_distance import memorization_distance_from, zero_rows
from genmem.neighbors import nearest
from genmem.results import InputSummary
from genmem.scoring.feature_sets import (
    ExtractOptions,
    left_out_notes,
    load_feature_sets,
    open_backbones,
)
from genmem.scoring.stored_sets import open_references

_TRAIN = "train"


@dataclass(frozen=True, kw_only=True)
class SetDistances:
    """The distances of labelled sets to a training set, in one feature space.

    Attributes:
        space: the backbone's name; "features" where features were given.
        means: each set's memorization distance, by the set's name.
        images: each set's distances from images to their nearest training images, float64 [n].
        inputs: summaries by the set's name, and of "train".
        notes: sentences on files that were left out.
    """

    space: str
    means: Mapping[str, float]
    images: Mapping[str, Floats]
    inputs: Mapping[str, InputSummary]
    notes: tuple[str, ...] = ()


def calibrate_sets(
    sets: Mapping[str, str],
    *,
    train: Any,
    labels: Labels,
    backbone: Backbones = "inception",
    criterion: Criterion = "false_penalty",
    false_penalty_rate: float = 0.0,
    seed: int = 0,
    options: ExtractOptions | None = None,
) -> tuple[list[Calibration], list[SetDistances]]:
    """Calibrations from labelled sets, the best feature space first, and the sets' distances.

    A set has one distance, the mean over its images, as in MiFID. `image_margins` compares the
    images themselves, which ranks feature spaces where there is only one set per label.

    Args:
        sets: label by source; a source is whatever `genmem score` takes as a path.
        train: the training set.
        labels: which labels are honest and which cheating.
        backbone: one or several candidate feature spaces, each as in `genmem.score`; unused where
            features are given.
        criterion: as in `calibrate`.
        false_penalty_rate: as in `calibrate`.
        seed: seed of the bootstrap.
        options: weights, device, broken images and progress; None for the defaults.

    Raises:
        InputError: a set is empty, broken, or does not go with the others.
        UsageError: a label or backbone is unknown, or a group has no set.
        WeightsError: a backbone's weights are missing and cannot be obtained.
    """
    options = options or ExtractOptions()
    train = open_references({_TRAIN: as_source(train, role=_TRAIN)}, held_out=False)[_TRAIN]
    _check_labels(sets, labels)
    networks = find_backbones(backbone, weights=options.weights)
    is_honest, _ = labels.masks(list(sets.values()))
    calibrations: list[Calibration] = []
    spaces: list[SetDistances] = []
    for extractor in open_backbones(networks, [train, *sets], options):
        space = set_distances(list(sets), train=train, backbone=extractor, options=options)
        means = np.asarray(list(space.means.values()))
        images = [space.images[source] for source in sets]
        by_set = calibrate(
            honest=means[is_honest],
            cheating=means[~is_honest],
            space=space.space,
            criterion=criterion,
            false_penalty_rate=false_penalty_rate,
            seed=seed,
        )
        by_image = margins(
            honest=_joined(images, is_honest), cheating=_joined(images, ~is_honest), seed=seed
        )
        spaces.append(space)
        notes = (*by_set.notes, *space.notes)
        calibrations.append(replace(by_set, image_margins=by_image, notes=notes))
    return rank_spaces(calibrations), spaces


def set_distances(
    sources: Sequence[str],
    *,
    train: Any,
    backbone: BackboneLike | None = "inception",
    options: ExtractOptions | None = None,
) -> SetDistances:
    """The memorization distance of several sets to one training set, in one feature space.

    Args:
        sources: the sets, as `genmem score` takes them.
        train: the training set.
        backbone: the feature space, by name or opened; None where all sets are features.
        options: weights, device, broken images and progress; None for the defaults.

    Raises:
        InputError, UsageError, WeightsError: as `genmem.score`.
    """
    options = options or ExtractOptions()
    by_role = {
        _TRAIN: as_source(train, role=_TRAIN),
        **{f"set {source}": source for source in sources},
    }
    by_role = open_references(by_role, held_out=False)
    with ExitStack() as stack:
        sets = load_feature_sets(by_role, stack=stack, backbone=backbone, options=options)
        train_rows = sets.by_role[_TRAIN].array
        images, means = {}, {}
        for source in sources:
            rows = sets.by_role[f"set {source}"].array
            if rows.shape[1] != train_rows.shape[1]:
                raise InputError(
                    f"{source}: expected features of dimension {train_rows.shape[1]} like those "
                    f"of train, got {rows.shape[1]}; extract both with the same backbone."
                )
            search = nearest(rows, train_rows, metric="absolute_cosine")
            distances = to_numpy(search.distances)[:, 0]
            zero = zero_rows(rows)
            mean = memorization_distance_from(
                distances=distances, zero_rows=zero, train_rows=int(train_rows.shape[0])
            )
            images[source], means[source] = distances[~zero], mean.value
        inputs = {role.removeprefix("set "): rows.summary for role, rows in sets.by_role.items()}
        notes = tuple(left_out_notes(sets.by_role))
    return SetDistances(space=sets.backbone, means=means, images=images, inputs=inputs, notes=notes)


def _joined(images: Sequence[Floats], mask: Bools) -> Floats:
    return np.concatenate([rows for rows, wanted in zip(images, mask, strict=True) if wanted])


def _check_labels(sets: Mapping[str, str], labels: Labels) -> None:
    """Refuse labels that cannot be calibrated with, before any work is done."""
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
