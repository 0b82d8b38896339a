"""`Manifest`: what a reference's `manifest.json` says, and which files the folder must hold."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from genmem.errors import InputError, os_reason
from genmem.io.documents import Document
from genmem.results import Json

MANIFEST = "manifest.json"

FORMAT = "genmem reference"

VERSION = 1
"""Of the folder's layout. Raise it when an older genmem could not read what this one writes."""

DERIVED = {
    "mean": ("d",),
    "scatter": ("d", "d"),
    "euclidean_distances": ("train", "euclidean"),
    "euclidean_indices": ("train", "euclidean"),
    "cosine_distances": ("train", "cosine"),
    "cosine_indices": ("train", "cosine"),
    "repeats": ("repeats",),
    "near_duplicates": ("pairs", 2),
    "subset_distances": ("subset", "subset_neighbors"),
}
"""Arrays that describe the training rows of a space, and their shapes by name."""

MOMENTS_DIMENSION = 4_096
"""A space of more features stores no `mean` and `scatter`, which are computed when they are needed:
the scatter of 12,288 pixels takes 1.2 GB."""

DERIVED_OF_TEST = {
    "test_cosine_distances": ("test", "test_cosine"),
    "test_cosine_indices": ("test", "test_cosine"),
    "test_euclidean_distances": ("test", 2),
    "test_euclidean_indices": ("test", 2),
}
"""Arrays that describe the held-out rows beside the training rows, where there are any."""

_FOLDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9@._-]{0,99}")

Count = Annotated[int, Field(ge=0)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


@dataclass(frozen=True, kw_only=True)
class File(Document):
    """A file of the folder.

    Attributes:
        bytes: its size.
        sha256: of its content, 64 hexadecimal digits.
    """

    bytes: Count
    sha256: Digest


@dataclass(frozen=True, kw_only=True)
class SetEntry(Document):
    """The training or the held-out set.

    Attributes:
        source: the last part of what was given ("train.zip"), never a full path.
        kind: "images" or "features".
        count: rows.
        digest: content hash, as in results: of all images in order, or of the feature array.
        skipped: broken images that were left out.
        shards: rows of each shard, in order.
        classes: number of classes; 0 where the images have none.
        thumbnails: the folder holds small pictures of the images.
        properties: of a sample of the stored files (`genmem.yardstick.file_properties`); None where
            features were given.
    """

    source: str
    kind: Literal["images", "features"]
    count: Annotated[int, Field(ge=1)]
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    skipped: Count = 0
    shards: tuple[Annotated[int, Field(ge=1)], ...]
    classes: Count = 0
    thumbnails: bool = False
    properties: tuple[Mapping[str, Any], ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Space(Document):
    """A feature space.

    Attributes:
        name: of the backbone; "features" where features were given.
        folder: of its files.
        dimension: features per image, d.
        dtype: in which the features are stored.
        backbone: what computed them (`FeatureExtractor.describe`); None where that is not known.
        shape: of one preprocessed image; () if it differs, None where features were given.
        sizes: lengths of the arrays of `DERIVED` by name.
        two_sample: the two-sample test of the yardstick; None without held-out rows.
    """

    name: str
    folder: str
    dimension: Annotated[int, Field(ge=1)]
    dtype: Literal["float32", "float16"] = "float32"
    backbone: Mapping[str, Any] | None = None
    shape: tuple[Count, ...] | None = None
    sizes: Mapping[str, Count] = field(default_factory=dict)
    two_sample: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Manifest(Document):
    """What a reference is and which files it has.

    Attributes:
        format: "genmem reference".
        version: of the layout.
        genmem: the version that wrote it.
        date: of writing, ISO 8601.
        licence: of the data, in the words of whoever made it; "" if not said.
        contact: whom to ask; "" if not said.
        sets: "train", and "test" where held-out images were given.
        spaces: the feature spaces, the default one first.
        files: every file but this one, by its path in the folder.
    """

    format: Literal["genmem reference"] = FORMAT
    version: int = VERSION
    genmem: str
    date: str
    licence: str = ""
    contact: str = ""
    sets: Mapping[Literal["train", "test"], SetEntry]
    spaces: Annotated[tuple[Space, ...], Field(min_length=1)]
    files: Mapping[str, File]

    @property
    def train(self) -> SetEntry:
        """The training set."""
        return self.sets["train"]

    def space(self, name: str) -> Space | None:
        """The space of a backbone; None if the reference lacks it."""
        return next((space for space in self.spaces if space.name == name), None)


def shard_file(role: str, what: str, number: int, suffix: str) -> str:
    """The name of a file of one shard: `train-ids-00000.parquet`."""
    return f"{role}-{what}-{number:05d}{suffix}"


def stores_moments(dimension: int) -> bool:
    """Whether a space of so many features stores `mean` and `scatter`."""
    return dimension <= MOMENTS_DIMENSION


def derived_arrays(manifest: Manifest, space: Space) -> dict[str, tuple[str | int, ...]]:
    """The arrays of `DERIVED` and `DERIVED_OF_TEST` that a space has."""
    arrays: dict[str, tuple[str | int, ...]] = {**DERIVED}
    if not stores_moments(space.dimension):
        del arrays["mean"], arrays["scatter"]
    return arrays | (DERIVED_OF_TEST if "test" in manifest.sets else {})


def expected_files(manifest: Manifest) -> dict[str, tuple[tuple[int, ...], str] | None]:
    """Every file that a manifest implies, by path: shape and dtype of an array, None of others.

    Paths come from counts and checked names, never from the manifest's own list.
    """
    files: dict[str, tuple[tuple[int, ...], str] | None] = {}
    for role, one in manifest.sets.items():
        for number, rows in enumerate(one.shards):
            files[shard_file(role, "ids", number, ".parquet")] = None
            if one.kind == "images":
                files[shard_file(role, "hashes", number, ".npy")] = ((rows, 16), "uint8")
            if one.thumbnails:
                files[shard_file(role, "thumbnails", number, ".npy")] = None
                files[shard_file(role, "thumbnail-ends", number, ".npy")] = ((rows,), "int64")
    for space in manifest.spaces:
        for role, one in manifest.sets.items():
            for number, rows in enumerate(one.shards):
                name = f"{space.folder}/{shard_file(role, 'features', number, '.npy')}"
                files[name] = ((rows, space.dimension), space.dtype)
        lengths = {
            **space.sizes,
            **{role: one.count for role, one in manifest.sets.items()},
            "d": space.dimension,
        }
        for name, shape in derived_arrays(manifest, space).items():
            numbers = tuple(lengths.get(n, 0) if isinstance(n, str) else n for n in shape)
            is_index = name.endswith("indices") or name in ("repeats", "near_duplicates")
            files[f"{space.folder}/{name}.npy"] = (numbers, "int64" if is_index else "float64")
    return files


def read_manifest(folder: Path) -> Manifest:
    """Read and check the manifest of a reference; its files are checked when it is opened.

    Raises:
        InputError: it cannot be read, is no manifest, is of a newer genmem, or contradicts itself.
    """
    path = folder / MANIFEST
    document = _read(path)
    if document.get("format") != FORMAT:
        raise InputError(f"{path}: expected the manifest of a reference (format: {FORMAT!r}).")
    version = document.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise InputError(f"{path}: expected a version from 1 to {VERSION}, got {version!r}.")
    if version > VERSION:
        raise InputError(
            f"{path}: this reference has format version {version}, and this genmem reads up to "
            f"{VERSION}. Update genmem."
        )
    manifest = _parse(document, path)
    _check(manifest, path)
    return manifest


def _read(path: Path) -> dict[str, Json]:
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {os_reason(error)}.") from error
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{path}: expected JSON; it is damaged. Get the reference again."
        ) from error
    if not isinstance(document, dict):
        raise InputError(f"{path}: expected a JSON object.")
    return document


def _parse(document: dict[str, Json], path: Path) -> Manifest:
    from pydantic import ValidationError

    try:
        return Manifest.from_dict(document)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))[:100] or "the file"
        raise InputError(f"{path}: cannot be used ({name}: {first['msg']}).") from error


