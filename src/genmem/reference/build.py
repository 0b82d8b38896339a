"""`build_reference`: images or features → the folder that takes their place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np

from genmem.arrays import as_source, check_same_dimension
from genmem.errors import InputError, UsageError
from genmem.features import (
    Backbones,
    Device,
    FeatureExtractor,
    Features,
    extract,
    is_feature_source,
    list_backbones,
    load_backbone,
    load_features,
)
from genmem.images import (
    ImageSource,
    Progress,
    ValueRange,
    hash_images,
    open_images,
    read_classes,
)
from genmem.progress import ProgressOption, show_progress
from genmem.reference.contents import shard_slices, shards_of, write_ids
from genmem.reference.description import SEED, describe_test, describe_train
from genmem.reference.folder import check_target, list_files, replaced_folder, write_array
from genmem.reference.manifest import MANIFEST, Manifest, SetEntry, Space, folder_name, shard_file
from genmem.reference.reference import Reference, open_reference
from genmem.reference.thumbnails import write_thumbnails
from genmem.yardstick.file_properties import read_properties
from genmem.yardstick.two_sample import two_sample_test

Dtype = Literal["float32", "float16"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a reference is made; the arguments of the same names of `build_reference`."""

    dtype: Dtype = "float32"
    images: bool = True
    licence: str = ""
    contact: str = ""
    device: Device = "auto"
    batch_size: int | None = None
    value_range: ValueRange | None = None
    skip_broken: bool = False
    progress: Progress | None = None

    def stage(self, name: str) -> None:
        """Report a stage."""
        if self.progress is not None:
            self.progress(name, 0, None)


def build_reference(
    *,
    train: Any,
    out: str | Path,
    test: Any = None,
    backbone: Backbones = "inception",
    dtype: Dtype = "float32",
    images: bool = True,
    licence: str = "",
    contact: str = "",
    weights: str | Path | None = None,
    device: Device = "auto",
    batch_size: int | None = None,
    value_range: ValueRange | None = None,
    skip_broken: bool = False,
    progress: ProgressOption = None,
) -> Reference:
    """Describe a training set once, so that later scores need neither its images nor searches.

    Args:
        train: the training set, as for `genmem.score`: images, or features [n, d].
        out: the folder to write (`train.genmem`). An earlier reference in it is replaced.
        test: held-out images; None for none.
        backbone: one or several backbones, the default one first; unused where features are given.
        dtype: of the stored features. With "float16" everything is computed from the rounded ones.
        images: store thumbnails of at most 128 pixels a side, for pages.
        licence: of the data, in your words.
        contact: whom to ask about it.
        weights: weights file of a single backbone; None to look for it.
        device: "auto", "cpu", "cuda", "cuda:1" or "mps".
        batch_size: images per call of a network; None for what its engine is fastest at.
        value_range: as for `genmem.score`.
        skip_broken: leave broken images out instead of stopping at the first.
        progress: as for `genmem.score`.

    Returns:
        The reference, opened.

    Raises:
        InputError: a set is empty, broken, or does not go with the other.
        UsageError: a backbone is unknown, or `out` cannot be written.
        WeightsError: a backbone's weights are missing and cannot be obtained.
    """
    out = check_target(out)
    if dtype not in ("float32", "float16"):
        raise UsageError(f"dtype: expected float32 or float16, got {dtype!r}.")
    sources = {"train": as_source(train, role="train")}
    if test is not None:
        sources["test"] = as_source(test, role="test")
    with show_progress(progress) as show, ExitStack() as stack:
        options = Options(
            dtype=dtype,
            images=images,
            licence=licence,
            contact=contact,
            device=device,
            batch_size=batch_size,
            value_range=value_range,
            skip_broken=skip_broken,
            progress=show,
        )
        opened = {role: _open(source, role, stack, options) for role, source in sources.items()}
        extractors = _open_backbones(opened, backbone, weights, options)
        with replaced_folder(out) as folder:
            spaces: list[Space] = []
            kept: dict[str, tuple[Features, SetEntry]] = {}
            for extractor in extractors:
                features = {
                    role: _features(source, extractor, role, options)
                    for role, source in opened.items()
                }
                _check_together(features, kept)
                for role, one in features.items():
                    if role not in kept:
                        kept[role] = one, _write_set(folder, role, opened[role], one, options)
                spaces.append(_write_space(folder, features, extractor, spaces, options))
            entries = {role: entry for role, (_, entry) in kept.items()}
            write_manifest(folder, entries, spaces, licence=licence, contact=contact)
    return open_reference(out)


def write_manifest(
    folder: Path,
    sets: Mapping[str, SetEntry],
    spaces: Sequence[Space],
    *,
    licence: str,
    contact: str,
) -> None:
    """Write the manifest of a folder whose other files are complete."""
    manifest = Manifest(
        genmem=version("genmem"),
        date=datetime.now().astimezone().isoformat(timespec="seconds"),
        licence=licence,
        contact=contact,
        sets=sets,  # pyright: ignore[reportArgumentType]
        spaces=tuple(spaces),
        files=list_files(folder),
    )
    manifest.save(folder / MANIFEST)


def _open(source: Any, role: str, stack: ExitStack, options: Options) -> Any:
    """A source of images, opened; features as they were given."""
    if is_feature_source(source):
        return source
    return stack.enter_context(
        open_images(source, role=role, value_range=options.value_range, progress=options.progress)
    )


