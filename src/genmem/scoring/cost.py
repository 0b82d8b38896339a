"""What a comparison costs, estimated before it starts: images, bytes of features, pairs, time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from genmem.errors import InputError
from genmem.features import (
    BackboneLike,
    FeatureExtractor,
    is_feature_source,
    is_statistics,
    load_features,
)
from genmem.formatting import count, duration
from genmem.images import ImageSource, decode, stack_images
from genmem.images.prefetch import usable_cores
from genmem.reference import is_reference, open_reference
from genmem.scoring.feature_sets import ExtractOptions, open_backbones, open_set

_TIMED_IMAGES = 32

Pairs = Callable[[Mapping[str, int]], int]
"""Pairs of rows that are compared, from the number of rows by role."""


def score_pairs(names: Sequence[str] | None) -> Pairs:
    """The pairs that `genmem.score` compares: cosine and Euclidean neighbors in the training set.

    Args:
        names: metrics that were chosen; None: all. Precision, recall, density and coverage also
            compare the images of each set with each other.
    """
    within = names is None or bool(set(names) & {"precision", "recall", "density", "coverage"})

    def pairs(counts: Mapping[str, int]) -> int:
        train = counts.get("train", 0)
        others = sum(number for role, number in counts.items() if role != "train")
        squares = (train + counts["generated"]) ** 2 if within else 0
        return 2 * others * train + squares

    return pairs


def audit_pairs(counts: Mapping[str, int]) -> int:
    """The pairs that `genmem.audit` compares in one space, without augmentations."""
    honest = counts.get("test", min(counts["train"], 10_000))
    return (counts["generated"] + honest) * counts["train"]


def reference_pairs(counts: Mapping[str, int]) -> int:
    """The pairs that `genmem reference` compares: training rows with each other and with test."""
    return counts["train"] ** 2 + 2 * counts.get("test", 0) * counts["train"]


def calibration_pairs(counts: Mapping[str, int]) -> int:
    """The pairs that `genmem calibrate` compares in one space."""
    return sum(number for role, number in counts.items() if role != "train") * counts["train"]


@dataclass(frozen=True, kw_only=True)
class Cost:
    """An upper bound: what the cache holds already is not computed again.

    Attributes:
        images: images to read, in every feature space.
        spaces: feature spaces.
        feature_bytes: bytes of their features.
        pairs: pairs of rows to compare, over all spaces.
        seconds: of all work on one core of this machine; None where no image can be timed.
    """

    images: int
    spaces: int
    feature_bytes: int
    pairs: int
    seconds: float | None

    def describe(self, workers: int) -> str:
        """One line, with the time that so many workers take."""
        parts = []
        if self.images:
            spaces = "" if self.spaces == 1 else f" in {count(self.spaces, 'feature space')}"
            gigabytes = self.feature_bytes / 1e9
            parts.append(f"at most {count(self.images, 'image')} to embed{spaces}")
            parts.append(f"{gigabytes:.1f} GB of features")
        if self.pairs:
            parts.append(f"{self.pairs:.2g} pairs of rows to compare")
        if self.seconds is not None:
            expected = duration(max(1.0, self.seconds / workers))
            parts.append(f"about {expected} with {count(workers, 'worker')}")
        return "; ".join(parts)


def estimate_cost(
    sources: Mapping[str, Any],
    *,
    backbones: Sequence[BackboneLike],
    options: ExtractOptions,
    pairs: Pairs | None = None,
) -> Cost:
    """Open the sets, and estimate what it costs to embed and to compare them.

    Args:
        sources: the sets by role, as for `genmem.score`; an opened source stays open.
        backbones: the feature spaces.
        options: weights and device.
        pairs: pairs of rows compared in one space; None: none.

    Raises:
        InputError, UsageError, WeightsError: as `genmem.score`.
    """
    with ExitStack() as stack:
        opened, counts, dimension = {}, {}, None
        for role, source in sources.items():
            if is_statistics(source):
                continue
            if is_reference(source):
                source = open_reference(source).space().features("train")
            if is_feature_source(source):
                rows = load_features(source, role=role).array
                counts[role], dimension = len(rows), rows.shape[1]
                continue
            if isinstance(source, ImageSource):
                opened[role] = source
            else:
                opened[role] = stack.enter_context(open_set(source, role, options))
            counts[role] = len(opened[role])
        per_space = pairs(counts) if pairs else 0
        images = sum(map(len, opened.values()))
        extractors = open_backbones(backbones, list(opened.values()), options) if opened else [None]
        stored, seconds = 0, 0.0
        for extractor in extractors:
            width = extractor.dimension if extractor else dimension
            if extractor is not None:
                rate = images_per_second(extractor, next(iter(opened.values())))
                width = width or extractor.dimension
                stored += 4 * (width or 0) * images
                seconds += images / rate * usable_cores() if rate else float("nan")
            seconds += search_seconds(per_space, width or 1)
    return Cost(
        images=images * len(extractors) if opened else 0,
        spaces=len(extractors),
        feature_bytes=stored,
        pairs=per_space * len(extractors),
        seconds=None if seconds != seconds else seconds,
    )


def search_seconds(pairs: int, dimension: int) -> float:
    """Seconds to compare pairs of rows, roughly, at the measured speed of one core here."""
    import torch

    side = 1_024
    first, second = torch.ones(side, dimension), torch.ones(side, dimension)
    torch.mm(first, second.T)
    started = time.perf_counter()
    torch.mm(first, second.T)
    seconds = (time.perf_counter() - started) * torch.get_num_threads()
    return seconds / side**2 * pairs * 1.3


def images_per_second(
    extractor: FeatureExtractor, source: ImageSource, *, most: int = _TIMED_IMAGES
) -> float | None:
    """Images a second, judged by the source's first images; None where none can be timed.

    Images are decoded and transformed in a thread per core, beside the network, which uses all
    cores: the times of both add up.

    Args:
        extractor: from `load_backbone`.
        source: the images.
        most: images to time, at most; never more than 32.
    """
    prepared, started = [], time.perf_counter()
    for position in range(min(_TIMED_IMAGES, most, len(source))):
        try:
            pixels = decode(source.content(position), name=source.id(position))
        except InputError:  # reported when features are extracted
            continue
        prepared.append(extractor.transform(pixels))
    preparing = time.perf_counter() - started
    shapes = {image.shape for image in prepared}
    if not prepared or (len(shapes) > 1 and not extractor.backbone.takes_any_shape):
        return None
    batch = stack_images(prepared)
    extractor.run(batch)
    started = time.perf_counter()
    extractor.run(batch)
    running = time.perf_counter() - started
    return len(prepared) / max(preparing / usable_cores() + running, 1e-6)
