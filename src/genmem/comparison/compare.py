"""`genmem.compare`: each model scored against the same train and test, then set side by side."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from genmem.arrays import as_source
from genmem.comparison.differences import differences
from genmem.comparison.ranks import ranks
from genmem.comparison.results import Comparison, Difference, Rank
from genmem.errors import InputError, UsageError
from genmem.features import BackboneLike, Device
from genmem.images import ValueRange
from genmem.progress import ProgressOption, show_progress
from genmem.results import Score, Yardstick
from genmem.scoring.feature_sets import ExtractOptions, load_feature_sets
from genmem.scoring.gpu import on_gpu
from genmem.scoring.one_space import score_feature_sets
from genmem.scoring.plan import plan_for
from genmem.scoring.stored_sets import default_backbone, open_references

MIN_MODELS = 2


def compare(
    models: Mapping[str, Any],
    *,
    train: Any,
    test: Any = None,
    backbone: BackboneLike | None = None,
    metrics: Sequence[str] | None = None,
    tau: float | None = None,
    seed: int = 0,
    weights: str | Path | None = None,
    device: Device = "auto",
    batch_size: int | None = None,
    value_range: ValueRange | None = None,
    skip_broken: bool = False,
    progress: ProgressOption = None,
) -> Comparison:
    """Score several generators against one training set, and set them side by side.

    Args:
        models: generated images or features by the model's name, each as `generated` of
            `genmem.score`; two or more.
        train: the training set, as for `genmem.score`; its features are computed once.
        test: held-out images of the same kind; None takes those of a reference.
        backbone: feature space, as for `genmem.score`.
        metrics: names or aliases of metrics; None for all that the data allow.
        tau: MiFID's threshold; None for the backbone's published one, if there is one.
        seed: seed of everything random.
        weights: weights file of the backbone; None to look for it.
        device: where the backbone runs, as for `genmem.score`.
        batch_size: as for `genmem.score`.
        value_range: as for `genmem.score`.
        skip_broken: leave broken images out, with a note, instead of stopping at the first.
        progress: as for `genmem.score`.

    Returns:
        The score of each model, differences of all pairs with intervals, and ranks with ties.

    Raises:
        InputError: a set is empty, broken, not finite, or does not go with the others.
        UsageError: fewer than two models, or as for `genmem.score`.
        WeightsError: the backbone's weights are missing and cannot be obtained.

    Example:
        >>> import numpy as np
        >>> import genmem
        >>> train, honest, shifted = np.random.default_rng(0).normal(size=(3, 200, 4))
        >>> result = genmem.compare(
        ...     {"honest": honest, "shifted": shifted + 1}, train=train, metrics=["fd"]
        ... )
        >>> {model: rank.place for model, rank in result.ranks["fd"].items()}
        {'honest': 1, 'shifted': 2}
    """
    if not isinstance(models, Mapping) or len(models) < MIN_MODELS:
        raise UsageError(
            "models: expected a dict of two or more, {name: images or features}, got "
            f"{len(models) if isinstance(models, Mapping) else type(models).__name__}."
        )
    if not all(isinstance(name, str) and name for name in models):
        raise UsageError(f"models: expected names that are texts, got {list(models)!r}.")
    fixed: dict[str, Any] = {"train": as_source(train, role="train")}
    if test is not None:
        fixed["test"] = as_source(test, role="test")
    fixed = open_references(fixed)
    backbone = default_backbone(fixed["train"]) if backbone is None else backbone
    sources = {name: as_source(model, role=name) for name, model in models.items()}
    plans = {
        name: plan_for(
            {"generated": source, **fixed}, metrics=metrics, tau=tau, seed=seed, backbone=backbone
        )
        for name, source in sources.items()
    }
    scores: dict[str, Score] = {}
    yardstick: Yardstick | None = None
    loaded: Any = backbone
    with show_progress(progress) as show, ExitStack() as stack:
        options = ExtractOptions(
            weights=weights,
            device=device,
            batch_size=batch_size,
            value_range=value_range,
            skip_broken=skip_broken,
            progress=show,
        )
        for name, source in sources.items():
            started = time.perf_counter()
            with _named(name):
                sets = load_feature_sets(
                    {"generated": source, **fixed},
                    stack=stack,
                    backbone=loaded,
                    options=options,
                    statistics=True,
                )
                loaded = sets.extractor or loaded
                fixed = {role: one for role, one in sets.by_role.items() if role != "generated"}
                extracted = time.perf_counter()
                score = score_feature_sets(
                    on_gpu(sets, device), plans[name], yardstick=yardstick, progress=show
                )
            yardstick = score.yardstick
            total = time.perf_counter() - started
            seconds = {"features": extracted - started, **score.seconds, "total": total}
            scores[name] = replace(score, seconds=seconds)
    return comparison_of(scores)


@contextmanager
def _named(model: str) -> Iterator[None]:
    """Say of which model an error is; its images are "generated" in all of them."""
    try:
        yield
    except InputError as error:
        raise InputError(f"scoring {model}: {error}") from error


def comparison_of(scores: Mapping[str, Score]) -> Comparison:
    """The comparison of scores against the same train and test.

    Args:
        scores: by model, two or more.
    """
    pairs: list[Difference] = []
    by_metric: dict[str, dict[str, Rank]] = {}
    for metric in dict.fromkeys(name for score in scores.values() for name in score.metrics):
        results = {
            name: one[metric]
            for name, one in scores.items()
            if metric in one.metrics and math.isfinite(one[metric].value)
        }
        if len(results) < MIN_MODELS:
            continue
        of_metric = differences(results, metric=metric)
        pairs += of_metric
        places = ranks(results, of_metric, metric=metric)
        if places is not None:
            by_metric[metric] = places
    return Comparison(
        scores=scores, ranks=by_metric, differences=tuple(pairs), notes=tuple(_notes(scores))
    )


def _notes(scores: Mapping[str, Score]) -> list[str]:
    """What a reader must know: copying models, unequal or equal sets, and each score's notes."""
    notes = []
    copying = [
        name for name, score in scores.items() if score.verdict and score.verdict.label == "copying"
    ]
    if copying:
        notes.append(
            f"{', '.join(copying)}: copying. FD and other measures of quality reward copies, so "
            "these ranks say nothing of how good the model is."
        )
    counts = {name: score.inputs["generated"].count for name, score in scores.items()}
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{name} {count or 0:,}" for name, count in counts.items())
        notes.append(
            f"the models have unequal numbers of images ({listed}): FD falls with the number, and "
            "precision, recall, density and coverage depend on it. Give as many of each."
        )
    same = [
        f"{first} and {second}"
        for place, first in enumerate(scores)
        for second in list(scores)[place + 1 :]
        if scores[first].inputs["generated"].digest == scores[second].inputs["generated"].digest
    ]
    notes += [f"{pair} are the same images, byte for byte." for pair in same]
    models: dict[str, list[str]] = {}
    for name, score in scores.items():
        for note in score.notes:
            models.setdefault(note, []).append(name)
    return notes + [
        note if len(names) == len(scores) else f"{', '.join(names)}: {note}"
        for note, names in models.items()
    ]
