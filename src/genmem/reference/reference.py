"""`open_reference`: a reference's spaces, rows and pictures, read when they are needed."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from genmem.arrays import rows_not_finite
from genmem.errors import InputError, UsageError
from genmem.features.cache import default_cache, entry_key
from genmem.features.feature_cache import EntryState, Rows, open_or_compute
from genmem.formatting import join_words
from genmem.metrics.moments import Moments, moments
from genmem.neighbors import Nearest
from genmem.reference.checks import check_values, check_widths, parse_entry
from genmem.reference.contents import StoredIds, read_array, shard_slices
from genmem.reference.description import SEED
from genmem.reference.folder import check_digest, check_sizes
from genmem.reference.manifest import (
    MANIFEST,
    Manifest,
    SetEntry,
    Space,
    derived_arrays,
    expected_files,
    read_manifest,
    shard_file,
    stores_moments,
)
from genmem.yardstick.file_properties import FileProperties
from genmem.yardstick.two_sample import TwoSample

Role = Literal["train", "test"]

_ROWS_PER_CHECK = 16_384


def is_reference(source: object) -> bool:
    """Whether `source` is a reference, or a folder with the manifest of one."""
    if isinstance(source, Reference):
        return True
    if not isinstance(source, str | Path):
        return False
    path = Path(source).expanduser()
    try:
        if not path.is_dir():
            return False
        if path.suffix == ".genmem":
            return True
        with (path / MANIFEST).open("rb") as file:
            return b'"genmem reference"' in file.read(4096)
    except (OSError, ValueError):
        return False


def open_reference(path: str | Path) -> Reference:
    """Open a reference: its manifest, and the names and sizes of its files, are checked.

    A file that describes the rows is compared with its digest where it is first used.

    Args:
        path: the folder that `genmem reference` wrote.

    Raises:
        InputError: it is no reference, incomplete, damaged, or of a newer genmem.

    Example:
        >>> import tempfile, numpy as np, genmem
        >>> rng = np.random.default_rng(0)
        >>> train, generated = rng.normal(size=(2, 50, 4)).astype("float32")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     reference = genmem.build_reference(train=train, out=f"{folder}/train.genmem")
        ...     score = genmem.score(generated=generated, train=reference, metrics=["authpct"])
        >>> len(reference), float(score["authpct"]) > 50
        (50, True)
    """
    from genmem.io.paths import expand_home, refuse_empty

    refuse_empty(path, name="the reference")
    folder = expand_home(path)
    manifest = read_manifest(folder)
    check_sizes(folder, manifest)
    check_widths(manifest, folder)
    reference = Reference(folder, manifest)
    for role in manifest.sets:
        reference.properties(role)
    for name in reference.spaces:
        _ = reference.space(name).two_sample
    return reference


class Reference:
    """A training set described once. It can be sent to other processes.

    Attributes:
        folder: where it lies.
        manifest: what it holds.
        checked: paths of the arrays whose digest and values were checked.
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest
        self.checked: set[str] = set()

    def __len__(self) -> int:
        return self.manifest.train.count

    @property
    def name(self) -> str:
        """The folder's name, safe in reports."""
        return self.folder.resolve().name

    @property
    def spaces(self) -> tuple[str, ...]:
        """Names of the feature spaces, the default one first."""
        return tuple(space.name for space in self.manifest.spaces)

    @property
    def has_test(self) -> bool:
        """Whether it holds held-out rows."""
        return "test" in self.manifest.sets

    def space(self, name: str | None = None) -> ReferenceSpace:
        """A feature space.

        Args:
            name: of the backbone; None for the first.

        Raises:
            UsageError: the reference lacks it.
        """
        entry = self.manifest.spaces[0] if name is None else self.manifest.space(name)
        if entry is None:
            only = self.spaces == ("features",)
            raise UsageError(
                f"{self.name} has no features of {name}; it has {join_words(self.spaces)}. "
                + (
                    "It was made of features: give features of the same kind (`genmem features`)."
                    if only
                    else f"Choose one of these (--backbone {self.spaces[0]}), or make a reference "
                    f"with {name} (`genmem reference TRAIN --backbone {name}`)."
                )
            )
        return ReferenceSpace(self, entry)

    def ids(self, role: Role) -> StoredIds:
        """Ids and classes of the rows of a set."""
        return StoredIds(self.folder, role, self.manifest.sets[role].shards)

    def properties(self, role: Role) -> list[FileProperties] | None:
        """Of a sample of the stored files of a set; None where features were given.

        Raises:
            InputError: the manifest is damaged.
        """
        stored = self.manifest.sets[role].properties
        if stored is None:
            return None
        return [parse_entry(FileProperties, image, self.folder / MANIFEST) for image in stored]

    def thumbnail(self, role: Role, row: int) -> bytes | None:
        """The encoded small picture of a row; None where the reference holds none.

        Raises:
            InputError: the file is damaged.
        """
        entry = self.manifest.sets[role]
        if not entry.thumbnails:
            return None
        for number, part in shard_slices(entry.shards):
            if part.start <= row < part.stop:
                return self._picture(role, number, row - part.start, part.stop - part.start)
        raise IndexError(row)

    def pictures(self, role: Role) -> list[tuple[NDArray[np.uint8], NDArray[np.int64]]]:
        """The encoded pictures of a set one after the other, and where each ends, by shard.

        Raises:
            InputError: a file is damaged.
        """
        entry = self.manifest.sets[role]
        shards = enumerate(entry.shards) if entry.thumbnails else ()
        return [self._pictures(role, number, rows) for number, rows in shards]

    def _pictures(
        self, role: Role, number: int, rows: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        path = self.folder / shard_file(role, "thumbnail-ends", number, ".npy")
        ends = read_array(path, (rows,), "int64")
        if (np.diff(ends, prepend=0) <= 0).any():
            raise InputError(f"{path}: the pictures are damaged. Get the reference again.")
        path = self.folder / shard_file(role, "thumbnails", number, ".npy")
        return read_array(path, (int(ends[-1]),), "uint8", mapped=True), ends

    def _picture(self, role: Role, number: int, row: int, rows: int) -> bytes:
        data, ends = self._pictures(role, number, rows)
        begin = int(ends[row - 1]) if row else 0
        return data[begin : int(ends[row])].tobytes()

    def hashes(self, role: Role) -> NDArray[np.uint8] | None:
        """Content hashes of the images of a set, uint8 [n, 16]; None where features were given."""
        entry = self.manifest.sets[role]
        if entry.kind != "images":
            return None
        parts = [
            read_array(
                self.folder / shard_file(role, "hashes", number, ".npy"), (rows, 16), "uint8"
            )
            for number, rows in enumerate(entry.shards)
        ]
        return np.concatenate(parts)


@dataclass(frozen=True)
class ReferenceSpace:
    """One feature space of a reference: rows, and what metrics need of them, read at first use."""

    reference: Reference
    entry: Space

    @property
    def folder(self) -> Path:
        """Of the space's files."""
        return self.reference.folder / self.entry.folder

    def _set(self, role: Role) -> SetEntry:
        return self.reference.manifest.sets[role]

    def features(self, role: Role) -> NDArray[np.float32]:
        """The rows of a set, float32 [n, d], memory-mapped.

        Several shards, and float16, are written once more as one float32 array to the cache. The
        arrays of the space are checked here too: a score must not leave out the metrics of a
        damaged one and give the others.

        Raises:
            InputError: a file of the space is damaged or holds NaN or infinity.
        """
        entry = self._set(role)
        paths = [
            self.folder / shard_file(role, "features", number, ".npy")
            for number in range(len(entry.shards))
        ]
        arrays = [
            read_array(path, (rows, self.entry.dimension), self.entry.dtype, mapped=True)
            for path, rows in zip(paths, entry.shards, strict=True)
        ]
        for name in self.array_names:
            self.array(name)
        for path, array in zip(paths, arrays, strict=True):
            for start in range(0, len(array), _ROWS_PER_CHECK):
                if len(bad := rows_not_finite(array[start : start + _ROWS_PER_CHECK])):
                    raise InputError(f"{path}: row {start + int(bad[0])} holds NaN or infinity.")
        if len(arrays) == 1 and self.entry.dtype == "float32":
            return arrays[0]
        return self._joined(arrays, paths)

    def _joined(self, arrays: Sequence[Any], paths: Sequence[Path]) -> NDArray[np.float32]:
        folder, manifest = self.reference.folder, self.reference.manifest
        names = [path.relative_to(folder).as_posix() for path in paths]
        key = entry_key("rows of a reference 2", *(manifest.files[name].sha256 for name in names))
        total = sum(map(len, arrays))

        def compute(state: EntryState | None) -> Generator[Rows, None, None]:
            # All digests before the first row: an interrupted entry is resumed, by whatever
            # reference claims these digests.
            for name in names:
                check_digest(folder, manifest, name)
            position = 0
            for array in arrays:
                for start in range(0, len(array), _ROWS_PER_CHECK):
                    block = np.asarray(array[start : start + _ROWS_PER_CHECK], np.float32)
                    position += len(block)
                    if state is None or position > state.next_position:
                        yield Rows(arrays=(block,), next_position=position, shape=(), broken=())

        entry, _ = open_or_compute(
            default_cache() / "features" / key, total, compute, progress=None
        )
        return entry.features

    @property
    def array_names(self) -> list[str]:
        """The names of all arrays that `array` gives."""
        return [*derived_arrays(self.reference.manifest, self.entry)]

    def array(self, name: str) -> NDArray[Any]:
        """An array of `manifest.DERIVED` or `DERIVED_OF_TEST`.

        Raises:
            InputError: its file is damaged, or its numbers make no sense.
        """
        file = f"{self.entry.folder}/{name}.npy"
        expected = expected_files(self.reference.manifest)[file]
        if expected is None:
            raise AssertionError(name)
        path = self.reference.folder / file
        array = read_array(path, *expected)
        if file not in self.reference.checked:
            check_digest(self.reference.folder, self.reference.manifest, file)
            check_values(name, array, path, rows=self._set("train").count)
            self.reference.checked.add(file)
        return array

    @cached_property
    def moments(self) -> Moments:
        """Count, mean and scatter of the training rows; computed where they are not stored."""
        if not stores_moments(self.entry.dimension):
            return moments(self.features("train"))
        count = self._set("train").count
        return Moments(count=count, mean=self.array("mean"), scatter=self.array("scatter"))

    @cached_property
    def euclidean(self) -> Nearest:
        """The nearest other training rows of each training row, Euclidean."""
        return Nearest(self.array("euclidean_distances"), self.array("euclidean_indices"))

    @cached_property
    def cosine(self) -> Nearest:
        """The same by absolute cosine."""
        return Nearest(self.array("cosine_distances"), self.array("cosine_indices"))

    @cached_property
    def different_rows(self) -> NDArray[np.int64]:
        """Training rows that equal no earlier one, int64 [u], ascending."""
        return np.setdiff1d(np.arange(self._set("train").count), self.array("repeats"))

    def subset_distances(self, *, rows: int, seed: int) -> NDArray[np.float64] | None:
        """Distances of `prdc.train_subset` to its nearest other rows; None of another subset.

        Args:
            rows: of the subset.
            seed: of the subset.
        """
        if seed != SEED or rows != self.entry.sizes.get("subset"):
            return None
        return self.array("subset_distances")

    @cached_property
    def test_cosine(self) -> Nearest:
        """The training rows nearest to each held-out row, by absolute cosine."""
        return Nearest(self.array("test_cosine_distances"), self.array("test_cosine_indices"))

    @cached_property
    def test_euclidean(self) -> Nearest:
        """The two nearest different training rows of each held-out row, Euclidean."""
        return Nearest(self.array("test_euclidean_distances"), self.array("test_euclidean_indices"))

    @property
    def two_sample(self) -> TwoSample | None:
        """The two-sample test of the yardstick, for the default seed; None without it.

        Raises:
            InputError: the manifest is damaged.
        """
        stored = self.entry.two_sample
        if stored is None:
            return None
        return parse_entry(TwoSample, stored, self.reference.folder / MANIFEST)
