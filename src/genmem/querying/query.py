"""`genmem.query`: one or a few images against a reference."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genmem.auditing.thumbnails import THUMBNAIL_SIDE, encode_picture
from genmem.errors import InputError, UsageError
from genmem.features import Backbones, Device, find_backbone, find_backbones
from genmem.formatting import join_words
from genmem.images import ValueRange, decode, hash_images
from genmem.progress import ProgressOption, show_progress
from genmem.provenance import provenance
from genmem.querying.pictures import Pixels, near_neighbors, same_pictures
from genmem.querying.results import Kind, NearTrainImage, QueriedImage, Query, SpaceNeighbors
from genmem.querying.search import SpaceSearch, search_space
from genmem.querying.sources import open_queries
from genmem.reference import Reference, is_reference, open_reference
from genmem.results import Json
from genmem.scoring.closest import row_image
from genmem.scoring.feature_sets import (
    ExtractOptions,
    FeatureSet,
    left_out_notes,
    load_feature_sets,
    open_backbones,
)
from genmem.scoring.stored_sets import StoredSet, reference_notes, reference_provenance


def query(
    images: Any,
    *,
    train: str | Path | Reference,
    backbone: Backbones | None = None,
    neighbors: int = 5,
    weights: str | Path | None = None,
    device: Device = "auto",
    batch_size: int | None = None,
    value_range: ValueRange | None = None,
    skip_broken: bool = False,
    progress: ProgressOption = None,
) -> Query:
    """Find the training images nearest to a few images, and say how near that is.

    Each distance is compared with the distances of the reference's held-out images to their nearest
    training image. That is evidence on one image, not a verdict on a generator: `genmem.audit`
    corrects for the number of images.

    Args:
        images: the path of an image file or several, a Pillow image; or a folder, archive, array
            or any other set of images, at most 1,000.
        train: a reference (`genmem.build_reference`) or its folder.
        backbone: one or several spaces of the reference to compare in; None for all it has.
        neighbors: training images to list in each space.
        weights: weights file of a single backbone; None to look for it.
        device: "auto", "cpu", "cuda", "cuda:1" or "mps".
        batch_size: images per call of a network; None for what its engine is fastest at.
        value_range: as for `genmem.score`.
        skip_broken: leave broken images out, with a note, instead of stopping at the first.
        progress: as for `genmem.score`.

    Returns:
        A `Query`: for each image its nearest training images in each space.

    Raises:
        InputError: an image is broken, there are too many, or the reference is damaged or was made
            of features.
        UsageError: `train` is no reference, or it lacks a backbone.
        WeightsError: a backbone's weights are missing and cannot be obtained.
    """
    started = time.perf_counter()
    reference = _open_reference(train)
    names = reference.spaces if backbone is None else backbone
    if neighbors < 1:
        raise UsageError(f"neighbors: expected at least 1, got {neighbors}.")
    if backbone is None and "features" in reference.spaces:
        raise InputError(
            f"{reference.name} was made of features, so images cannot be compared with it. Make a "
            "reference of the images (`genmem reference TRAIN --out DIR.genmem`)."
        )
    networks = find_backbones(names, weights=weights)
    for network in networks:
        reference.space(find_backbone(network).name)
    stored = StoredSet(reference, "train")
    with show_progress(progress) as show, ExitStack() as stack:
        options = ExtractOptions(
            weights=weights,
            device=device,
            batch_size=batch_size,
            value_range=value_range,
            skip_broken=skip_broken,
            progress=show,
        )
        source = stack.enter_context(open_queries(images, value_range=value_range))
        sets = [
            load_feature_sets(
                {"query": source, "train": stored},
                stack=stack,
                backbone=extractor,
                options=options,
            ).by_role
            for extractor in open_backbones(networks, [source], options)
        ]
        searches = [search_space(by_role, neighbors) for by_role in sets]
        asked, train_set = sets[0]["query"], sets[0]["train"]
        if any(len(one["query"].positions) != len(asked.positions) for one in sets):
            raise InputError("the backbones cannot read the same images. Remove the broken ones.")
        return Query(
            images=tuple(_describe(reference, asked, searches, neighbors)),
            inputs={"query": asked.summary, "train": train_set.summary},
            notes=tuple(_notes(reference, searches, sets[0])),
            provenance=_provenance(stored),
            seconds=time.perf_counter() - started,
        )


def _open_reference(train: Any) -> Reference:
    if isinstance(train, Reference):
        return train
    if not is_reference(train):
        shown = train if isinstance(train, str | Path) else type(train).__name__
        raise UsageError(
            f"train: expected a reference, got {shown}. Make one: `genmem reference TRAIN --out "
            "train.genmem`."
        )
    return open_reference(train)


def _describe(
    reference: Reference, asked: FeatureSet, searches: Sequence[SpaceSearch], neighbors: int
) -> Iterator[QueriedImage]:
    ids = reference.ids("train")
    identical = _identical_rows(reference, asked)
    for row, equal in enumerate(identical):
        image = row_image(asked, row, largest_side=None)
        if image is None:
            raise AssertionError("a query is of images")
        pixels = np.asarray(image)
        yield QueriedImage(
            id=str(asked.ids[row]),
            identical=tuple(ids[train_row] for train_row in equal),
            spaces=tuple(
                _describe_space(
                    reference, search, row, _kinds(reference, pixels, row, search, equal), neighbors
                )
                for search in searches
            ),
            picture=encode_picture(image, THUMBNAIL_SIDE),
        )


def _describe_space(
    reference: Reference, search: SpaceSearch, row: int, kinds: Sequence[Kind], neighbors: int
) -> SpaceNeighbors:
    """The neighbors of one image in one space."""
    null, ids = search.null, reference.ids("train")
    listed = zip(search.rows[row].tolist(), search.distances[row].tolist(), kinds, strict=True)
    return SpaceNeighbors(
        space=search.space,
        metric=search.metric,
        held_out=None if null is None else len(null),
        neighbors=tuple(
            NearTrainImage(
                train_id=ids[int(train_row)],
                row=train_row,
                distance=distance,
                closer=None if null is None else int(np.searchsorted(null, distance, "right")),
                kind=kind,
                picture=reference.thumbnail("train", train_row),
            )
            for train_row, distance, kind in islice(listed, neighbors)
        ),
    )


def _identical_rows(reference: Reference, asked: FeatureSet) -> list[list[int]]:
    """For each image the training rows with the same content hash."""
    stored = reference.hashes("train")
    if stored is None or asked.source is None:
        return [[] for _ in asked.positions]
    hashes = hash_images(asked.source).per_image[asked.positions]
    candidates = np.flatnonzero(np.isin(_starts(stored), _starts(hashes)))
    equal = (stored[candidates][None] == hashes[:, None]).all(axis=2)
    return [candidates[row].tolist() for row in equal]


def _starts(hashes: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """The first half of each hash, uint64 [n]."""
    return np.ascontiguousarray(hashes[:, :8]).view(np.uint64)[:, 0]


def _kinds(
    reference: Reference, image: Pixels, row: int, search: SpaceSearch, identical: Sequence[int]
) -> list[Kind]:
    """What each neighbor of an image is to it."""
    rows = search.rows[row].tolist()
    near = near_neighbors(search.distances[row], search.metric).tolist()
    kinds: list[Kind] = [
        "identical" if train_row in identical else "similar" if is_near else "other"
        for train_row, is_near in zip(rows, near, strict=True)
    ]
    undecided = [place for place, kind in enumerate(kinds) if kind == "similar"]
    if not undecided or not reference.manifest.train.thumbnails:
        return kinds
    last = len(rows) - 1
    different = [place for place in sorted({last // 2, last}) if kinds[place] == "other"]
    same = same_pictures(
        image,
        [_thumbnail(reference, rows[place]) for place in undecided],
        [_thumbnail(reference, rows[place]) for place in different],
    )
    for place, is_same in zip(undecided, same, strict=True):
        kinds[place] = "same" if is_same else "similar"
    return kinds


def _thumbnail(reference: Reference, row: int) -> Pixels:
    picture = reference.thumbnail("train", row)
    if picture is None:
        raise AssertionError("the reference has thumbnails")
    return decode(picture, name=f"the thumbnail of training image {row}")


def _notes(
    reference: Reference, searches: Sequence[SpaceSearch], by_role: dict[str, FeatureSet]
) -> list[str]:
    notes = []
    if not reference.has_test:
        notes.append(
            "whether an image is unusually close cannot be judged: the reference has no held-out "
            "images. Make it again with them (--test)."
        )
    for search in searches:
        if search.doubts:
            notes.append(
                f"whether an image is unusually close cannot be judged in {search.space}: the "
                f"held-out images are no yardstick, since {join_words(search.doubts)}."
            )
    stored = by_role["train"].stored
    return [
        *notes,
        *reference_notes(stored, None, pictures=True),
        *left_out_notes({"query": by_role["query"]}),
    ]


def _provenance(stored: StoredSet) -> dict[str, Json]:
    values = {**provenance(seed=0), **reference_provenance(stored)}
    del values["seed"]  # nothing here is random
    return values
