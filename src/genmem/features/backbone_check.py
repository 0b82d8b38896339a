"""`check_backbone`: whether a backbone and its weights do here what they should.

Twelve rendered scenes and disguised copies of them go through the backbone. What its publisher
states (hash, dimension, norm) is compared with what comes out. Of backbones whose weights were to
be had when this was written, the similarities are compared with recorded ones, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genmem.features.backbone import Device
from genmem.features.extractor import FeatureExtractor, load_backbone
from genmem.features.network_engine import IN_A_BATCH, ONCE_MORE
from genmem.features.registry import find_backbone
from genmem.features.weights import HubFile, PackageFile, UrlFile, WeightsSource
from genmem.images import Progress, stack_images
from genmem.images.disguises import apply_disguise

SCENES = 12
_HEIGHT, _WIDTH = 240, 320
COPIES: tuple[str, ...] = ("JPEG 50", "resized to 96 px", "gray", "crop 80 %")
"""The disguises of the copies."""

OTHER = "another scene"
TOLERANCE = 0.02
"""Of recorded similarities: decoders, libraries and GPUs differ by less."""

FEWEST_NEAREST = 36
"""Of 48 copies, those that must be nearest to their own scene. Without a network 42 are (pixels);
features that do not depend on the image give 4."""

UNIT_NORM = ("sscd", "sscd-large")
"""Backbones whose publisher scales features to norm 1."""

RECORDED: Mapping[str, tuple[float, ...]] = {
    "efficientnet-lite0": (0.892, 0.871, 0.723, 0.900, 0.855),
    "efficientnet-lite1": (0.860, 0.876, 0.697, 0.912, 0.895),
    "efficientnet-lite2": (0.885, 0.894, 0.756, 0.917, 0.850),
    "pixels@64": (1.000, 1.000, 0.958, 0.964, 0.941),
    "pixels": (0.999, 0.999, 0.956, 0.960, 0.936),
}
"""Cosine by backbone, measured with this file: the median of copies for each of `COPIES`, and the
largest of two scenes."""


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """One comparison.

    Attributes:
        what: what is compared.
        expected: what should come out, in words or numbers.
        seen: what came out.
        holds: whether they agree; True where nothing is known to compare with.
    """

    what: str
    expected: str
    seen: str
    holds: bool


def render_scenes() -> list[NDArray[np.uint8]]:
    """Twelve scenes of gradients, stripes and ellipses, uint8 [240, 320, 3]; always the same."""
    return [_render(seed) for seed in range(SCENES)]


def _render(seed: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:_HEIGHT, 0:_WIDTH] / float(_WIDTH)
    first, second = rng.uniform(0, 255, (2, 3))
    slope = (x * rng.uniform(-1, 1) + y * rng.uniform(-1, 1))[..., None]
    scene = first + (second - first) * (0.5 + 0.5 * slope)
    wave = np.sin(2 * np.pi * (x * rng.uniform(2, 20) + y * rng.uniform(2, 20)))
    scene = scene + rng.uniform(5, 30) * wave[..., None]
    for _ in range(10):
        center_x, center_y = rng.uniform(0, 1), rng.uniform(0, _HEIGHT / _WIDTH)
        radius_x, radius_y = rng.uniform(0.03, 0.2, 2)
        inside = ((x - center_x) / radius_x) ** 2 + ((y - center_y) / radius_y) ** 2 < 1
        scene[inside] = 0.3 * scene[inside] + 0.7 * rng.uniform(0, 255, 3)
    return np.clip(np.rint(scene), 0, 255).astype(np.uint8)


def check_backbone(
    name: str,
    *,
    weights: str | Path | None = None,
    device: Device = "auto",
    progress: Progress | None = None,
) -> list[CheckResult]:
    """Run a backbone on rendered images, and compare with what is known of it.

    Args:
        name: as for `load_backbone`.
        weights: the weights file; None: look for the published one, or download it.
        device: where to run.
        progress: told about downloads.

    Raises:
        UsageError: the name is unknown, or the device is not available.
        WeightsError: the weights are missing and cannot be downloaded, or are not this backbone's.
    """
    backbone = find_backbone(name)
    extractor = load_backbone(backbone, weights=weights, device=device, progress=progress)
    scenes = render_scenes()
    rows = _features(extractor, scenes)
    dimension = rows.shape[1]
    return [
        *_check_hash(backbone.weights, extractor.weights_hash),
        CheckResult(
            what="dimension",
            expected=f"{backbone.dimension:,}" if backbone.dimension else "any",
            seen=f"{dimension:,}",
            holds=backbone.dimension in (None, dimension),
        ),
        _check_norm(backbone.name, np.linalg.norm(rows, axis=1)),
        *_check_repeats(extractor, scenes, rows),
        *_check_similarities(backbone.name, extractor, scenes, rows),
    ]


def _features(extractor: FeatureExtractor, images: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
    return extractor.run(stack_images([extractor.transform(image) for image in images]))[0]


def _check_hash(source: WeightsSource | None, sha256: str | None) -> list[CheckResult]:
    """The hash of the file beside the published one, or its first digits."""
    if source is None or sha256 is None:
        return []
    published = source.sha256 if isinstance(source, UrlFile | PackageFile) else None
    if isinstance(source, HubFile) and (candidate := source.find()):
        published = candidate.expected_sha256
    return [
        CheckResult(
            what="SHA-256",
            expected=published or "no published hash",
            seen=sha256,
            holds=sha256.startswith(published or ""),
        )
    ]


def _check_norm(name: str, norms: NDArray) -> CheckResult:
    low, high = float(norms.min()), float(norms.max())
    is_unit = name in UNIT_NORM
    return CheckResult(
        what="norm of features",
        expected="1, to 0.001" if is_unit else "finite, above 0",
        seen=f"{low:.4g} to {high:.4g}",
        holds=max(abs(low - 1), abs(high - 1)) <= 1e-3 if is_unit else 0 < low <= high < np.inf,
    )


def _check_repeats(
    extractor: FeatureExtractor, scenes: list[NDArray[np.uint8]], rows: NDArray[np.float32]
) -> list[CheckResult]:
    """The same images once more, and one by one: the largest difference over the norm."""
    again = _features(extractor, scenes)
    alone = np.concatenate([_features(extractor, [scene]) for scene in scenes])
    norms = np.linalg.norm(rows, axis=1)
    results = []
    for what, other, limit in (
        ("difference, run once more", again, ONCE_MORE),
        ("difference, images one by one", alone, IN_A_BATCH),
    ):
        largest = float((np.linalg.norm(other - rows, axis=1) / norms).max())
        results.append(
            CheckResult(
                what=what,
                expected=f"at most {limit:g}",
                seen=f"{largest:.1g}",
                holds=largest <= limit,
            )
        )
    return results


def _similarities(
    extractor: FeatureExtractor, scenes: list[NDArray[np.uint8]], rows: NDArray[np.float32]
) -> tuple[dict[str, float], int]:
    """Cosines of copies and of other scenes, and how many copies are nearest to their own scene.

    Args:
        extractor: of the backbone.
        scenes: from `render_scenes`.
        rows: their features.

    Returns:
        The median cosine by disguise and the largest of two scenes (`OTHER`), and the count, of
        `SCENES` times the number of disguises.
    """
    units = _units(rows)
    between = units @ units.T
    np.fill_diagonal(between, -1)
    cosines, nearest = {}, 0
    for disguise in COPIES:
        copies = [
            apply_disguise(disguise, scene, other=scenes[index - 1], seed=index)
            for index, scene in enumerate(scenes)
        ]
        products = _units(_features(extractor, copies)) @ units.T
        cosines[disguise] = float(np.median(products.diagonal()))
        nearest += int((products.argmax(axis=1) == np.arange(SCENES)).sum())
    return cosines | {OTHER: float(between.max())}, nearest


def _units(rows: NDArray[np.float32]) -> NDArray[np.float64]:
    wide = rows.astype(np.float64)
    return wide / np.linalg.norm(wide, axis=1, keepdims=True)


def _check_similarities(
    name: str,
    extractor: FeatureExtractor,
    scenes: list[NDArray[np.uint8]],
    rows: NDArray[np.float32],
) -> list[CheckResult]:
    cosines, nearest = _similarities(extractor, scenes, rows)
    recorded: dict[str, float] = dict(zip((*COPIES, OTHER), RECORDED.get(name, ()), strict=False))
    results = [
        CheckResult(
            what=f"cosine, {what}",
            expected=f"{recorded[what]:.3f} ± {TOLERANCE}" if recorded else "not recorded yet",
            seen=f"{seen:.3f}",
            holds=abs(recorded.get(what, seen) - seen) <= TOLERANCE,
        )
        for what, seen in cosines.items()
    ]
    copies = SCENES * len(COPIES)
    return [
        *results,
        CheckResult(
            what="copies nearest to their own scene",
            expected=f"at least {FEWEST_NEAREST} of {copies}",
            seen=f"{nearest} of {copies}",
            holds=nearest >= FEWEST_NEAREST,
        ),
    ]