def _check(manifest: Manifest, path: Path) -> None:
    """Refuse names that leave the folder and numbers that contradict each other."""
    if "train" not in manifest.sets:
        raise InputError(f"{path}: expected a training set (sets.train).")
    folders = [space.folder for space in manifest.spaces]
    for folder in folders:
        if not _FOLDER.fullmatch(folder):
            raise InputError(f"{path}: {folder[:60]!r} is no name for a space's folder.")
    names = [space.name for space in manifest.spaces]
    if len(set(names)) < len(names) or len({name.lower() for name in folders}) < len(folders):
        raise InputError(f"{path}: two spaces have one name or folder.")
    for role, one in manifest.sets.items():
        if sum(one.shards) != one.count:
            raise InputError(
                f"{path}: {role} has {one.count:,} rows, but its shards {sum(one.shards):,}."
            )
    expected = expected_files(manifest)
    if missing := sorted(expected.keys() - manifest.files.keys()):
        raise InputError(f"{path}: {missing[0]} is not listed under files.")
    if unknown := sorted(manifest.files.keys() - expected.keys()):
        raise InputError(f"{path}: {unknown[0][:100]!r} is no file of a reference.")


def folder_name(name: str, taken: set[str]) -> str:
    """A folder name for a space that any file system takes, different from those `taken`."""
    base = re.sub(r"[^A-Za-z0-9@._-]+", "-", Path(name).name).strip("-._@")[:80] or "space"
    lower = {other.lower() for other in taken}
    folder, number = base, 2
    while folder.lower() in lower:
        folder, number = f"{base}-{number}", number + 1
    return folder