def _open_backbones(
    opened: Mapping[str, Any],
    backbone: Backbones,
    weights: str | Path | None,
    options: Options,
) -> list[FeatureExtractor | None]:
    """One extractor for each space; [None] where features were given."""
    are_images = [isinstance(source, ImageSource) for source in opened.values()]
    if not any(are_images):
        return [None]
    if not all(are_images):
        raise InputError(
            "expected images or features for both train and test, got one of each. Extract the "
            "images' features first (`genmem features`), or give the other set's images."
        )
    networks = list_backbones(backbone)
    if weights is not None and len(networks) > 1:
        raise UsageError("a weights file belongs to one backbone; name only one.")
    return [
        load_backbone(network, weights=weights, device=options.device, progress=options.progress)
        for network in networks
    ]


def _features(
    source: Any, extractor: FeatureExtractor | None, role: str, options: Options
) -> Features:
    if extractor is None:
        features = load_features(source, role=role)
    else:
        features = extract(
            source,
            extractor=extractor,
            batch_size=options.batch_size,
            skip_broken=options.skip_broken,
            progress=options.progress,
        )
    if options.dtype == "float32":
        return features
    with np.errstate(over="ignore"):
        stored = features.array.astype(np.float16)
    if not np.isfinite(stored).all():
        raise InputError(
            f"{role}: features too large for float16. Store them as float32 (--dtype float32)."
        )
    return replace(features, array=stored.astype(np.float32))


def _check_together(
    features: Mapping[str, Features], kept: Mapping[str, tuple[Features, SetEntry]]
) -> None:
    """Sets of one space have one dimension; a set has the same rows in every space."""
    check_same_dimension(**{role: one.array for role, one in features.items()})
    for role, (first, _) in kept.items():
        if not np.array_equal(first.positions, features[role].positions):
            raise InputError(
                f"{role}: the backbones cannot read the same images. Remove the broken ones, or "
                "make one reference for each backbone."
            )


def _write_set(
    folder: Path, role: str, source: Any, features: Features, options: Options
) -> SetEntry:
    """Write what a set is in every space: ids, classes, content hashes, thumbnails."""
    rows = len(features.array)
    shards = shards_of(rows)
    are_images = isinstance(source, ImageSource)
    ids = [str(name) for name in features.ids]
    classes = _classes(source, features)
    options.stage(f"describing {role}")
    for number, part in shard_slices(shards):
        write_ids(folder / shard_file(role, "ids", number, ".parquet"), ids[part], classes[part])
        if not are_images:
            continue
        positions = features.positions[part]
        write_array(
            folder / shard_file(role, "hashes", number, ".npy"),
            hash_images(source).per_image[positions],
        )
        if options.images:
            write_thumbnails(
                source,
                positions,
                folder / shard_file(role, "thumbnails", number, ".npy"),
                folder / shard_file(role, "thumbnail-ends", number, ".npy"),
            )
    return SetEntry(
        source=source.name if are_images else _feature_name(source, role),
        kind="images" if are_images else "features",
        count=rows,
        digest=features.digest,
        skipped=len(features.skipped),
        shards=shards,
        classes=len({*classes} - {None}),
        thumbnails=are_images and options.images,
        properties=tuple(map(asdict, read_properties(source, seed=SEED))) if are_images else None,
    )


def _classes(source: Any, features: Features) -> list[str | None]:
    if not isinstance(source, ImageSource):
        return [None] * len(features.array)
    names = read_classes(source)
    return [names[position] for position in features.positions.tolist()]


def _feature_name(source: Any, role: str) -> str:
    return Path(source).name if isinstance(source, str | Path) else f"{role} array"


def _write_space(
    folder: Path,
    features: Mapping[str, Features],
    extractor: FeatureExtractor | None,
    others: Sequence[Space],
    options: Options,
) -> Space:
    """Write the features of a space and what metrics need of them."""
    train = features["train"]
    name = extractor.backbone.name if extractor else _name_of(train.backbone)
    space = Space(
        name=name,
        folder=folder_name(name, {other.folder for other in others}),
        dimension=int(train.array.shape[1]),
        dtype=options.dtype,
        backbone=_public(train.backbone),
        shape=train.shape,
    )
    for role, one in features.items():
        for number, part in shard_slices(shards_of(len(one.array))):
            path = folder / space.folder / shard_file(role, "features", number, ".npy")
            write_array(path, one.array[part].astype(options.dtype, copy=False))
    arrays = {role: one.array for role, one in features.items()}
    return write_description(folder, space, arrays, options.stage)


def write_description(folder: Path, space: Space, arrays: Mapping[str, Any], stage: Any) -> Space:
    """Write what metrics need of a space's rows; returns the space with its sizes.

    Args:
        folder: of the reference.
        space: whose features these are.
        arrays: float32 features by role.
        stage: called with the name of each stage.
    """
    stage(f"distances among train, in {space.name}")
    described, sizes = describe_train(arrays["train"])
    two_sample = None
    if "test" in arrays:
        stage(f"distances from test to train, in {space.name}")
        of_test, lengths = describe_test(arrays["test"], arrays["train"])
        described |= of_test
        sizes |= lengths
        two_sample = two_sample_test(train=arrays["train"], test=arrays["test"], seed=SEED)
    for name, array in described.items():
        write_array(folder / space.folder / f"{name}.npy", array)
    return replace(
        space, sizes=sizes, two_sample=None if two_sample is None else two_sample.to_dict()
    )


def _public(backbone: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """What computed the features, without where its weights lay on this machine."""
    if backbone is None:
        return None
    return {key: value for key, value in backbone.items() if key not in ("weights_from", "note")}


def _name_of(backbone: Mapping[str, Any] | None) -> str:
    """The space of given features: the backbone that their file names, else "features"."""
    name = None if backbone is None else backbone.get("name")
    return name if isinstance(name, str) and name else "features"
