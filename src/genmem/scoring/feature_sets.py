"""From sources (a path, an array, images in memory) to the features of each set."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from array_api_compat import is_torch_array
from numpy.typing import NDArray

from genmem.errors import InputError, UsageError
from genmem.features import (
    BackboneLike,
    Device,
    FeatureExtractor,
    extract,
    find_backbone,
    has_statistics,
    is_feature_source,
    is_statistics,
    load_backbone,
    load_features,
    load_statistics,
)
from genmem.features.engines import choose_device
from genmem.formatting import count, set_name
from genmem.images import (
    ImageSource,
    Progress,
    ValueRange,
    check_value_range,
    hash_images,
    open_images,
    read_classes,
    side_file_notes,
)
from genmem.io.paths import refuse_empty
from genmem.reference import Reference
from genmem.results import InputSummary, Json
from genmem.scoring.stored_sets import StoredSet
from genmem.set_statistics import Statistics
from genmem.yardstick.file_properties import FileProperties


@dataclass(frozen=True, kw_only=True)
class ExtractOptions:
    """How features are extracted; keywords of the same names in `genmem.score` and others.

    Attributes:
        weights: the weights file of a single backbone; None to look for it.
        device: "auto", "cpu", "cuda", "cuda:1" or "mps": where the backbone runs.
        batch_size: images per call of the network; None for what its engine is fastest at.
        value_range: the values of black and white in floating-point images; None refuses them.
        skip_broken: leave broken images out, with a note, instead of stopping at the first.
        progress: called with (stage, done, total or None).

    Raises:
        UsageError: the device is unknown or not available, whether a backbone is needed or not; or
            the batch size or the range is none.
    """

    weights: str | Path | None = None
    device: Device = "auto"
    batch_size: int | None = None
    value_range: ValueRange | None = None
    skip_broken: bool = False
    progress: Progress | None = None

    def __post_init__(self) -> None:
        if self.device != "auto":
            choose_device(self.device)
        check_value_range(self.value_range)
        size = self.batch_size
        if size is not None and (isinstance(size, bool) or not isinstance(size, int) or size < 1):
            raise UsageError(f"batch_size: expected a whole number of images, got {size!r}.")


@dataclass(frozen=True)
class FeatureSet:
    """The features of one set.

    Attributes:
        array: features, float [n, d]; None where the set is statistics.
        logits: class logits, float [n, c]; None where the backbone gives none.
        ids: the rows' ids, in order.
        summary: the set as results describe it.
        source: the images, to show the closest; None where features were given.
        positions: int64 [n], the position of each row in its source.
        shape: of one preprocessed image; None where features were given.
        backbone: what made the features, as far as that is known; None for bare arrays.
        statistics: mean and covariance that came with the set and describe all of it, of which the
            rows may be a part; None for most sets.
        stored: the set of a reference that this is; None for most sets. It has no `source`: its
            images are not here, only what the reference says of them.
    """

    array: Any
    logits: Any
    ids: Any
    summary: InputSummary
    source: ImageSource | None
    positions: NDArray[np.int64]
    shape: tuple[int, ...] | None = None
    backbone: Mapping[str, Json] | None = None
    statistics: Statistics | None = None
    stored: StoredSet | None = None

    @property
    def stored_images(self) -> ImageSource | Sequence[FileProperties] | None:
        """The stored images, or what a reference knows of them; None of features."""
        if self.stored is None:
            return self.source
        return self.stored.reference.properties(self.stored.role)

    @property
    def has_pictures(self) -> bool:
        """Whether `closest.row_image` gives pictures of the rows, small ones at least."""
        return self.source is not None or (self.stored is not None and self.stored.entry.thumbnails)

    @property
    def content_hashes(self) -> NDArray[np.uint8] | None:
        """Content hashes of the rows' stored images, uint8 [n, 16]; None of features."""
        if self.source is not None:
            return hash_images(self.source).per_image[self.positions]
        return None if self.stored is None else self.stored.reference.hashes(self.stored.role)

    @property
    def classes(self) -> list[str | None]:
        """The class of each row; None where it has none."""
        if self.stored is not None:
            return self.stored.classes
        if self.source is None:
            return [None] * len(self.ids)
        names = read_classes(self.source)
        return [names[position] for position in self.positions.tolist()]

    def thumbnail(self, row: int) -> bytes | None:
        """The encoded small picture that a reference has of a row; None without one."""
        if self.stored is None:
            return None
        return self.stored.reference.thumbnail(self.stored.role, row)

    @property
    def matrix(self) -> Any:
        """The features, or the covariance where the set is statistics: float [·, d]."""
        return self.statistics.sigma if self.array is None and self.statistics else self.array


