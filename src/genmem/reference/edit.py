"""`add_to_reference` and `merge_references`: more rows, in the same feature spaces."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from genmem.errors import InputError, UsageError
from genmem.features import Device
from genmem.images import Progress
from genmem.io.paths import temporary_file_errors
from genmem.reference.build import build_reference, write_description, write_manifest
from genmem.reference.folder import check_target, link_or_copy, replaced_folder
from genmem.reference.manifest import SetEntry, Space, shard_file
from genmem.reference.reference import Reference, Role, open_reference

_SAME = ("name", "weights_sha256", "preprocessing")
"""What two feature spaces must share of their backbone."""

_BLOCK = 1 << 14


def add_to_reference(
    path: str | Path,
    images: Any,
    *,
    weights: str | Path | None = None,
    device: Device = "auto",
    skip_broken: bool = False,
    progress: Progress | None = None,
) -> Reference:
    """Add training images as new shards; the features of the others are not computed again.

    Distances among the training images are searched anew, since each may have a nearer one now.

    Args:
        path: the reference, which is replaced once the new one is complete.
        images: more training images (or features), as for `build_reference`.
        weights: as for `build_reference`.
        device: as for `build_reference`.
        skip_broken: as for `build_reference`.
        progress: called with (stage, done, total or None).

    Returns:
        The reference, opened.

    Raises:
        InputError: the reference is damaged, or the images are broken or do not go with it.
        UsageError, WeightsError: as for `build_reference`.
    """
    reference = open_reference(path)
    check_target(reference.folder)
    with temporary_file_errors(), tempfile.TemporaryDirectory() as folder:
        added = build_reference(
            train=images,
            out=Path(folder) / "added.genmem",
            backbone=reference.spaces,
            dtype=reference.manifest.spaces[0].dtype,
            images=reference.manifest.train.thumbnails,
            weights=weights,
            device=device,
            skip_broken=skip_broken,
            progress=progress,
        )
        return _join([reference, added], reference.folder, progress)


def merge_references(
    paths: Sequence[str | Path], *, out: str | Path, progress: Progress | None = None
) -> Reference:
    """Join references of the same feature spaces into a new one, in the order given.

    Args:
        paths: two references or more.
        out: the folder to write.
        progress: called with (stage, done, total or None).

    Raises:
        InputError: one is damaged, or they differ in spaces, weights or kind.
        UsageError: fewer than two, or `out` cannot be written.
    """
    if len(paths) < 2:
        raise UsageError(f"merge: expected two references or more, got {len(paths)}.")
    return _join([open_reference(path) for path in paths], check_target(out), progress)


def _join(references: Sequence[Reference], out: Path, progress: Progress | None) -> Reference:
    _check_same_spaces(references)
    first = references[0].manifest
    roles: list[Role] = ["train"]
    if any(one.has_test for one in references):
        roles.append("test")
    with replaced_folder(out) as folder:
        entries: dict[str, SetEntry] = {role: _join_set(folder, references, role) for role in roles}
        spaces = []
        for space in first.spaces:
            arrays = {role: _join_rows(references, space.name, role) for role in roles}
            for role in roles:
                _copy_shards(folder, references, role, space)
            joined = write_description(folder, replace(space, sizes={}), arrays, _stages(progress))
            spaces.append(joined)
        if entries["train"].kind == "features":
            entries = _digests_of_rows(references, entries)
        write_manifest(
            folder,
            entries,
            spaces,
            licence=_words(references, "licence"),
            contact=_words(references, "contact"),
        )
    return open_reference(out)


def _stages(progress: Progress | None) -> Any:
    return lambda stage: progress(stage, 0, None) if progress is not None else None


def _words(references: Sequence[Reference], name: str) -> str:
    """The licences, or contacts, of several references, each once."""
    words = dict.fromkeys(getattr(one.manifest, name) for one in references)
    return "; ".join(filter(None, words))


def _check_same_spaces(references: Sequence[Reference]) -> None:
    first = references[0]
    for other in references[1:]:
        if other.manifest.train.kind != first.manifest.train.kind:
            raise InputError(
                f"{other.name} was made of {other.manifest.train.kind}, {first.name} of "
                f"{first.manifest.train.kind}. Make both of the same."
            )
        if set(other.spaces) != set(first.spaces):
            raise InputError(
                f"{first.name} has the spaces {', '.join(first.spaces)}, {other.name} has "
                f"{', '.join(other.spaces)}. Make both with the same backbones."
            )
        for space in first.manifest.spaces:
            _check_same_space(first, other, space)


def _check_same_space(first: Reference, other: Reference, space: Space) -> None:
    counterpart = other.space(space.name).entry
    ours, theirs = _identity(space), _identity(counterpart)
    for part, value in ours.items():
        if theirs[part] != value:
            raise InputError(
                f"{space.name}: {part} is {value} in {first.name} and {theirs[part]} in "
                f"{other.name}; their distances cannot be compared. Make both anew with one "
                "backbone."
            )


def _identity(space: Space) -> dict[str, Any]:
    backbone = space.backbone or {}
    return {
        "dimension": space.dimension,
        "dtype": space.dtype,
        "shape": space.shape,
        **{part: backbone.get(part) for part in _SAME},
    }


def _join_set(folder: Path, references: Sequence[Reference], role: Role) -> SetEntry:
    """Copy the files of a set's shards under their new numbers."""
    holders = [one for one in references if role in one.manifest.sets]
    entries = [one.manifest.sets[role] for one in holders]
    thumbnails = all(entry.thumbnails for entry in entries)
    number = 0
    for one, entry in zip(holders, entries, strict=True):
        for old in range(len(entry.shards)):
            for what, suffix in _set_files(entry, thumbnails=thumbnails):
                link_or_copy(
                    one.folder / shard_file(role, what, old, suffix),
                    folder / shard_file(role, what, number, suffix),
                )
            number += 1
    classes = {name for one in holders for name in one.ids(role).classes} - {None}
    properties = [entry.properties for entry in entries]
    return SetEntry(
        source=" + ".join(dict.fromkeys(entry.source for entry in entries)),
        kind=entries[0].kind,
        count=sum(entry.count for entry in entries),
        digest=_digest_of_images(holders, role) or entries[0].digest,
        skipped=sum(entry.skipped for entry in entries),
        shards=tuple(rows for entry in entries for rows in entry.shards),
        classes=len(classes),
        thumbnails=thumbnails,
        properties=None
        if any(one is None for one in properties)
        else tuple(image for one in properties for image in one or ()),
    )


