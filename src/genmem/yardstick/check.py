"""`check_yardstick`: can held-out images be compared with?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genmem.arrays import as_feature_sets, row_counts, to_numpy
from genmem.formatting import capitalize, share
from genmem.images import ImageSource
from genmem.neighbors import Metric, Nearest, nearest
from genmem.results import Yardstick
from genmem.yardstick.file_properties import (
    FileDifferences,
    FileProperties,
    compare_files,
    read_properties,
)
from genmem.yardstick.series import (
    Series,
    compare_series,
    left_out_distances,
    link,
    link_images,
)
from genmem.yardstick.two_sample import TwoSample, two_sample_test

StoredImages = ImageSource | Sequence[FileProperties]
"""Stored images, or what `read_properties` said of them."""

FEWEST = 20
"""Rows of each set that say something about its distribution."""

FARTHER = 0.8
"""Held-out images are farther from the training images than those are from each other, beyond what
honest splits show, where this holds of as many pairs of them."""


@dataclass(frozen=True, kw_only=True)
class Precomputed:
    """What is known of training and held-out rows before they are checked.

    Attributes:
        test_distances: float64 [m], of held-out images to their nearest training image.
        others: the nearest other training rows of each training row; at least 10.
        two_sample: of the same rows and seed, without groups. It is computed again where images
            come in series.
    """

    test_distances: NDArray[np.float64] | None = None
    others: Nearest | None = None
    two_sample: TwoSample | None = None


def check_yardstick(
    *,
    train: Any,
    test: Any,
    sources: Mapping[str, StoredImages | None] | None = None,
    groups: Sequence[Any] | None = None,
    metric: Metric = "absolute_cosine",
    precomputed: Precomputed | None = None,
    seed: int = 0,
) -> Yardstick:
    """Test whether held-out images say how close honest images come to the training images.

    Three checks: `two_sample_test` of the features, `compare_files` of the stored images, and
    `compare_series` of distances inside train and from held-out to training images.

    Args:
        train: float [l, d], features of the training images; NumPy (memory-mapped too) or torch.
        test: float [m, d], features of the held-out images.
        sources: the stored images of "train", "test" and "generated", where there are more than
            features, or what `read_properties` said of them. Where the generated ones differ from
            both others this is said in a note, since it is no fault of the yardstick.
        groups: a label for each row of train, then of test, [l + m]: images of one group (a scene,
            a product, a patient) are not independent; None where each image stands for itself.
        metric: the distance between images.
        precomputed: what is known of these rows already.
        seed: of samples and permutations.

    Returns:
        A `Yardstick`: whether it holds, and the reasons where it does not. `checks` holds a
        `TwoSample`, a `FileDifferences` and a `Series`.

    Raises:
        InputError: the arrays are not features of one backbone.
    """
    arrays = as_feature_sets(train=train, test=test)
    train, test = arrays["train"], arrays["test"]
    checks: dict[str, Any] = {}
    findings: list[_Finding] = []
    if min(row_counts(arrays).values()) >= FEWEST:
        known = precomputed or Precomputed()
        checks = _check_features(train, test, known, groups, metric=metric, seed=seed)
    stored = {role: source for role, source in (sources or {}).items() if source is not None}
    if {"train", "test"} <= stored.keys():
        checks["file_properties"], findings = _check_files(stored, seed)
    findings = [*_judge(checks, has_groups=groups is not None), *findings]
    against = [finding for finding in findings if finding.against]
    notes = [finding for finding in findings if not finding.against]
    return Yardstick(
        holds=not against,
        reasons=tuple(finding.sentence for finding in against),
        notes=tuple(finding.sentence for finding in notes),
        failing=tuple(finding.check for finding in against),
        noted=tuple(finding.check for finding in notes),
        checks=checks,
    )


@dataclass(frozen=True, kw_only=True)
class _Finding:
    """A sentence of a check, and whether it speaks against the yardstick."""

    check: str
    sentence: str
    against: bool = False


def _check_features(
    train: Any,
    test: Any,
    known: Precomputed,
    groups: Sequence[Any] | None,
    *,
    metric: Metric,
    seed: int,
) -> dict[str, Any]:
    """The checks of features; without one of series where no training image can be left out."""
    checks: dict[str, Any] = {}
    rows, of_train, of_test = int(train.shape[0]), None, None
    if groups is not None:
        labels = np.unique(np.asarray(groups).astype(str), return_inverse=True)[1]
        of_train, of_test = labels[:rows], labels[rows:]
    test_distances = known.test_distances
    if test_distances is None:
        test_distances = to_numpy(nearest(test, train, metric=metric).distances)[:, 0]
    left_out = left_out_distances(
        train, metric=metric, seed=seed, groups=of_train, others=known.others
    )
    by_series = False
    if len(left_out.distances) >= FEWEST:
        checks["series"] = series = compare_series(
            left_out=left_out,
            test_distances=test_distances,
            test=test,
            metric=metric,
            seed=seed,
            groups=of_test,
        )
        # Images of one series go to one side together, or every split by series would differ.
        by_series = series.in_series or series.test_in_series
    if known.two_sample is not None and groups is None and not by_series:
        return {**checks, "two_sample": known.two_sample}
    within = link(test_distances)
    checks["two_sample"] = two_sample_test(
        train=train,
        test=test,
        groups=groups,
        linked=partial(link_images, within=within, metric=metric) if by_series else None,
        seed=seed,
    )
    return checks


def _check_files(
    sources: Mapping[str, StoredImages], seed: int
) -> tuple[FileDifferences, list[_Finding]]:
    """The differences of the held-out images, and notes on those that are no reason."""
    properties = {
        role: read_properties(source, seed=seed) if isinstance(source, ImageSource) else source
        for role, source in sources.items()
    }
    differences = compare_files(properties["train"], properties["test"])
    notes = [f"{capitalize(clause)}: hardly a difference." for clause in differences.minor]
    if "generated" in properties:
        own = compare_files(
            properties["train"], properties["generated"], names=("training", "generated")
        )
        notes += [
            f"{capitalize(clause)}. This can hide copies; it says nothing of the held-out images."
            for clause in own.clauses
        ]
    return differences, [_Finding(check="file_properties", sentence=note) for note in notes]


def _judge(checks: dict[str, Any], *, has_groups: bool) -> list[_Finding]:
    """What speaks against the yardstick, and what does not but must be known."""
    two_sample: TwoSample | None = checks.get("two_sample")
    files: FileDifferences | None = checks.get("file_properties")
    series: Series | None = checks.get("series")
    findings: list[_Finding] = []
    if files is not None:
        findings += [
            _Finding(check="file_properties", sentence=f"{capitalize(clause)}.", against=True)
            for clause in files.clauses
        ]
    if two_sample is not None and two_sample.differs:
        sentence = (
            "Held-out images are of another kind than training images: their features differ "
            f"(energy distance {two_sample.size:.3f} of the spread inside the sets, p = "
            f"{two_sample.p_value:.2g})."
        )
        findings.append(_Finding(check="two_sample", sentence=sentence, against=True))
    if series is None:
        return findings
    return [*findings, *_judge_series(series, alone=not findings, has_groups=has_groups)]


def _judge_series(series: Series, *, alone: bool, has_groups: bool) -> list[_Finding]:
    """What close training images, and close held-out images, say."""
    findings: list[_Finding] = []
    if series.in_series:
        sentence = series_sentence(series, alone=alone, has_groups=has_groups)
        findings.append(_Finding(check="series", sentence=sentence, against=True))
    elif series.farther >= FARTHER:
        sentence = (
            "Held-out images are farther from the training images than those are from each other, "
            f"in {share(series.farther)} of comparisons; 50 % is expected."
        )
        findings.append(_Finding(check="farther", sentence=sentence, against=True))
    if series.repeats:
        sentence = (
            f"{series.repeats:,} of {series.train:,} training images are equal to another one. For "
            "the yardstick each different image counts once."
        )
        findings.append(_Finding(check="repeats", sentence=sentence))
    if series.test_in_series:
        sentence = (
            f"Held-out images come in series: {series.test:,} of them form {series.independent:,} "
            "groups of much the same images. They say about as much as that many independent "
            "images; p-values and intervals are too small. Name the groups (audit --groups)."
        )
        findings.append(_Finding(check="test_series", sentence=sentence))
    return findings


def series_sentence(series: Series, *, alone: bool, has_groups: bool = False) -> str:
    """What training images close to each other mean, as a sentence.

    Args:
        series: the check.
        alone: nothing else explains it.
        has_groups: whole groups were left out.
    """
    other = "a training image of another group" if has_groups else "another training image"
    close = (
        f"{share(series.train_share)} of the training images are closer to {other} than held-out "
        "images ever are to any"
    )
    if not alone:
        return f"{close}: because of this difference, or since they come in series."
    if has_groups:
        return (
            f"Training images come in series beyond the given groups: {close}. Give groups that "
            "hold all images of a scene, product or patient (near-duplicates too), or hold out "
            "images at random."
        )
    return (
        f"Training images come in series: {close}. New images of trained scenes, products or "
        "patients are as close without being copies. Name the groups of an audit (--groups), or "
        "hold out images of the same series."
    )