@dataclass(frozen=True)
class FeatureSets:
    """The sets of a comparison by role, and the backbone that made their features, if one did."""

    by_role: dict[str, FeatureSet]
    extractor: FeatureExtractor | None

    @property
    def backbone(self) -> str:
        """The backbone's name; "features" when all sets came as features."""
        return self.extractor.backbone.name if self.extractor else "features"

    def describe_backbone(self) -> dict[str, Json]:
        """The backbone as results describe it."""
        if self.extractor is None:
            array = next(one.array for one in self.by_role.values() if one.array is not None)
            return {"name": "features", "dimension": int(array.shape[1])}
        return self.extractor.describe()

    def notes(self) -> tuple[str, ...]:
        """Sentences on how the backbone ran, where it did not run as asked for."""
        note = self.describe_backbone().get("note")
        return (f"{note}.",) if note else ()


def open_set(source: Any, role: str, options: ExtractOptions) -> ImageSource:
    """`open_images`; what is wrong with images in memory is said of their role."""
    return open_images(
        source, value_range=options.value_range, role=role, progress=options.progress
    )


def open_backbones(
    names: Sequence[BackboneLike], sources: Sequence[Any], options: ExtractOptions
) -> list[FeatureExtractor | None]:
    """Load all backbones before the first is used, so that a missing one is reported at once.

    Args:
        names: backbones, or their names; an extractor is what it is.
        sources: the sets that will be compared.
        options: weights, device and progress.

    Returns:
        One extractor per name; [None] where all sets are features already.
    """
    if all(isinstance(source, StoredSet) or is_feature_source(source) for source in sources):
        return [None]
    return [
        load_backbone(
            name, weights=options.weights, device=options.device, progress=options.progress
        )
        for name in names
    ]


def left_out_notes(by_role: Mapping[str, FeatureSet]) -> list[str]:
    """Sentences on files that cannot be read and on side files, which were left out."""
    skipped = [
        f"{count(len(one.summary.skipped), 'file')} of {role} that cannot be read as an image "
        f"{'was' if len(one.summary.skipped) == 1 else 'were'} left out."
        for role, one in by_role.items()
        if one.summary.skipped
    ]
    sources = [one.source for one in by_role.values() if one.source is not None]
    return [*skipped, *(note for source in sources for note in side_file_notes(source))]


def open_sets(
    sources: Mapping[str, Any],
    *,
    stack: ExitStack,
    options: ExtractOptions,
    statistics: bool = False,
) -> dict[str, Any]:
    """Open the sets that are images; features, statistics and references are read later.

    Args:
        sources: by role, whatever `genmem.score` takes; or a `FeatureSet` loaded before.
        stack: closes the image sources when the caller is done with them.
        options: the range of floating-point images, and progress.
        statistics: the training set may be statistics.

    Raises:
        InputError: a set is empty or unreadable.
    """
    opened: dict[str, Any] = {}
    for role, source in sources.items():
        if isinstance(source, FeatureSet):
            opened[role] = source
            continue
        refuse_empty(source, name=role)
        may_be_statistics = statistics and role == "train"
        is_read_later = (
            isinstance(source, StoredSet)
            or (may_be_statistics and is_statistics(source))
            or is_feature_source(source)
        )
        opened[role] = source
        if not is_read_later:
            opened[role] = stack.enter_context(open_set(source, role, options))
    return opened


