"""From what the user gave (a path, an array, images in memory) to the rows of one set."""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from array_api_compat import is_torch_array
from numpy.typing import NDArray

from genmem.errors import InputError
from genmem.features import (
    Device,
    FeatureExtractor,
    extract,
    is_feature_source,
    load_backbone,
    load_features,
)
from genmem.images import ImageSource, Progress, open_images
from genmem.results import InputSummary, Json

_LIBRARIES = (
    "genmem",
    "numpy",
    "scipy",
    "scikit-learn",
    "torch",
    "timm",
    "torch-fidelity",
    "onnxruntime",
    "pillow",
)


def provenance(*, seed: int) -> dict[str, Json]:
    """Versions, platform, seed and time of now; no host name, no user, no path."""
    return {
        "versions": {name: _version(name) for name in _LIBRARIES},
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cpus": os.cpu_count(),
        "seed": seed,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


@dataclass(frozen=True)
class Rows:
    """One set, ready to be compared.

    Attributes:
        array: features, float [n, d].
        logits: class logits, float [n, c]; None where the backbone gives none.
        ids: the rows' ids, in order.
        summary: what the result says of this set.
        source: the images, to show the closest; None where features were given.
        positions: int64 [n], where each row is in its source.
        backbone: what made the features, as far as that is known; None for bare arrays.
    """

    array: Any
    logits: Any
    ids: Any
    summary: InputSummary
    source: ImageSource | None
    positions: NDArray[np.int64]
    backbone: Mapping[str, Json] | None = None


@dataclass(frozen=True)
class Inputs:
    """The sets of a comparison by role, and the backbone that made their features, if one did."""

    rows: dict[str, Rows]
    extractor: FeatureExtractor | None

    @property
    def backbone(self) -> str:
        """The backbone's name; "features" when all sets came as features."""
        return self.extractor.backbone.name if self.extractor else "features"


def prepare(
    given: dict[str, Any],
    *,
    stack: ExitStack,
    backbone: str | FeatureExtractor,
    weights: str | Path | None = None,
    device: Device = "auto",
    skip_broken: bool = False,
    progress: Progress | None = None,
) -> Inputs:
    """Open every set before any work is done, then extract the features of those with images.

    Args:
        given: by role, whatever `genmem.score` takes.
        stack: closes the image sources when the caller is done with them.
        backbone: the backbone for sets that are images, by name or opened.
        weights: its weights file; None: looked for.
        device: "auto", "cpu", "cuda" or "mps".
        skip_broken: leave broken images out instead of stopping at the first.
        progress: told (stage, done, total).

    Raises:
        InputError: a set is empty, unreadable, or broken.
        UsageError: the backbone is unknown.
        WeightsError: its weights are not here and cannot be had.
    """
    opened: dict[str, Any] = {}
    for role, source in given.items():
        is_features = is_feature_source(source)
        opened[role] = source if is_features else stack.enter_context(open_images(source))
    any_images = any(isinstance(source, ImageSource) for source in opened.values())
    extractor = backbone if isinstance(backbone, FeatureExtractor) else None
    if any_images and isinstance(backbone, str):
        extractor = load_backbone(backbone, weights=weights, device=device, progress=progress)
    rows = {}
    for role, source in opened.items():
        told = _with_role(progress, role)
        if isinstance(source, ImageSource) and extractor is not None:
            rows[role] = _embedded(source, extractor, skip_broken=skip_broken, progress=told)
        else:
            rows[role] = _loaded(source, role)
    _refuse_other_backbones(rows)
    return Inputs(rows, extractor)


def _refuse_other_backbones(rows: dict[str, Rows]) -> None:
    """Features of two networks cannot be compared, also where their dimensions agree."""
    known = {role: one.backbone for role, one in rows.items() if one.backbone is not None}
    for part in ("name", "weights_sha256", "preprocessing"):
        values = {role: made.get(part) for role, made in known.items()}
        if len(set(values.values())) > 1:
            listed = ", ".join(f"{role}: {value}" for role, value in values.items())
            raise InputError(
                f"the sets were made by different backbones ({part} of {listed}); extract all of "
                "them with one."
            )


def _embedded(
    source: ImageSource,
    extractor: FeatureExtractor,
    *,
    skip_broken: bool,
    progress: Progress | None,
) -> Rows:
    features = extract(source, extractor=extractor, skip_broken=skip_broken, progress=progress)
    summary = InputSummary(
        source=source.name,
        kind="images",
        count=len(features.array),
        digest=features.digest,
        skipped=features.skipped,
    )
    return Rows(
        features.array,
        features.logits,
        features.ids,
        summary,
        source,
        features.positions,
        features.backbone,
    )


def _loaded(source: Any, role: str) -> Rows:
    features = load_features(source)
    name = Path(source).name if isinstance(source, str | Path) else f"{role} array"
    summary = InputSummary(
        source=name,
        kind="features",
        count=len(features.array),
        digest=features.digest,
        skipped=features.skipped,
    )
    # Tensors stay on their device; everything else is NumPy, memory-mapped when it is a file.
    array = source if is_torch_array(source) else features.array
    return Rows(array, None, features.ids, summary, None, features.positions, features.backbone)


def _with_role(progress: Progress | None, role: str) -> Progress | None:
    if progress is None:
        return None
    return lambda stage, done, total: progress(f"{role}: {stage}", done, total)
