"""`genmem.duplicates`: which images repeat others, which to keep and which to delete."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genmem.arrays import as_source
from genmem.auditing.local import reason_without_local
from genmem.auditing.thumbnails import SourceThumbnails
from genmem.deduplication.candidates import RowPair, identical_pairs, near_pairs
from genmem.deduplication.clusters import find_clusters
from genmem.deduplication.results import DuplicateSearch, ImageFile, Match
from genmem.deduplication.verify import Verifier, find_matches, verifier
from genmem.errors import UsageError
from genmem.features import BackboneLike, Device, is_feature_source
from genmem.images import Progress, decode
from genmem.provenance import provenance
from genmem.scoring.feature_sets import ExtractOptions, FeatureSet, load_feature_sets, open_set

BACKBONES = ("efficientnet-lite0", "pixels@64")
"""Spaces that propose pairs, which work without a download."""

_KIND_ORDER = ("identical", "same", "part")


def duplicates(
    train: Any,
    *,
    against: Any = None,
    backbones: Sequence[BackboneLike] = BACKBONES,
    local: bool | None = None,
    weights: str | Path | None = None,
    device: Device = "auto",
    skip_broken: bool = False,
    progress: Progress | None = None,
) -> DuplicateSearch:
    """Find images that repeat others, though resized, recompressed, mirrored, turned or cropped.

    Feature spaces propose pairs, the nearest images of each image; a pair counts if the edges and
    texture of its images agree (`auditing.same_picture`), or if they share a region that covers
    half of both (`auditing.local`). Images that share only a part are listed, but not deleted.

    Args:
        train: images, whatever `genmem.score` takes for images.
        against: other images, such as the held-out ones; training images that repeat one of them
            are deleted, and none of them is. None: train is compared with itself alone.
        backbones: the spaces that propose pairs.
        local: look for shared regions too, which finds turned and strongly cropped images. None:
            where the images have 64 pixels or more and the extra `local` is installed.
        weights: weights file of a single backbone; None to look for it.
        device: "auto", "cpu", "cuda" or "mps".
        skip_broken: leave broken images out, with a note, instead of stopping at the first.
        progress: called with (stage, done, total or None).

    Returns:
        A `DuplicateSearch`. It can show the images until it is closed: use it as a context manager.

    Raises:
        InputError: a set is empty or broken.
        UsageError: features were given, or an argument is unknown.
        WeightsError: a backbone's weights are missing and cannot be obtained.

    Example:
        >>> import numpy as np
        >>> import genmem
        >>> images = np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3), dtype=np.uint8)
        >>> images[7] = images[3][:, ::-1]
        >>> with genmem.duplicates(images, backbones=["pixels@64", "efficientnet-lite0"]) as result:
        ...     print(result.deleted)
        ['000007']
    """
    started = time.perf_counter()
    sources = {"train": as_source(train, role="train")}
    if against is not None:
        sources["test"] = as_source(against, role="against")
    if not backbones:
        raise UsageError("backbones: expected at least one that proposes pairs, got none.")
    if any(map(is_feature_source, sources.values())):
        raise UsageError("duplicates are searched for among images; give images, not features.")
    options = ExtractOptions(
        weights=weights, device=device, skip_broken=skip_broken, progress=progress
    )
    seconds: dict[str, float] = {}
    with ExitStack() as stack:
        opened = {role: stack.enter_context(open_set(item, role)) for role, item in sources.items()}
        why_not = reason_without_local(opened) if local is not False else "it was left out"
        if local and why_not:
            raise UsageError(f"local: shared regions cannot be looked for: {why_not}.")
        pairs: set[RowPair] = set()
        by_role: Mapping[str, FeatureSet] = {}
        spaces, notes = [], []
        for backbone in backbones:
            sets = load_feature_sets(opened, stack=stack, backbone=backbone, options=options)
            by_role = sets.by_role
            spaces.append(sets.backbone)
            notes += [note for note in sets.notes() if note not in notes]
            pairs |= near_pairs(sets)
        seconds["candidates"] = time.perf_counter() - started
        total = sum(len(features.ids) for features in by_role.values())
        compare = verifier(lambda row: _pixels(by_role, row), rows=total, local=why_not is None)
        matches = _match(by_role, pairs, compare, progress=progress)
        rows = {row for match in matches for row in (match.first, match.second)}
        images = {row: _image_file(by_role, row) for row in sorted(rows)}
        seconds["total"] = time.perf_counter() - started
        if why_not and local is None:
            notes.append(f"shared regions were not looked for: {why_not}.")
        if compare.layout:
            notes.append(
                f"the images share a layout (a frame, a caption, a form): random pairs agree by "
                f"{compare.layout:.2f} in their details. Only pairs that agree by more than "
                f"{compare.certain:.2f} are called the same, and shared regions are not counted."
            )
        return DuplicateSearch(
            images=images,
            matches=tuple(matches),
            clusters=find_clusters(matches, images, rows=total),
            train=len(by_role["train"].ids),
            spaces=tuple(spaces),
            local=why_not is None,
            compared=len(pairs),
            inputs={role: features.summary for role, features in by_role.items()},
            provenance=provenance(seed=0),
            seconds=seconds,
            notes=tuple(notes),
            pictures=SourceThumbnails(by_role=dict(by_role), open_files=stack.pop_all()),
        )


def _match(
    by_role: Mapping[str, FeatureSet],
    pairs: Iterable[RowPair],
    compare: Verifier,
    *,
    progress: Progress | None,
) -> list[Match]:
    """The matches, identical files first."""
    identical = identical_pairs(by_role)
    ordered = sorted(set(pairs) - identical)

    def report(done: int) -> None:
        if progress:
            progress("pairs compared", done, len(ordered))

    matches = [
        *(Match(first=a, second=b, kind="identical", agreement=1.0) for a, b in identical),
        *find_matches(compare, ordered, progress=report),
    ]
    return sorted(matches, key=lambda item: (_KIND_ORDER.index(item.kind), item.first, item.second))


def _place(by_role: Mapping[str, FeatureSet], row: int) -> tuple[str, FeatureSet, int]:
    """The role and set of a row, and its row there."""
    count = len(by_role["train"].ids)
    if row < count:
        return "train", by_role["train"], row
    return "against", by_role["test"], row - count


def _pixels(by_role: Mapping[str, FeatureSet], row: int) -> NDArray[np.uint8]:
    _, features, place = _place(by_role, row)
    if features.source is None:
        raise AssertionError("duplicates are searched for among images")
    position = int(features.positions[place])
    return decode(features.source.content(position), name=features.source.describe(position))


def _image_file(by_role: Mapping[str, FeatureSet], row: int) -> ImageFile:
    role, features, place = _place(by_role, row)
    if features.source is None:
        raise AssertionError("duplicates are searched for among images")
    content = features.source.content(int(features.positions[place]))
    height, width = _pixels(by_role, row).shape[:2]
    return ImageFile(
        id=str(features.ids[place]),
        role=role,
        width=width,
        height=height,
        bytes=len(content) if isinstance(content, bytes) else content.nbytes,
    )
