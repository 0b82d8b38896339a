"""`genmem.score`: from two or three sets of images to everything the command line prints."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from genmem.arrays import check_at_least, check_feature_sets
from genmem.features import Device, is_feature_source
from genmem.images import Progress
from genmem.results import Json, Result, Score
from genmem.scoring.closest import closest_pairs
from genmem.scoring.compute import measure
from genmem.scoring.inputs import Inputs, Rows, prepare, provenance
from genmem.scoring.plan import Plan, make_plan
from genmem.scoring.shared_searches import Sets, nearest_distances

_MEANINGS = (
    ("generated", "train", "every image is its own nearest training image, at distance 0."),
    ("generated", "test", "these numbers are those of the held-out images, not of a model."),
    ("test", "train", "the test set is no yardstick; give images that were not trained on."),
)


def score(
    *,
    generated: Any,
    train: Any,
    test: Any = None,
    backbone: str = "inception",
    metrics: Sequence[str] | None = None,
    tau: float | None = None,
    seed: int = 0,
    weights: str | Path | None = None,
    device: Device = "auto",
    skip_broken: bool = False,
    progress: Progress | None = None,
) -> Score:
    """How good and how copied a set of generated images is.

    Args:
        generated: a folder, .zip, .tar, .parquet, .npy/.npz or `hf:DATASET[:split]`; uint8 images
            [n, H, W, 3] or float features [n, d] in memory; or an iterable of images.
        train: the training set, in any of these forms.
        test: images of the same kind that were not trained on; None: no yardstick, no c_t.
        backbone: which features (`genmem backbones` lists them); unused where features are given.
        metrics: names to compute; None: all that the data allow.
        tau: MiFID's threshold; None: the backbone's published one, if there is one.
        seed: of everything random.
        weights: the backbone's weights file; None: looked for.
        device: "auto", "cpu", "cuda" or "mps".
        skip_broken: leave broken images out, and say so, instead of stopping.
        progress: called with (stage, done, total or None).

    Returns:
        A `Score`: metrics, inputs, the closest pairs, and where all of it came from.

    Raises:
        InputError: a set is empty, broken, not finite, or does not go with the others.
        UsageError: a metric, backbone, τ or device that does not exist or lacks what it needs.
        WeightsError: the backbone's weights are not here and cannot be had.
    """
    started = time.perf_counter()
    given = {"generated": generated, "train": train}
    if test is not None:
        given["test"] = test
    plan = plan_for(given, metrics=metrics, tau=tau, seed=seed, backbone=backbone)
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
        extracted = time.perf_counter()
        result = score_inputs(inputs, plan, seed=seed, progress=progress)
    total = time.perf_counter() - started
    seconds = {"features": extracted - started, **result.seconds, "total": total}
    return replace(result, seconds=seconds)


def plan_for(
    given: dict[str, Any],
    *,
    metrics: Sequence[str] | None,
    tau: float | None,
    seed: int,
    backbone: str,
) -> Plan:
    """The plan for the sets given by role, decided by what they are, before any is read."""
    features = {role: is_feature_source(source) for role, source in given.items()}
    name = "features" if all(features.values()) else backbone
    return make_plan(
        metrics,
        tau=tau,
        seed=seed,
        backbone=name,
        has_test="test" in given,
        has_logits=name == "inception" and not features["generated"],
    )


def score_inputs(
    inputs: Inputs, plan: Plan, *, seed: int, progress: Progress | None = None
) -> Score:
    """`score` on sets whose features are there already."""
    rows = inputs.rows
    generated, train, test = rows["generated"], rows["train"], rows.get("test")
    check_feature_sets({role: one.array for role, one in rows.items()})
    if not plan.chosen:
        for role in ("generated", "train"):
            summary = rows[role].summary
            why = f"one image is no set to compare. Give more in {summary.source}."
            check_at_least(summary.count, 2, role=role, why=why)
    sets = Sets(
        generated=generated.array,
        train=train.array,
        test=None if test is None else test.array,
        logits=generated.logits,
        progress=progress,
    )
    found, left_out = measure(sets, plan, seed=seed)
    if inputs.backbone == "inception":
        found = _with_fid(found)
    return Score(
        metrics=found,
        inputs={role: one.summary for role, one in rows.items()},
        backbone=_backbone(inputs, train),
        provenance=provenance(seed=seed),
        seconds=sets.seconds,
        nearest=nearest_distances(sets),
        closest=closest_pairs(sets.generated_nearest, generated=generated, train=train),
        notes=(*set_notes(rows), *plan.left_out, *left_out),
    )


def _with_fid(found: Mapping[str, Result]) -> dict[str, Result]:
    """FD on Inception features is FID, and is found under that name too."""
    both: dict[str, Result] = {}
    for name, result in found.items():
        both[name] = result
        if name == "fd":
            both["fid"] = replace(result, name="fid")
    return both


def _backbone(inputs: Inputs, train: Rows) -> dict[str, Json]:
    if inputs.extractor is None:
        return {"name": "features", "dimension": int(train.array.shape[1])}
    return inputs.extractor.describe()


def set_notes(rows: dict[str, Rows]) -> list[str]:
    """Sentences on sets that are the same, and on broken images that were left out."""
    return [*_same_sets(rows), *_skipped(rows)]


def _same_sets(rows: dict[str, Rows]) -> list[str]:
    """Sentences on sets that are the same images in the same order, byte for byte."""
    return [
        f"{one} and {other} are the same set, byte for byte: {meaning}"
        for one, other, meaning in _MEANINGS
        if one in rows and other in rows and rows[one].summary.digest == rows[other].summary.digest
    ]


def _skipped(rows: dict[str, Rows]) -> list[str]:
    return [
        f"{len(one.summary.skipped):,} broken images of {role} were left out."
        for role, one in rows.items()
        if one.summary.skipped
    ]
