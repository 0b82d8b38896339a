"""`genmem.score`: from two or three sets of images to everything the command line prints."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from genmem.arrays import as_feature_sets, as_source, check_at_least, check_same_dimension
from genmem.distributed import use_workers
from genmem.features import (
    BackboneLike,
    Device,
    find_backbone,
    is_feature_source,
    is_statistics,
)
from genmem.images import Progress
from genmem.metrics.registry import metrics as all_metrics
from genmem.provenance import provenance
from genmem.results import Result, Score, Yardstick
from genmem.scoring.closest import closest_pairs
from genmem.scoring.compute import compute_metrics
from genmem.scoring.feature_sets import (
    ExtractOptions,
    FeatureSet,
    FeatureSets,
    left_out_notes,
    load_feature_sets,
    on_gpu,
)
from genmem.scoring.metric_inputs import MetricInputs
from genmem.scoring.plan import Plan, build_plan
from genmem.scoring.stored_sets import (
    StoredSet,
    default_backbone,
    open_references,
    reference_notes,
    reference_provenance,
)
from genmem.scoring.verdict_evidence import add_verdict
from genmem.set_statistics import Statistics

_SAME_SETS = (
    ("generated", "train", "every image is its own nearest training image, at distance 0."),
    ("generated", "test", "these numbers are those of the held-out images, not of a model."),
    ("test", "train", "there is nothing to compare with; give images that were not trained on."),
)
"""Two roles that can hold the same set, and what follows."""


def score(
    *,
    generated: Any,
    train: Any,
    test: Any = None,
    backbone: BackboneLike | None = None,
    metrics: Sequence[str] | None = None,
    tau: float | None = None,
    seed: int = 0,
    weights: str | Path | None = None,
    device: Device = "auto",
    skip_broken: bool = False,
    ray: str | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> Score:
    """Score the quality of generated images and how much they copy the training set.

    Args:
        generated: a folder, .zip, .tar, .parquet, .npy/.npz, several of them by a pattern, a URL or
            `hf:DATASET[:split]` (`docs/sources.md`); uint8 images
            [n, H, W, 3] or float features [n, d] in memory; or an iterable of images.
        train: the training set, in any of these forms; or its mean and covariance (`Statistics`, or
            an .npz file with mu and sigma), which serve FD only; or a reference
            (`genmem.open_reference`, or its folder), which takes the place of the images.
        test: held-out images of the same kind; None takes those of a reference, and without any
            leaves out the metrics that need them.
        backbone: feature space: a name (`genmem backbones` lists them), or a network of your own as
            a file, torch module, callable or `custom_backbone`; unused where features are given.
            None takes the first of a reference, else "inception".
        metrics: names or aliases of metrics; None for all that the data allow.
        tau: MiFID's threshold; None for the backbone's published one, if there is one.
        seed: seed of everything random.
        weights: weights file of the backbone; None to look for it.
        device: "auto", "cpu", "cuda" or "mps": where the backbone runs. On CUDA searches, FD and KD
            are computed there too, as far as the rows fit.
        skip_broken: leave broken images out, with a note, instead of stopping at the first.
        ray: address of a Ray cluster that does the work, or "local"; None: this machine. Its
            machines see the images and the cache folder under the same names.
        workers: processes of this machine that do the work, where there is no address.
        progress: called with (stage, done, total or None).

    Returns:
        A `Score`: metrics, inputs, the closest pairs, and where all of it came from.

    Raises:
        InputError: a set is empty, broken, not finite, or does not go with the others.
        UsageError: a metric, backbone, τ or device that does not exist or lacks what it needs.
        WeightsError: the backbone's weights are missing and cannot be obtained.

    Example:
        >>> import numpy as np
        >>> import genmem
        >>> rng = np.random.default_rng(0)
        >>> train, test = rng.normal(size=(2, 100, 8))
        >>> copies = np.concatenate([train[:50], rng.normal(size=(50, 8))])
        >>> result = genmem.score(
        ...     generated=copies, train=train, test=test, metrics=["copied_fraction", "c_t"]
        ... )
        >>> print(f"{float(result['copied_fraction']):.0%} copied")
        50% copied
    """
    started = time.perf_counter()
    sources = {"generated": generated, "train": train}
    if test is not None:
        sources["test"] = test
    sources = {role: as_source(source, role=role) for role, source in sources.items()}
    sources = open_references(sources)
    backbone = default_backbone(sources["train"]) if backbone is None else backbone
    plan = plan_for(sources, metrics=metrics, tau=tau, seed=seed, backbone=backbone)
    options = ExtractOptions(
        weights=weights, device=device, skip_broken=skip_broken, progress=progress
    )
    with use_workers(ray, workers, progress=progress), ExitStack() as stack:
        sets = load_feature_sets(
            sources, stack=stack, backbone=backbone, options=options, statistics=True
        )
        extracted = time.perf_counter()
        result = score_feature_sets(on_gpu(sets, device), plan, progress=progress)
    total = time.perf_counter() - started
    seconds = {"features": extracted - started, **result.seconds, "total": total}
    return replace(result, seconds=seconds)


def plan_for(
    sources: Mapping[str, Any],
    *,
    metrics: Sequence[str] | None,
    tau: float | None,
    seed: int,
    backbone: BackboneLike,
) -> Plan:
    """The plan for the sets given by role, decided by what they are, before any is read."""
    of_statistics = is_statistics(sources["train"])
    are_features = {
        role: (role == "train" and of_statistics)
        or isinstance(source, StoredSet)
        or is_feature_source(source)
        for role, source in sources.items()
    }
    name = "features" if all(are_features.values()) else find_backbone(backbone).name
    available = [need for need in ("test",) if need in sources]
    if not of_statistics:
        available.append("train_rows")
    if name == "inception" and not are_features["generated"]:
        available.append("logits")
    return build_plan(metrics, tau=tau, seed=seed, backbone=name, available=available)


def score_feature_sets(
    sets: FeatureSets,
    plan: Plan,
    *,
    yardstick: Yardstick | None = None,
    progress: Progress | None = None,
) -> Score:
    """`score` on sets whose features are extracted.

    Args:
        sets: the features by role.
        plan: which metrics to compute.
        yardstick: of the same train and test, where it is known.
        progress: as for `score`.
    """
    by_role = sets.by_role
    generated, train, test = by_role["generated"], by_role["train"], by_role.get("test")
    statistics = _statistics_of_train(train, backbone=sets.backbone)
    _check_sets(by_role, plan, statistics)
    inputs = MetricInputs(
        generated=generated.array,
        train=train.array,
        test=None if test is None else test.array,
        logits=generated.logits,
        tau=plan.tau,
        seed=plan.seed,
        statistics=statistics,
        space=None if train.stored is None else train.stored.space,
        is_held_out=test is not None and test.stored is not None,
        progress=progress,
    )
    results, left_out = compute_metrics(inputs, plan)
    if sets.backbone == "inception":
        results = _with_inception_names(results)
    result = Score(
        metrics=results,
        inputs={role: features.summary for role, features in by_role.items()},
        backbone=sets.describe_backbone(),
        provenance={
            **provenance(seed=plan.seed),
            **({"train_moments": _statistics_source(train)} if statistics is not None else {}),
            **reference_provenance(train.stored),
        },
        seconds=inputs.seconds,
        nearest=inputs.nearest_distances(),
        closest=()
        if train.array is None
        else closest_pairs(inputs.generated_nearest, generated=generated, train=train),
        notes=(*_notes(sets), *plan.left_out, *left_out),
    )
    return add_verdict(result, sets, inputs, yardstick=yardstick)


def _notes(sets: FeatureSets) -> tuple[str, ...]:
    """Notes on the sets, whatever the metrics."""
    train, test = sets.by_role["train"], sets.by_role.get("test")
    return (
        *set_notes(sets.by_role),
        *_statistics_notes(sets.by_role, backbone=sets.backbone),
        *reference_notes(
            train.stored,
            None if test is None else test.stored,
            pictures=sets.by_role["generated"].source is not None,
        ),
        *sets.notes(),
    )


def _check_sets(
    by_role: Mapping[str, FeatureSet], plan: Plan, statistics: Statistics | None
) -> None:
    """Raise InputError unless the sets have one dimension, and images enough for the plan."""
    rows = {role: features.array for role, features in by_role.items()}
    as_feature_sets(**{role: array for role, array in rows.items() if array is not None})
    if statistics is not None:
        check_same_dimension(generated=rows["generated"], train=statistics.sigma)
    if not plan.chosen:
        for role in ("generated", "train"):
            summary = by_role[role].summary
            why = f"one image is no set to compare. Give more in {summary.source}."
            if summary.count is not None:
                check_at_least(summary.count, 2, role=role, why=why)


_OF_STATISTICS = "inception"
"""The feature space of the statistics that lie beside images: ADM's batches hold Inception's."""


def _statistics_of_train(train: FeatureSet, *, backbone: str) -> Statistics | None:
    """The statistics that take the place of the training rows in FD; None where there are none."""
    return train.statistics if train.array is None or backbone == _OF_STATISTICS else None


def _statistics_source(train: FeatureSet) -> str:
    return f"mu and sigma of {train.summary.source}"


def _statistics_notes(by_role: Mapping[str, FeatureSet], *, backbone: str) -> Iterator[str]:
    """Sentences on files that hold statistics: what is computed from them and what is not."""
    for role, features in by_role.items():
        if features.statistics is None:
            continue
        if features.array is None:
            yield (
                f"fd is computed from the {_statistics_source(features)}. The file does not say "
                f"which backbone they are of; they are taken as those of {backbone}."
            )
        elif role == "train" and backbone == _OF_STATISTICS:
            yield (
                f"fd is computed from the {_statistics_source(features)}, which describe the whole "
                f"data set; everything else from its {len(features.array):,} images."
            )
        else:
            why = "FD takes them of train" if role != "train" else f"FD is of {backbone} features"
            yield f"the {_statistics_source(features)} ({_OF_STATISTICS}) are not used: {why}."


def _with_inception_names(results: Mapping[str, Result]) -> dict[str, Result]:
    """On Inception features some results have a second name: FD is FID."""
    known = all_metrics()
    named: dict[str, Result] = {}
    for name, result in results.items():
        named[name] = result
        if inception := known[name].inception:
            named[inception[0]] = replace(result, name=inception[0])
    return named


def set_notes(by_role: Mapping[str, FeatureSet]) -> list[str]:
    """Sentences on sets that are the same, and on images and side files that were left out."""
    same = [
        f"{first} and {second} are the same set, byte for byte: {meaning}"
        for first, second, meaning in _SAME_SETS
        if first in by_role
        and second in by_role
        and by_role[first].summary.digest == by_role[second].summary.digest
    ]
    return [*same, *left_out_notes(by_role)]