def load_feature_sets(
    sources: Mapping[str, Any],
    *,
    stack: ExitStack,
    backbone: BackboneLike | None,
    options: ExtractOptions,
    statistics: bool = False,
    opened: Mapping[str, Any] | None = None,
) -> FeatureSets:
    """Open every set before any work is done, then extract the features of those with images.

    Args:
        sources: by role, whatever `genmem.score` takes; or a `FeatureSet` loaded before.
        stack: closes the image sources when the caller is done with them.
        backbone: the backbone for sets that are images, as for `load_backbone`; None where all
            sets are features.
        options: weights, device, broken images and progress.
        statistics: the training set may be statistics, and those beside images are loaded. Without
            it statistics alone are refused, and those beside images are not looked at.
        opened: `open_sets` of them, where that is done.

    Raises:
        InputError: a set is empty, unreadable, or broken.
        UsageError: the backbone is unknown.
        WeightsError: its weights are not here and cannot be obtained.
    """
    if opened is None:
        opened = open_sets(sources, stack=stack, options=options, statistics=statistics)
    images = [source for source in opened.values() if isinstance(source, ImageSource)]
    extractor = None
    if images and backbone is not None:
        _check_spaces(opened.values(), find_backbone(backbone).name)
        [extractor] = open_backbones([backbone], images, options)
    by_role: dict[str, FeatureSet] = {}
    # Features decide the space of a reference, where no backbone does.
    for role in sorted(opened, key=lambda role: isinstance(opened[role], StoredSet)):
        source = opened[role]
        if isinstance(source, FeatureSet):
            by_role[role] = source
        elif isinstance(source, ImageSource) and extractor is not None:
            by_role[role] = _extract(source, extractor, role=role, options=options)
        elif isinstance(source, StoredSet):
            by_role[role] = _stored_set(source, extractor, by_role.values())
        elif is_statistics(source):
            by_role[role] = _statistics_set(source, extractor)
        else:
            by_role[role] = _load(source, role)
        if statistics and isinstance(source, ImageSource) and has_statistics(sources[role]):
            beside = _load_statistics(sources[role], extractor)
            by_role[role] = replace(by_role[role], statistics=beside)
    by_role = {role: by_role[role] for role in opened}
    _refuse_other_backbones(by_role)
    check_same_shape(**{role: one.shape for role, one in by_role.items()})
    return FeatureSets(by_role, extractor)


def _refuse_other_backbones(by_role: dict[str, FeatureSet]) -> None:
    """Features of two networks cannot be compared, also where their dimensions agree."""
    known = {role: one.backbone for role, one in by_role.items() if one.backbone is not None}
    for part in ("name", "weights_sha256", "preprocessing"):
        values = {role: backbone.get(part) for role, backbone in known.items()}
        if len(set(values.values())) > 1:
            listed = ", ".join(f"{role}: {value}" for role, value in values.items())
            raise InputError(
                f"the sets were made by different backbones ({part} of {listed}); extract all of "
                "them with one."
            )


def check_same_shape(**shapes: tuple[int, ...] | None) -> None:
    """Raise InputError unless all sets hold images of one size as the backbone sees them.

    Args:
        shapes: of one preprocessed image, by role; None where a set is features.
    """
    known = {role: shape for role, shape in shapes.items() if shape is not None}
    if len(set(known.values())) > 1:
        listed = ", ".join(
            f"{role} has {' × '.join(map(str, shape[:2]))}" for role, shape in known.items()
        )
        raise InputError(
            f"the sets differ in image size: {listed} (height × width), and this backbone resizes "
            "nothing. Resize the images, or choose a backbone that does."
        )


