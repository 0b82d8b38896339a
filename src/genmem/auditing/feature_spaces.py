"""The search in one feature space: features of every augmentation, and nearest training images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from genmem.arrays import take_rows
from genmem.auditing.augment_option import AugmentationFamilies
from genmem.auditing.search import Matches, Queries, nearest_over_augmentations
from genmem.auditing.space_results import Ints
from genmem.auditing.stored_matches import stored_honest
from genmem.features import (
    Backbone,
    BackboneLike,
    Backbones,
    FeatureExtractor,
    LoadedBackbone,
    extract,
    find_backbone,
    find_backbones,
    image_transform,
    is_feature_source,
    is_pixels,
    list_backbones,
    pixels,
)
from genmem.images import IDENTITY, Augmentation, ImageSource, read_batches
from genmem.neighbors import Metric
from genmem.reference import Reference
from genmem.scoring.feature_sets import ExtractOptions, FeatureSets, name_set
from genmem.scoring.stored_sets import StoredSet

DEFAULT_BACKBONES = ("efficientnet-lite0", "pixels@64")
"""Spaces that need no download and take images of any size."""

PLANTED = "planted"
"""The role of planted copies among an audit's sets (`power`)."""

REFERENCE = 10
"""Rank of the neighbor that pixel distances are divided by; searches have at least this depth."""

_BLOCK_ROWS = 16_384
_STREAM_ROWS = 2_048


def find_audit_backbones(
    backbone: Backbones | None,
    sources: Mapping[str, Any],
    *,
    weights: str | Path | None,
) -> list[Backbone | LoadedBackbone]:
    """`find_backbones`, but `pixels` is `pixels@64`, which takes images of any size.

    Args:
        backbone: as for `find_backbones`; None for all of a reference, else `DEFAULT_BACKBONES`.
        sources: the sets by role; a reference opened.
        weights: the weights file that was given, for one backbone.

    Raises:
        UsageError: as `find_backbones`; or a reference lacks a backbone.
    """
    train = sources["train"]
    listed = list_backbones(default_backbones(sources) if backbone is None else backbone)
    if isinstance(train, StoredSet):
        return _find_stored_backbones(listed, sources, train.reference, weights)
    stretched = [pixels.STRETCHED if _is_plain_pixels(one) else one for one in listed]
    return find_backbones(stretched, weights=weights)


def default_backbones(sources: Mapping[str, Any]) -> tuple[str, ...]:
    """The backbones where none is named: all of a reference, else `DEFAULT_BACKBONES`.

    Args:
        sources: the sets by role; a reference opened.
    """
    train = sources["train"]
    if not isinstance(train, StoredSet) or not _has_images(sources):
        return DEFAULT_BACKBONES
    # Features that no backbone made are no space for images; the default ones are refused then.
    return tuple(name for name in train.reference.spaces if name != "features") or DEFAULT_BACKBONES


def _has_images(sources: Mapping[str, Any]) -> bool:
    return not all(isinstance(one, StoredSet) or is_feature_source(one) for one in sources.values())


def _find_stored_backbones(
    backbones: Sequence[BackboneLike],
    sources: Mapping[str, Any],
    reference: Reference,
    weights: str | Path | None,
) -> list[Backbone | LoadedBackbone]:
    """The backbones of a reference: its features are not made again, so that `pixels` is itself."""
    networks = find_backbones(backbones, weights=weights)
    for network in networks if _has_images(sources) else ():
        reference.space(find_backbone(network).name)
    return networks


def _is_plain_pixels(backbone: BackboneLike) -> bool:
    return backbone is pixels.BACKBONE or backbone == pixels.BACKBONE.name


def distance_metric(space: str) -> Metric:
    """The distance of a feature space: Euclidean for pixels, 1 − |cos| for features."""
    return "euclidean" if is_pixels(space) else "absolute_cosine"


@dataclass(frozen=True, kw_only=True)
class SpaceSearch:
    """Nearest training images in one space, by family of augmentations.

    Attributes:
        name: the backbone's name.
        metric: the distance.
        families: the augmentations by family.
        generated: the generated images' matches, by family.
        honest: the matches of the images that stand for an honest generator, by family.
        honest_rows: int64 [m], the training rows that those are; None for held-out images.
        planted: the matches of planted copies (`power`), by family; None without.
    """

    name: str
    metric: Metric
    families: AugmentationFamilies
    generated: Mapping[str, Matches]
    honest: Mapping[str, Matches]
    honest_rows: Ints | None = None
    planted: Mapping[str, Matches] | None = None

    def of_planted(self) -> SpaceSearch:
        """The same search with the planted copies as the generated images."""
        if self.planted is None:
            raise AssertionError("no copies were planted")
        return replace(self, generated=self.planted)