def _set_files(entry: SetEntry, *, thumbnails: bool) -> list[tuple[str, str]]:
    files = [("ids", ".parquet")]
    if entry.kind == "images":
        files.append(("hashes", ".npy"))
    if thumbnails:
        files += [("thumbnails", ".npy"), ("thumbnail-ends", ".npy")]
    return files


def _copy_shards(folder: Path, references: Sequence[Reference], role: Role, space: Space) -> None:
    number = 0
    for one in references:
        entry = one.manifest.sets.get(role)
        for old in range(len(entry.shards) if entry else 0):
            link_or_copy(
                one.space(space.name).folder / shard_file(role, "features", old, ".npy"),
                folder / space.folder / shard_file(role, "features", number, ".npy"),
            )
            number += 1


def _join_rows(references: Sequence[Reference], name: str, role: Role) -> Any:
    parts = [one.space(name).features(role) for one in references if role in one.manifest.sets]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _digest_of_images(references: Sequence[Reference], role: Role) -> str | None:
    """The content hash of the images of several sets in order; None of features."""
    hasher = hashlib.blake2b(digest_size=16)
    for one in references:
        hashes = one.hashes(role)
        if hashes is None:
            return None
        hasher.update(np.ascontiguousarray(hashes).data)
    return hasher.hexdigest()


def _digests_of_rows(
    references: Sequence[Reference], entries: Mapping[str, SetEntry]
) -> dict[str, SetEntry]:
    """The entries of sets of features with the hash that `load_features` gives their rows."""
    name = references[0].spaces[0]
    digests = {}
    for role, entry in entries.items():
        known: Role = "test" if role == "test" else "train"
        parts = [one.space(name).features(known) for one in references if role in one.manifest.sets]
        shape = (entry.count, int(parts[0].shape[1]))
        hasher = hashlib.blake2b(f"{parts[0].dtype.str} {shape}".encode(), digest_size=16)
        for part in parts:
            for start in range(0, len(part), _BLOCK):
                hasher.update(np.ascontiguousarray(part[start : start + _BLOCK]).data)
        digests[role] = replace(entry, digest=hasher.hexdigest())
    return digests