def _extract(
    source: ImageSource, extractor: FeatureExtractor, *, role: str, options: ExtractOptions
) -> FeatureSet:
    features = extract(
        source,
        extractor=extractor,
        batch_size=options.batch_size,
        skip_broken=options.skip_broken,
        progress=name_set(options.progress, role),
    )
    return _feature_set(features, source.name, "images", source=source)


def _load(source: Any, role: str) -> FeatureSet:
    features = load_features(source, role=role)
    name = Path(source).name if isinstance(source, str | Path) else f"{role} array"
    # Tensors stay on their device; everything else is NumPy, memory-mapped when it is a file.
    array = source if is_torch_array(source) else features.array
    return _feature_set(features, name, "features", array=array)


def _check_spaces(sources: Iterable[Any], name: str) -> None:
    """Refuse a backbone that a reference lacks, before its weights are looked for."""
    for source in sources:
        if isinstance(source, StoredSet):
            source.reference.space(name)


def _stored_set(
    stored: StoredSet, extractor: FeatureExtractor | None, others: Iterable[FeatureSet]
) -> FeatureSet:
    """A set of a reference, in the feature space of the other sets."""
    space = stored.space
    if extractor is not None:
        space = stored.reference.space(extractor.backbone.name)
    elif space is None:
        space = stored.reference.space(_space_of(stored.reference, others))
    entry = stored.reference.manifest.sets[stored.role]
    return FeatureSet(
        array=space.features(stored.role),
        logits=None,
        ids=stored.reference.ids(stored.role),
        summary=InputSummary(
            source=stored.reference.name,
            kind=entry.kind,
            count=entry.count,
            digest=entry.digest,
        ),
        source=None,
        positions=np.arange(entry.count),
        shape=space.entry.shape,
        backbone=space.entry.backbone,
        stored=replace(stored, space=space),
    )


def _space_of(reference: Reference, others: Iterable[FeatureSet]) -> str | None:
    """The space that features belong to: the one their file names, or of their dimension."""
    for one in others:
        if one.backbone is not None and one.stored is None:
            return str(one.backbone.get("name"))
    return None


SPATIAL = "inception-spatial"
"""The feature space of `mu_s` and `sigma_s` in ADM's files."""


def _load_statistics(source: Any, extractor: FeatureExtractor | None) -> Statistics:
    """The statistics of a file that are of the extractor's features."""
    if isinstance(source, Statistics):
        return source
    spatial = extractor is not None and extractor.backbone.name == SPATIAL
    return load_statistics(source, spatial=spatial)


def _statistics_set(source: Any, extractor: FeatureExtractor | None) -> FeatureSet:
    """A set of which only the statistics are here."""
    given = _load_statistics(source, extractor)
    hasher = hashlib.blake2b(digest_size=16)
    for array in (given.mu, given.sigma):
        hasher.update(np.ascontiguousarray(array).data)
    return FeatureSet(
        array=None,
        logits=None,
        ids=(),
        summary=InputSummary(
            source="statistics" if isinstance(source, Statistics) else Path(source).name,
            kind="statistics",
            count=given.count,
            digest=hasher.hexdigest(),
        ),
        source=None,
        positions=np.empty(0, np.int64),
        statistics=given,
    )


def _feature_set(
    features: Any, name: str, kind: str, *, source: ImageSource | None = None, array: Any = None
) -> FeatureSet:
    summary = InputSummary(
        source=name,
        kind=kind,
        count=len(features.array),
        digest=features.digest,
        skipped=features.skipped,
    )
    return FeatureSet(
        array=features.array if array is None else array,
        logits=features.logits if source is not None else None,
        ids=features.ids,
        summary=summary,
        source=source,
        positions=features.positions,
        shape=features.shape,
        backbone=features.backbone,
    )


def name_set(progress: Progress | None, role: str) -> Progress | None:
    """Progress whose stages name the set they are of."""
    if progress is None:
        return None
    return lambda stage, done, total: progress(f"{set_name(role)}: {stage}", done, total)