def search_space(
    sets: FeatureSets,
    *,
    families: AugmentationFamilies,
    honest: Queries,
    train_rows: Ints,
    k: int,
    options: ExtractOptions,
) -> SpaceSearch:
    """Search generated and honest images in every augmentation of the training images.

    Args:
        sets: the sets in this space, planted copies too where there are any.
        families: the augmentations by family, the unchanged images first.
        honest: the rows that stand for an honest generator.
        train_rows: int64, rows of the training set that are compared with, ascending.
        k: neighbors to list; the search has at least `REFERENCE` where there are so many.
        options: broken images as in `sets`, and progress.
    """
    metric = distance_metric(sets.backbone)
    k = min(max(k, REFERENCE), len(train_rows) - honest.extra)
    queries = {"generated": Queries(array=sets.by_role["generated"].array), "honest": honest}
    # A training set that is stored is never augmented, so that this is all of honest's matches.
    known = stored_honest(sets, honest, train_rows=train_rows, k=k, metric=metric)
    if known is not None:
        del queries["honest"]
    if PLANTED in sets.by_role:
        queries[PLANTED] = Queries(array=sets.by_role[PLANTED].array)
    matches = {
        family: nearest_over_augmentations(
            queries,
            (
                _augmented_features(sets, augmentation, train_rows, options)
                for augmentation in augmentations
            ),
            train_rows=train_rows,
            k=k,
            metric=metric,
        )
        for family, augmentations in families.items()
    }
    return SpaceSearch(
        name=sets.backbone,
        metric=metric,
        families=families,
        generated={family: by_query["generated"] for family, by_query in matches.items()},
        honest={family: known or by_query["honest"] for family, by_query in matches.items()},
        honest_rows=honest.train_rows,
        planted={family: by_query[PLANTED] for family, by_query in matches.items()}
        if PLANTED in queries
        else None,
    )


def is_streamed(extractor: FeatureExtractor) -> bool:
    """Whether features are computed again each time: those without a network or a cache."""
    return extractor.weights_hash is None or not extractor.backbone.is_cacheable


def _augmented_features(
    sets: FeatureSets, augmentation: Augmentation, train_rows: Ints, options: ExtractOptions
) -> Iterator[Any]:
    """Features of the given training rows under one augmentation, part by part."""
    train, extractor = sets.by_role["train"], sets.extractor
    if options.progress:
        phrase = f" with training images {augmentation.phrase}" if augmentation.phrase else ""
        options.progress(f"comparing{phrase}, in {sets.backbone}", 0, None)
    if augmentation == IDENTITY:
        yield from _blocks(train.array, train_rows)
    elif train.source is None or extractor is None:
        raise AssertionError("only images can be augmented")
    elif is_streamed(extractor):
        yield from _streamed(train.source, extractor, augmentation, train_rows, options)
    else:
        features = extract(
            train.source,
            extractor=extractor,
            augmentation=augmentation,
            skip_broken=options.skip_broken,
            progress=name_set(options.progress, "train"),
        )
        yield from _blocks(features.array, train_rows)


def _blocks(array: Any, rows: Ints) -> Iterator[Any]:
    if len(rows) == int(array.shape[0]):
        yield array
        return
    for start in range(0, len(rows), _BLOCK_ROWS):
        yield take_rows(array, rows[start : start + _BLOCK_ROWS])


def _streamed(
    source: ImageSource,
    extractor: FeatureExtractor,
    augmentation: Augmentation,
    rows: Ints,
    options: ExtractOptions,
) -> Iterator[Any]:
    batches = read_batches(
        source,
        transform=image_transform(extractor, augmentation),
        batch_size=_STREAM_ROWS,
        skip_broken=options.skip_broken,
        any_shape=extractor.backbone.takes_any_shape,
    )
    first = 0
    with closing(batches):
        for batch in batches:
            count = len(batch.positions)
            if not count:
                continue
            low, high = np.searchsorted(rows, (first, first + count))
            features, _ = extractor.run(batch.array)
            yield features[rows[low:high] - first]
            first += count
