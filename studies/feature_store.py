"""Features of single images, from which the cached features of any set of them are put together.

A study draws hundreds of sets from the same images. `genmem` caches features by set; a store fills
those entries from features that were computed once.
"""

from __future__ import annotations

import shutil
from collections.abc import Generator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genmem.features import extract, load_backbone
from genmem.features.cache import default_cache
from genmem.features.cache_key import features_key
from genmem.features.feature_cache import Rows, open_or_compute
from genmem.images import Progress, hash_images, open_images


class FeatureStore:
    """Features by image content, in several spaces."""

    def __init__(self, spaces: Sequence[str], *, progress: Progress | None) -> None:
        self._progress = progress
        self._extractors = {space: load_backbone(space) for space in spaces}
        self._rows: dict[str, dict[bytes, NDArray[np.float32]]] = {space: {} for space in spaces}
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._placed: list[Path] = []

    def add(self, contents: Sequence[bytes]) -> None:
        """Compute the features of these images."""
        with open_images(list(contents)) as source:
            keys = [row.tobytes() for row in hash_images(source).per_image]
            for space, extractor in self._extractors.items():
                features = extract(source, extractor=extractor, progress=self._progress)
                self._rows[space].update(zip(keys, np.array(features.array), strict=True))
                self._shapes[space] = features.shape or ()

    def features(self, contents: Sequence[bytes], space: str) -> NDArray[np.float32]:
        """The features of images that were added, float32 [n, d]."""
        with open_images(list(contents)) as source:
            return self._stack(space, hash_images(source).per_image)

    def place(self, contents: Sequence[bytes]) -> None:
        """Put the features of a set of images that were added into the cache."""
        with open_images(list(contents)) as source:
            hashes = hash_images(source)
            for space, extractor in self._extractors.items():
                rows = Rows(
                    arrays=(self._stack(space, hashes.per_image),),
                    next_position=len(contents),
                    shape=self._shapes[space],
                    broken=(),
                )
                folder = default_cache() / "features" / features_key(hashes, extractor)
                open_or_compute(
                    folder, len(contents), lambda state, rows=rows: _once(rows), progress=None
                )
                self._placed.append(folder)

    def remove_placed(self) -> None:
        """Remove the sets that were placed from the cache."""
        for folder in self._placed:
            shutil.rmtree(folder, ignore_errors=True)
            folder.with_suffix(".lock").unlink(missing_ok=True)
        self._placed.clear()

    def _stack(self, space: str, hashes: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.stack([self._rows[space][row.tobytes()] for row in hashes])


def _once(rows: Rows) -> Generator[Rows, None, None]:
    yield rows
