"""The features of a split's own images: computed once, stored, and opened again by every step."""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from genmem.arena.competitions.models import Split
from genmem.arena.scoring.errors import SetupError
from genmem.arena.scoring.models import SplitFeatures
from genmem.arena.scoring.stored_names import reference_name, train_ids_name, train_name
from genmem.arena.submissions import storage
from genmem.errors import GenmemError
from genmem.features import (
    FeatureExtractor,
    extract,
    is_feature_source,
    load_backbone,
    load_features,
)
from genmem.images import Progress, hash_images, open_images
from genmem.reference import is_reference, open_reference

_lock = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class Space:
    """Where the features of a split are.

    Attributes:
        name: the short hash.
        train: name of the training features in storage.
        reference: name of the reference features in storage.
        weights_sha256: "" for a backbone without weights.
    """

    name: str
    train: str
    reference: str
    weights_sha256: str


def space_of(split: Split, *, progress: Progress | None = None) -> Space:
    """The space of a split, whose own features are computed and stored first if they are missing.

    Args:
        split: the version of a split.
        progress: called with (stage, done, total).

    Raises:
        SetupError: its images, its backbone or its weights cannot be used.
    """
    row = SplitFeatures.objects.filter(split=split).first() or _prepare(split, progress)
    return Space(
        name=row.space,
        train=train_name(row.space),
        reference=reference_name(row.space, row.reference),
        weights_sha256=row.weights_sha256,
    )


def extractor_of(split: Split) -> FeatureExtractor:
    """The split's backbone, loaded once in this process.

    Raises:
        SetupError: it cannot be loaded.
    """
    with _lock:
        try:
            return _extractor(split.backbone, split.weights)
        except (GenmemError, OSError) as error:
            raise SetupError(f"cannot load the backbone {split.backbone}: {error}") from error


@functools.lru_cache(maxsize=4)
def _extractor(backbone: str, weights: str) -> FeatureExtractor:
    return load_backbone(backbone, weights=weights or None)


def load(name: str) -> NDArray[np.float32]:
    """Stored features of a split, memory-mapped and shared in this process."""
    with _lock:
        return _load(settings.ARENA.folder, name)


@functools.lru_cache(maxsize=16)
def _load(folder: Path, name: str) -> NDArray[np.float32]:
    del folder  # part of the key: names are unique in one arena only
    with storage.local(name) as path:
        return np.load(path, mmap_mode="r", allow_pickle=False)


def scratch_folder(*parts: str) -> Path:
    """A folder for unfinished work, which a later attempt on this machine continues."""
    return settings.ARENA.folder.joinpath("work", *parts)


def space_name(*, backbone: str, weights_sha256: str, train_digest: str) -> str:
    """The short hash that names a space."""
    return _short_hash("\n".join((backbone, weights_sha256, train_digest)))


def _prepare(split: Split, progress: Progress | None) -> SplitFeatures:
    extractor = extractor_of(split)
    weights_sha256 = extractor.weights_hash or ""
    with ExitStack() as stack:
        train = _Source(split.train, extractor, stack)
        space = space_name(
            backbone=split.backbone, weights_sha256=weights_sha256, train_digest=train.digest
        )
        train.store(train_name(space), ids_name=train_ids_name(space), progress=progress)
        reference, short = train, ""
        if split.reference:
            reference = _Source(split.reference, extractor, stack)
            if reference.digest != train.digest:
                short = _short_hash(reference.digest)
                reference.store(reference_name(space, short), progress=progress)
        row, _ = SplitFeatures.objects.get_or_create(
            split=split,
            defaults={
                "space": space,
                "reference": short,
                "weights_sha256": weights_sha256,
                "train_count": train.count,
                "reference_count": reference.count,
            },
        )
        return row


def store_array(array: NDArray[Any], name: str) -> None:
    """Store an array as .npy."""
    with storage.scratch_folder() as folder:
        np.save(folder / "array.npy", array, allow_pickle=False)
        storage.store_file(folder / "array.npy", name)


def store_bytes(content: bytes, name: str) -> None:
    """Store a few bytes."""
    with storage.scratch_folder() as folder:
        (folder / "bytes").write_bytes(content)
        storage.store_file(folder / "bytes", name)


def check_dimension(features: NDArray[Any], stored: NDArray[Any]) -> None:
    """Raise SetupError if a split's stored features are not of its backbone's dimension."""
    if features.shape[1] != stored.shape[1]:
        raise SetupError(
            f"the backbone gives {features.shape[1]:,} features, but the split's own have "
            f"{stored.shape[1]:,}: compute them again with this backbone"
        )


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _stored_features(source: str, extractor: FeatureExtractor) -> tuple[Any, Sequence[str], str]:
    """Features, ids and content hash of the training images of a reference (`genmem reference`).

    Raises:
        SetupError: it lacks the backbone, or has it with other weights or another preprocessing.
        GenmemError: it is damaged.
    """
    reference = open_reference(source)
    space = reference.space(extractor.backbone.name)
    here, there = extractor.describe(), space.entry.backbone or {}
    for part in ("weights_sha256", "preprocessing"):
        if here.get(part) != there.get(part):
            raise SetupError(
                f"{source}: its features were made with another {part} ({there.get(part)}) than "
                f"this split's backbone has ({here.get(part)}): make the reference again"
            )
    return space.features("train"), reference.ids("train"), reference.manifest.train.digest


class _Source:
    """A set of images of a split, or their features computed elsewhere."""

    def __init__(self, source: str, extractor: FeatureExtractor, stack: ExitStack) -> None:
        self._source, self._extractor = source, extractor
        self._images: Any = None
        try:
            if is_reference(source):
                self._array, self._ids, self.digest = _stored_features(source, extractor)
                self.count = len(self._array)
            elif is_feature_source(source):
                features = load_features(source)
                self._array, self._ids, self.digest = features.array, features.ids, features.digest
                self.count = len(self._array)
            else:
                self._images = stack.enter_context(open_images(source))
                self.digest, self.count = hash_images(self._images).hexdigest, len(self._images)
        except (GenmemError, OSError) as error:
            raise SetupError(f"{source} cannot be used: {error}") from error
        if self.count < 2:
            raise SetupError(f"{source}: expected 2 images or more, found {self.count}")

    def store(self, name: str, *, ids_name: str = "", progress: Progress | None = None) -> None:
        """Store the features as `name`, and the images' names as `ids_name`, unless they are."""
        if storage.exists(name) and (not ids_name or storage.exists(ids_name)):
            return
        scratch = scratch_folder("splits", _short_hash(name))
        try:
            array, ids = self._rows(scratch, progress)
        except (GenmemError, OSError) as error:
            if storage.exists(name):  # another worker was faster, and removed the scratch folder
                return
            raise SetupError(f"{self._source} cannot be used: {error}") from error
        if ids_name:
            store_bytes(json.dumps(list(ids)).encode(), ids_name)
        store_array(array, name)
        if self._images is not None:
            shutil.rmtree(scratch, ignore_errors=True)

    def _rows(
        self, scratch: Path, progress: Progress | None
    ) -> tuple[NDArray[np.float32], Sequence[str]]:
        if self._images is None:
            return np.asarray(self._array, np.float32), self._ids
        features = extract(
            self._images, extractor=self._extractor, cache=scratch, progress=progress
        )
        return features.array, features.ids
