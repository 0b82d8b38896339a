"""`genmem.duplicates`: which images repeat others, which to keep and which to delete."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genmem.arrays import as_source
from genmem.auditing.feature_spaces import DEFAULT_BACKBONES, distance_metric
from genmem.auditing.local import reason_without_local
from genmem.auditing.thumbnails import SourceThumbnails
from genmem.deduplication.candidates import RowPair, identical_pairs, near_pairs
from genmem.deduplication.clusters import find_clusters
from genmem.deduplication.results import DuplicateSearch, ImageFile, Match
from genmem.deduplication.verify import Verifier, find_matches, verifier
from genmem.errors import UsageError
from genmem.features import Backbones, Device, find_backbone, is_feature_source, list_backbones
from genmem.images import Progress, ValueRange
from genmem.progress import ProgressOption, show_progress
from genmem.provenance import provenance
from genmem.reference import is_reference
from genmem.reference.thumbnails import SIDE, is_whole
from genmem.scoring.closest import row_image
from genmem.scoring.feature_sets import ExtractOptions, FeatureSet, load_feature_sets, open_set
from genmem.scoring.stored_sets import StoredSet, reference_provenance, stored_train

_KIND_ORDER = ("identical", "same", "part")


def duplicates(
    train: Any,
    *,
    against: Any = None,
    backbone: Backbones | None = None,
    local: bool | None = None,
    weights: str | Path | None = None,
    device: Device = "auto",
    batch_size: int | None = None,
    value_range: ValueRange | None = None,
    skip_broken: bool = False,
    progress: ProgressOption = None,
) -> DuplicateSearch:
    """Find images that repeat others, though resized, recompressed, mirrored, turned or cropped.

    Feature spaces propose pairs, the nearest images of each image; a pair counts if the edges and
    texture of its images agree (`auditing.same_picture`), or if they share a region that covers
    half of both (`auditing.local`). Images that share only a part are listed, but not deleted.

    Args:
        train: images, whatever `genmem.score` takes for images; or a reference with pictures
            (`docs/reference.md`), by which its images are compared.
        against: other images, such as the held-out ones; training images that repeat one of them
            are deleted, and none of them is. A reference stands for its training images. None:
            train is compared with itself alone.
        backbone: one or several spaces that propose pairs. None for all of a reference, else
            "efficientnet-lite0,pixels@64", which need no download.
        local: look for shared regions too, which finds turned and strongly cropped images. None:
            where the images have 64 pixels or more and the extra `local` is installed.
        weights: weights file of a single backbone; None to look for it.
        device: "auto", "cpu", "cuda", "cuda:1" or "mps".
        batch_size: images per call of a network; None for what its engine is fastest at.
        value_range: as for `genmem.score`.
        skip_broken: leave broken images out, with a note, instead of stopping at the first.
        progress: as for `genmem.score`.

    Returns:
        A `DuplicateSearch`. It can show the images until it is closed: use it as a context manager.

    Raises:
        InputError: a set is empty or broken.
        UsageError: features were given, an argument is unknown, or a reference lacks what is
            needed of it.
        WeightsError: a backbone's weights are missing and cannot be obtained.

    Example:
        >>> import numpy as np
        >>> import genmem
        >>> images = np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3), dtype=np.uint8)
        >>> images[7] = images[3][:, ::-1]
        >>> with genmem.duplicates(images, backbone=["pixels@64", "efficientnet-lite0"]) as result:
        ...     print(result.deleted)
        ['000007']
    """
    started = time.perf_counter()
    sources = {"train": as_source(train, role="train")}
    if against is not None:
        sources["test"] = as_source(against, role="against")
    sources = {
        role: stored_train(source) if is_reference(source) else source
        for role, source in sources.items()
    }
    _check_images(sources)
    networks = list_backbones(_default_backbones(sources) if backbone is None else backbone)
    seconds: dict[str, float] = {}
    with show_progress(progress) as show, ExitStack() as stack:
        options = ExtractOptions(
            weights=weights,
            device=device,
            batch_size=batch_size,
            value_range=value_range,
            skip_broken=skip_broken,
            progress=show,
        )
        opened = {
            role: item
            if isinstance(item, StoredSet)
            else stack.enter_context(open_set(item, role, options))
            for role, item in sources.items()
        }
        why_not = reason_without_local(opened) if local is not False else "it was left out"
        if local and why_not:
            raise UsageError(f"local: shared regions cannot be looked for: {why_not}.")
        pairs: set[RowPair] = set()
        by_role: Mapping[str, FeatureSet] = {}
        spaces, notes = [], []
        for network in networks:
            name = find_backbone(network).name
            in_space = {
                role: replace(item, space=item.reference.space(name))
                if isinstance(item, StoredSet)
                else item
                for role, item in opened.items()
            }
            sets = load_feature_sets(in_space, stack=stack, backbone=network, options=options)
            by_role = sets.by_role
            spaces.append(name)
            notes += [note for note in sets.notes() if note not in notes]
            pairs |= near_pairs(by_role, distance_metric(name))
        seconds["candidates"] = time.perf_counter() - started
        total = sum(len(features.ids) for features in by_role.values())
        compare = verifier(lambda row: _pixels(by_role, row), rows=total, local=why_not is None)
        matches = _match(by_role, pairs, compare, progress=show)
        rows = {row for match in matches for row in (match.first, match.second)}
        images = {row: _image_file(by_role, row) for row in sorted(rows)}
        seconds["total"] = time.perf_counter() - started
        notes += _stored_notes(by_role)
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
            provenance={**provenance(seed=0), **reference_provenance(by_role["train"].stored)},
            seconds=seconds,
            notes=tuple(notes),
            pictures=SourceThumbnails(by_role=dict(by_role), open_files=stack.pop_all()),
        )


def _check_images(sources: Mapping[str, Any]) -> None:
    """Refuse sets without images, and references without pictures."""
    for source in sources.values():
        if not isinstance(source, StoredSet):
            if is_feature_source(source):
                raise UsageError(
                    "duplicates are searched for among images; give images, not features."
                )
        elif not source.entry.thumbnails:
            lacks = "features" if source.entry.kind == "features" else "images without pictures"
            raise UsageError(
                f"{source.reference.name} was made of {lacks}, and whether two images show the "
                "same picture is seen in pictures. Give the images."
            )


def _default_backbones(sources: Mapping[str, Any]) -> Sequence[str]:
    """The spaces that all references have, in the order of the first; else `DEFAULT_BACKBONES`."""
    stored = [source for source in sources.values() if isinstance(source, StoredSet)]
    if not stored:
        return DEFAULT_BACKBONES
    spaces = [one.reference.spaces for one in stored]
    return [name for name in spaces[0] if all(name in names for names in spaces)]


def _stored_notes(by_role: Mapping[str, FeatureSet]) -> list[str]:
    """What a reference in the place of the images leaves open."""
    return [
        f"images of {stored.reference.name} are compared by its pictures of at most {SIDE} pixels "
        "a side. It knows no file sizes, and no sizes of larger images: where nothing else "
        "decides, the first image of a cluster is kept."
        for stored in (rows.stored for rows in by_role.values())
        if stored is not None
    ]


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
    image = row_image(features, place, largest_side=None)
    if image is None:
        raise AssertionError("duplicates are searched for among images")
    return np.asarray(image)


def _image_file(by_role: Mapping[str, FeatureSet], row: int) -> ImageFile:
    role, features, place = _place(by_role, row)
    width = height = size = None
    if features.source is not None:
        content = features.source.content(int(features.positions[place]))
        size = len(content) if isinstance(content, bytes) else content.nbytes
    if features.source is not None or is_whole(features.thumbnail(place) or b""):
        height, width = _pixels(by_role, row).shape[:2]
    return ImageFile(id=str(features.ids[place]), role=role, width=width, height=height, bytes=size)
