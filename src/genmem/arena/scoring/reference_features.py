"""The organiser's own features: made once for each split, kept, and opened again by every step.

    splits/<space>/train.npy              float32 [m, d]
    splits/<space>/train.json             the names of the training images, in the same order
    splits/<space>/reference-<hash>.npy   float32, where the reference is another set

<space> is a short hash of what distances depend on: the backbone, its weights and the content of
the training images. So a change of τ, ε or the reference set keeps all that was computed in it.
"""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from genmem.arena.competitions.models import Split
from genmem.arena.scoring.models import Prepared
from genmem.arena.submissions import storage
from genmem.errors import GenmemError
from genmem.features import (
    FeatureExtractor,
    extract,
    is_feature_source,
    load_backbone,
    load_features,
)
from genmem.images import hash_images, open_images

Told = Callable[[str, int, int | None], None]
"""Told (stage, done, total)."""

_opening = threading.Lock()


class SplitError(GenmemError):
    """A split cannot be made ready. The message is for organisers: it may name their files."""


@dataclass(frozen=True, kw_only=True)
class Space:
    """Where the features of one split live.

    Attributes:
        name: the short hash.
        reference: the name of its reference features in storage.
        weights_sha256: "" for a backbone without weights.
    """

    name: str
    reference: str
    weights_sha256: str

    @property
    def train(self) -> str:
        """The name of the training features in storage."""
        return f"splits/{self.name}/train.npy"


def extractor_of(split: Split) -> FeatureExtractor:
    """The split's backbone, loaded once in this process.

    Raises:
        SplitError: it cannot be loaded.
    """
    with _opening:
        try:
            return _extractor(split.backbone, split.weights)
        except (GenmemError, OSError) as error:
            raise SplitError(f"the backbone {split.backbone} cannot be loaded: {error}") from error


@functools.lru_cache(maxsize=4)
def _extractor(backbone: str, weights: str) -> FeatureExtractor:
    return load_backbone(backbone, weights=weights or None)


def space_of(split: Split, *, told: Told | None = None) -> Space:
    """The space of a split; its own features are made first where nobody has done so yet.

    Raises:
        SplitError: its images, its backbone or its weights cannot be used.
    """
    row = Prepared.objects.filter(split=split).first()
    if row is None:
        row = _prepared(split, told)
    name = f"reference-{row.reference}" if row.reference else "train"
    return Space(
        name=row.space,
        reference=f"splits/{row.space}/{name}.npy",
        weights_sha256=row.weights_sha256,
    )


def space_name(*, backbone: str, weights_sha256: str, train_digest: str) -> str:
    """The short hash of a space."""
    return _short("\n".join((backbone, weights_sha256, train_digest)))


def opened(name: str) -> NDArray[np.float32]:
    """Kept features of a split, mapped; the same array for everybody in this process."""
    with _opening:
        return _opened(settings.ARENA.folder, name)


@functools.lru_cache(maxsize=16)
def _opened(folder: Path, name: str) -> NDArray[np.float32]:
    del folder  # part of the key: names are unique in one arena only
    with storage.local(name) as path:
        return np.load(path, mmap_mode="r", allow_pickle=False)


def scratch_folder(*parts: str) -> Path:
    """A folder for half-done work that a later attempt on this machine takes up."""
    return settings.ARENA.folder.joinpath("work", *parts)


def _prepared(split: Split, told: Told | None) -> Prepared:
    extractor = extractor_of(split)
    with ExitStack() as stack:
        train = _Set(split.train, extractor, stack)
        space = space_name(
            backbone=split.backbone,
            weights_sha256=extractor.weights_hash or "",
            train_digest=train.digest,
        )
        train.keep(f"splits/{space}/train.npy", names=f"splits/{space}/train.json", told=told)
        reference, short = train, ""
        if split.reference:
            reference = _Set(split.reference, extractor, stack)
            if reference.digest != train.digest:
                short = _short(reference.digest)
                reference.keep(f"splits/{space}/reference-{short}.npy", told=told)
        row, _ = Prepared.objects.get_or_create(
            split=split,
            defaults={
                "space": space,
                "reference": short,
                "weights_sha256": extractor.weights_hash or "",
                "train_count": train.count,
                "reference_count": reference.count,
            },
        )
        return row


class _Set:
    """One set of the organiser's: images, or features made of them elsewhere."""

    def __init__(self, source: str, extractor: FeatureExtractor, stack: ExitStack) -> None:
        self._where, self._extractor = source, extractor
        self._images: Any = None
        try:
            if is_feature_source(source):
                self._features = load_features(source)
                self.digest, self.count = self._features.digest, len(self._features.array)
            else:
                self._images = stack.enter_context(open_images(source))
                self.digest, self.count = hash_images(self._images).hexdigest, len(self._images)
        except (GenmemError, OSError) as error:
            raise SplitError(f"{source} cannot be used: {error}") from error
        if self.count < 2:
            raise SplitError(f"{source}: expected 2 images or more, found {self.count}")

    def keep(self, name: str, *, names: str = "", told: Told | None = None) -> None:
        """Put the features into storage unless they are there."""
        if storage.exists(name) and (not names or storage.exists(names)):
            return
        work = scratch_folder("splits", _short(name))
        try:
            array, ids = self._rows(work, told)
        except (GenmemError, OSError) as error:
            if storage.exists(name):  # another made them meanwhile, and cleared its scratch away
                return
            raise SplitError(f"{self._where} cannot be used: {error}") from error
        if names:
            keep_bytes(json.dumps(list(ids)).encode(), names)
        keep_array(array, name)
        if self._images is not None:
            shutil.rmtree(work, ignore_errors=True)

    def _rows(self, work: Path, told: Told | None) -> tuple[NDArray[np.float32], Sequence[str]]:
        if self._images is None:
            return np.asarray(self._features.array, np.float32), self._features.ids
        found = extract(
            self._images,
            extractor=self._extractor,
            cache=work,
            progress=told,
        )
        return found.array, found.ids


def keep_array(array: NDArray[Any], name: str) -> None:
    """Put an array into storage as .npy."""
    with storage.scratch() as folder:
        np.save(folder / "array.npy", array, allow_pickle=False)
        storage.keep(folder / "array.npy", name)


def keep_bytes(content: bytes, name: str) -> None:
    """Put a few bytes into storage."""
    with storage.scratch() as folder:
        (folder / "bytes").write_bytes(content)
        storage.keep(folder / "bytes", name)


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def check_dimension(features: NDArray[Any], train: NDArray[Any]) -> None:
    """Raise SplitError where given features do not fit the backbone's."""
    if features.shape[1] != train.shape[1]:
        raise SplitError(
            f"the backbone gives {features.shape[1]:,} features, the split's own have "
            f"{train.shape[1]:,}: make them anew with this backbone"
        )
