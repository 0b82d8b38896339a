"""`score` in several feature spaces: all metrics in each, one verdict over all."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from genmem.errors import UsageError
from genmem.features import BackboneLike, FeatureExtractor, find_backbone
from genmem.metrics.fd_ratio import FrechetRatio, mean_fd_ratio
from genmem.results import Json, Score
from genmem.scoring.feature_sets import (
    ExtractOptions,
    load_feature_sets,
    open_backbones,
    open_sets,
)
from genmem.scoring.gpu import on_gpu
from genmem.scoring.one_space import compute_score
from genmem.scoring.plan import Plan
from genmem.scoring.stored_sets import StoredSet
from genmem.scoring.verdict_evidence import Gathered, gather, judge_over_spaces


@dataclass(frozen=True, kw_only=True)
class _Space:
    """One feature space: its score without a verdict, and what goes into that of all."""

    gathered: Gathered
    ratio: FrechetRatio | None


def score_in_spaces(
    sources: Mapping[str, Any],
    backbones: Sequence[BackboneLike],
    plans: Sequence[Plan],
    *,
    stack: ExitStack,
    options: ExtractOptions,
) -> Score:
    """The score of the same sets in several feature spaces.

    Args:
        sources: by role, opened references among them.
        backbones: two or more.
        plans: which metrics to compute, one a backbone.
        stack: closes the image sources when the caller is done with them.
        options: device, broken images and progress.

    Returns:
        `Score.spaces` holds a score for each backbone, all with the one verdict; `metrics` what is
        of all spaces.

    Raises:
        InputError, UsageError, WeightsError: as `genmem.score`.
    """
    opened = open_sets(sources, stack=stack, options=options, statistics=True)
    for source in opened.values():
        for backbone in backbones if isinstance(source, StoredSet) else ():
            source.reference.space(find_backbone(backbone).name)
    extractors = open_backbones(backbones, list(opened.values()), options)
    if None in extractors:
        raise UsageError(
            "backbone: the sets are features, which belong to one feature space; give images, or "
            "leave the backbones out."
        )
    spaces: dict[str, _Space] = {}
    for extractor, plan in zip(extractors, plans, strict=True):
        if extractor is not None:
            spaces[extractor.backbone.name] = _score_space(
                sources,
                extractor,
                plan,
                opened=opened,
                stack=stack,
                options=options,
                files=not spaces,
            )
    return _in_one(spaces)


def _score_space(
    sources: Mapping[str, Any],
    extractor: FeatureExtractor,
    plan: Plan,
    *,
    opened: Mapping[str, Any],
    stack: ExitStack,
    options: ExtractOptions,
    files: bool,
) -> _Space:
    started = time.perf_counter()
    sets = load_feature_sets(
        sources, stack=stack, backbone=extractor, options=options, statistics=True, opened=opened
    )
    extracted = time.perf_counter() - started
    sets = on_gpu(sets, options.device)
    result, inputs = compute_score(sets, plan, progress=options.progress)
    gathered = gather(result, sets, inputs, files=files)
    seconds = {"features": extracted, **inputs.seconds}
    return _Space(
        gathered=replace(gathered, score=replace(gathered.score, seconds=seconds)),
        ratio=inputs.test_ratio if "fd_ratio" in result.metrics else None,
    )


def _in_one(spaces: Mapping[str, _Space]) -> Score:
    """One score of all: a verdict, a yardstick, and the mean of the ratios."""
    verdict, yardstick = judge_over_spaces([space.gathered for space in spaces.values()])
    scores = {name: space.gathered.score for name, space in spaces.items()}
    ratios = [space.ratio for space in spaces.values() if space.ratio is not None]
    metrics = {"fd_ratio": mean_fd_ratio(ratios)} if len(ratios) == len(spaces) else {}
    first = next(iter(scores.values()))
    shared = [note for note in first.notes if all(note in one.notes for one in scores.values())]
    fails = yardstick is not None and not yardstick.holds
    scores = {
        name: replace(
            one,
            notes=tuple(note for note in one.notes if note not in shared),
            verdict=verdict,
            yardstick=yardstick if fails else one.yardstick,
        )
        for name, one in scores.items()
    }
    backbone: dict[str, Json] = {"names": list(scores)}
    return Score(
        metrics=metrics,
        inputs=first.inputs,
        backbone=backbone,
        provenance=first.provenance,
        seconds={"features": sum(one.seconds["features"] for one in scores.values())},
        nearest={},
        notes=tuple(shared),
        verdict=verdict,
        yardstick=yardstick,
        spaces=scores,
    )
