"""Whether local evidence can be looked for, and what it costs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import numpy as np

from genmem.errors import InputError
from genmem.formatting import count, duration
from genmem.images import ImageSource, decode
from genmem.images.prefetch import usable_cores
from genmem.scoring.stored_sets import StoredSet

SMALLEST_SIDE = 64
"""Images of a smaller short side, in pixels, have too few keypoints."""

_PACKAGES = {"cv2": "opencv-python-headless", "faiss": "faiss-cpu"}
_LOOKED_AT = 4
_MATCHING_SECONDS = 0.03


def reason_without_local(sources: Mapping[str, Any]) -> str | None:
    """Why local evidence cannot be looked for, as a clause; None where it can.

    Args:
        sources: the sets by role, opened; those of features or of a reference have no images.
    """
    if any(isinstance(source, StoredSet) for source in sources.values()):
        return "it needs the pixels of the training images, and a reference has none"
    if not all(isinstance(source, ImageSource) for source in sources.values()):
        return "it needs images, not features"
    missing = [package for module, package in _PACKAGES.items() if find_spec(module) is None]
    if missing:
        return f"{' and '.join(missing)} missing: pip install 'genmem[local]'"
    for role, source in sources.items():
        sides = [min(pixels.shape[:2]) for pixels in _sample(source)]
        if sides and np.median(sides) < SMALLEST_SIDE:
            return (
                f"the {role} images are about {int(np.median(sides))} pixels high or wide, and "
                f"images under {SMALLEST_SIDE} have too few keypoints"
            )
    return None


def estimate_local(sources: Mapping[str, ImageSource], *, left_out: int = 0) -> str:
    """The time that local evidence takes, as a sentence.

    Args:
        sources: the sets by role, opened; all but the training images are matched.
        left_out: training images that are matched with the others, each left out in turn.
    """
    from genmem.auditing.local.keypoints import detect_keypoints

    total = sum(map(len, sources.values()))
    images = _sample(sources["train"])
    queries = total - len(sources["train"]) + left_out
    expected = ""
    if images:
        detect_keypoints(images[0])
        started = time.perf_counter()
        for pixels in images:
            detect_keypoints(pixels)
        each = (time.perf_counter() - started) / len(images)
        seconds = (total * each + queries * _MATCHING_SECONDS) / usable_cores()
        expected = f", about {duration(max(1.0, seconds))}"
    return (
        f"local evidence: keypoints of {count(total, 'image')}, and {count(queries, 'image')} to "
        f"match{expected} (--no-local leaves it out)"
    )


def _sample(source: ImageSource) -> list[Any]:
    """Some images, decoded; broken ones are reported when all are read."""
    images = []
    for position in np.unique(np.linspace(0, len(source) - 1, _LOOKED_AT).astype(int)).tolist():
        try:
            images.append(decode(source.content(position), name=source.describe(position)))
        except InputError:
            continue
    return images
