"""One door to the cheats: a method's name and training images → what a cheat would submit."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from PIL import Image

from genmem.cheats.augmentation import MIXTURE, TRANSFORMATIONS, augmented
from genmem.cheats.autoencoder import reconstructions
from genmem.cheats.dataset import SMALLEST_SIDE
from genmem.cheats.mgan import generated_against_classifier
from genmem.cheats.mgan_store import memorized_by_store
from genmem.cheats.mixing import Pixels, drawn_members, mixed, partners
from genmem.cheats.supervised_mapping import memorized_by_mapping
from genmem.errors import InputError, UsageError
from genmem.images import Progress
from genmem.io.atomic import atomic_write

_DATE = (1980, 1, 1, 0, 0, 0)
"""Of every entry, so that the archive does not depend on the day."""


def write_images(images: Pixels, path: str | Path, *, progress: Progress | None = None) -> None:
    """Write images as 000000.png, 000001.png, … into a zip, one at a time, whole or not at all.

    Args:
        images: uint8 [n, H, W, 3].
        path: the file.
        progress: told how many are written.

    Raises:
        UsageError: the file cannot be written.
    """
    with atomic_write(path) as file, zipfile.ZipFile(file, "w") as archive:
        for place, pixels in enumerate(images):
            buffer = io.BytesIO()
            Image.fromarray(pixels).save(buffer, format="PNG")
            entry = zipfile.ZipInfo(f"{place:06d}.png", date_time=_DATE)
            archive.writestr(entry, buffer.getvalue())
            if progress:
                progress("writing images", place + 1, len(images))


Method = Literal["mgan", "mgan-store", "sup", "ae", "aug"]
METHODS: tuple[str, ...] = get_args(Method)

MIXES = {"mgan-store": 0.999, "sup": 0.99}
"""Share of the first of two mixed images, by the methods that mix."""

MOST_IMAGES = 1_000_000
"""What is made is held in memory, and named by six digits in a zip."""


def make(
    method: Method,
    images: Any,
    *,
    count: int,
    seed: int = 0,
    mix: float | None = None,
    transformation: str | None = None,
    progress: Progress | None = None,
) -> Pixels:
    """What a cheat submits: images made from training images so as to pass for generated ones.

    Where more images are asked for than there are training images, those are used again: mixed
    with another one, transformed otherwise, generated from another start, or, by "ae", mirrored
    every second time. At .999 rounding leaves little of the second image, so "mgan-store" then
    repeats itself.

    Args:
        method: "mgan", "mgan-store", "sup", "ae" or "aug" (`genmem.cheats` tells them apart).
        images: the training images, uint8 [n, H, W, 3], at least two that differ, of 8 pixels a
            side or more.
        count: how many images to make, at least 1 and at most a million.
        seed: of everything random. The same seed gives the same images on one machine with the
            same number of threads.
        mix: "mgan-store" and "sup" only: the share of the first of the two images that each output
            mixes, in [0.5, 1]; None: .999 and .99, as in the competition. .7 was seen there, too.
        transformation: "aug" only: "crops", "flips", "morphs", "noise", or "mixture", which draws
            one for each image; None: "mixture".
        progress: told what is done, how far it is, and of how much.

    Returns:
        uint8 [count, H, W, 3]. Beside it, memory holds as much again, the networks for 64 images
        at a time, and no layer of all training images.

    Raises:
        InputError: the images are not such an array, too few, too small, or all the same.
        UsageError: an unknown method, or an option that it does not have or that is out of range.
    """
    check_options(method, count=count, seed=seed, mix=mix, transformation=transformation)
    images = _checked(images)
    rng = np.random.default_rng(seed)
    members = drawn_members(count, len(images), rng)
    if method == "aug":
        return augmented(images, members, transformation or MIXTURE, rng=rng, progress=progress)
    if method == "mgan":
        return generated_against_classifier(images, members, rng=rng, progress=progress)
    if method == "ae":
        made = reconstructions(images, rng=rng, progress=progress)[members]
        mirrored = np.arange(count) // len(images) % 2 == 1
        made[mirrored] = made[mirrored][:, :, ::-1]
        return made
    used = np.unique(np.append(members, (members[0] + 1) % len(images)))
    memorize = memorized_by_store if method == "mgan-store" else memorized_by_mapping
    memory = memorize(images[used], rng=rng, progress=progress)
    first = np.searchsorted(used, members)
    return mixed(memory, first, partners(first, len(used), rng), _share(method, mix))


def check_options(
    method: str, *, count: int, seed: int, mix: float | None, transformation: str | None
) -> None:
    """Refuse a call that `make` would refuse, before anything is read.

    Raises:
        UsageError: an unknown method, or an option that it does not have or that is out of range.
    """
    if method not in METHODS:
        raise UsageError(f"method: expected one of {', '.join(METHODS)}, got {method!r}.")
    if not 1 <= count <= MOST_IMAGES:
        raise UsageError(
            f"count: expected at least 1 image and at most {MOST_IMAGES:,}, got {count:,}."
        )
    if not 0 <= seed < 2**32:
        raise UsageError(f"seed: expected a whole number from 0 to 2³² − 1, got {seed}.")
    if mix is not None and method not in MIXES:
        raise UsageError(f"mix: {method} mixes no images; only {' and '.join(MIXES)} do.")
    if mix is not None and not 0.5 <= mix <= 1:
        raise UsageError(f"mix: expected a share in [0.5, 1], got {mix}.")
    if transformation is not None and method != "aug":
        raise UsageError(f"transformation: {method} transforms nothing; only aug does.")
    if transformation is not None and transformation not in TRANSFORMATIONS:
        raise UsageError(
            f"transformation: expected one of {', '.join(TRANSFORMATIONS)}, got {transformation!r}."
        )


def _share(method: str, mix: float | None) -> float:
    return MIXES[method] if mix is None else mix


def _checked(images: Any) -> Pixels:
    """The training images as an array that fits, in C order."""
    array = np.asarray(images)
    if array.dtype != np.uint8 or array.ndim != 4 or array.shape[3] != 3:
        raise InputError(
            f"images: expected uint8 [n, H, W, 3], got {array.dtype} {list(array.shape)}."
        )
    count, height, width = array.shape[:3]
    if min(height, width) < SMALLEST_SIDE:
        raise InputError(
            f"images: expected at least {SMALLEST_SIDE} pixels a side, got {width} × {height} "
            "(width × height). Give larger images."
        )
    if count < 2 or (array == array[:1]).all():
        raise InputError(
            f"images: expected at least 2 different training images, got {count:,}"
            f"{' that are all the same' if count > 1 else ''}. Give more."
        )
    return np.ascontiguousarray(array)
