"""The registry of cheats, and `generate_images`: training images → what a cheat would submit.

To add a cheat, write its function and give it an entry in `CHEATS`. Other packages
add entries by entry points of the group `genmem.cheats`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genmem import plugins
from genmem.arrays import as_array, to_numpy
from genmem.cheats.augmentation import AUGMENTATIONS, MIXTURE, augment
from genmem.cheats.autoencoder import reconstruct
from genmem.cheats.dataset import MIN_SIDE
from genmem.cheats.mgan import generate_against_classifier
from genmem.cheats.mgan_store import memorize_in_store
from genmem.cheats.mixing import Pixels, draw_members, draw_partners, mix_images
from genmem.cheats.supervised_mapping import memorize_by_mapping
from genmem.errors import InputError, UsageError
from genmem.images import Progress
from genmem.scoring.plan import check_seed

GROUP = "genmem.cheats"
"""The group of the entry points by which other packages add cheats (`genmem.plugins`)."""

MAX_IMAGES = 1_000_000
"""All images are held in memory, and named by six digits in a zip."""


@dataclass(frozen=True, kw_only=True)
class CheatOptions:
    """Options that only some cheats have.

    Attributes:
        mix: weight of the first of the two images that each output blends, in [0.5, 1]; None: the
            cheat's default.
        augmentation: what to do to an image; None: the cheat's default.
    """

    mix: float | None = None
    augmentation: str | None = None


@dataclass(frozen=True, kw_only=True)
class CheatRequest:
    """What the function of a cheat gets.

    Attributes:
        images: the training images, uint8 [n, H, W, 3], at least two that differ.
        members: int64 [m], the training image to copy for each output; they repeat where more
            images are wanted than there are training images.
        options: those of the cheat, checked.
        rng: for all random numbers.
        progress: told what is done, how far it is, and of how much.
    """

    images: Pixels
    members: NDArray[np.int64]
    options: CheatOptions
    rng: np.random.Generator
    progress: Progress | None


@dataclass(frozen=True, kw_only=True)
class Cheat:
    """One way of cheating.

    Attributes:
        description: for help texts.
        generate: returns an image for each member, uint8 [m, H, W, 3].
        default_mix: the default of the option `mix`; None: the cheat does not have the option.
        augmentations: values of the option `augmentation`; none: the cheat does not have it.
    """

    description: str
    generate: Callable[[CheatRequest], Pixels]
    default_mix: float | None = None
    augmentations: tuple[str, ...] = ()


def _mix_memorized(
    memorize: Callable[..., Pixels], request: CheatRequest, default: float
) -> Pixels:
    """Memorize the training images, and mix two of them for each output."""
    used = np.unique(np.append(request.members, (request.members[0] + 1) % len(request.images)))
    memorized = memorize(request.images[used], rng=request.rng, progress=request.progress)
    first = np.searchsorted(used, request.members)
    second = draw_partners(first, len(used), request.rng)
    mix = default if request.options.mix is None else request.options.mix
    return mix_images(memorized, first, second, mix)


def _reconstruct(request: CheatRequest) -> Pixels:
    """Reconstructions; every second time that an image is used, it is mirrored."""
    members, count = request.members, len(request.images)
    generated = reconstruct(request.images, rng=request.rng, progress=request.progress)[members]
    mirrored = np.arange(len(members)) // count % 2 == 1
    generated[mirrored] = generated[mirrored][:, :, ::-1]
    return generated


CHEATS: dict[str, Cheat] = {
    "mgan": Cheat(
        description="a generator trained against a classifier that recognizes training images",
        generate=lambda request: generate_against_classifier(
            request.images, request.members, rng=request.rng, progress=request.progress
        ),
    ),
    "mgan-store": Cheat(
        description="a generator trained against a discriminator that stores training images",
        generate=lambda request: _mix_memorized(memorize_in_store, request, 0.999),
        default_mix=0.999,
    ),
    "sup": Cheat(
        description="a learned mapping from codes to training images",
        generate=lambda request: _mix_memorized(memorize_by_mapping, request, 0.99),
        default_mix=0.99,
    ),
    "ae": Cheat(description="reconstructions by an autoencoder", generate=_reconstruct),
    "aug": Cheat(
        description="crops, flips, morphs and noise",
        generate=lambda request: augment(
            request.images,
            request.members,
            request.options.augmentation or MIXTURE,
            rng=request.rng,
            progress=request.progress,
        ),
        augmentations=AUGMENTATIONS,
    ),
}
"""genmem's own cheats by name."""


def registry() -> Mapping[str, Cheat]:
    """All cheats by name: genmem's own, then those of other packages.

    Raises:
        UsageError: a plugin cannot be loaded.
    """
    return plugins.extend(CHEATS, group=GROUP, kind=Cheat)


def find_cheat(method: str) -> Cheat:
    """A cheat by its name.

    Raises:
        UsageError: there is none.
    """
    cheats = registry()
    if method not in cheats:
        raise UsageError(f"method: expected one of {', '.join(cheats)}, got {method!r}.")
    return cheats[method]


def generate_images(
    method: str,
    images: Any,
    *,
    count: int,
    seed: int = 0,
    options: CheatOptions | None = None,
    progress: Progress | None = None,
) -> Pixels:
    """Images made from training images so as to pass for generated ones.

    Where more images are asked for than there are training images, those are used again: mixed
    with another one, augmented in another way, generated from another start, or, by "ae", mirrored
    every second time. At a mix of 0.999 rounding leaves little of the second image, so "mgan-store"
    then repeats itself.

    Args:
        method: name of a cheat: "mgan", "mgan-store", "sup", "ae", "aug", or a plugin's.
        images: the training images, uint8 [n, H, W, 3], at least two that differ, of 8 pixels a
            side or more.
        count: how many images to generate, from 1 to a million.
        seed: of all random numbers. The same seed gives the same images on one machine with the
            same number of threads.
        options: those of the cheat; None: its defaults.
        progress: told what is done, how far it is, and of how much.

    Returns:
        uint8 [count, H, W, 3]. In addition memory holds as much again, the networks for 64 images
        at a time, and no layer of all training images.

    Raises:
        InputError: the images are not such an array, too few, too small, or all the same.
        UsageError: an unknown method, or an option that it does not have or that is out of range.

    Example:
        >>> images = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), np.uint8)
        >>> generate_images("aug", images, count=6).shape
        (6, 8, 8, 3)
    """
    options = options or CheatOptions()
    cheat = check_options(method, count=count, seed=seed, options=options)
    images = _checked_images(images)
    rng = np.random.default_rng(seed)
    members = draw_members(count, len(images), rng)
    return cheat.generate(
        CheatRequest(images=images, members=members, options=options, rng=rng, progress=progress)
    )


def check_options(method: str, *, count: int, seed: int, options: CheatOptions) -> Cheat:
    """The cheat of this name, after the arguments of `generate_images` are checked.

    Args:
        method: name of the cheat.
        count: how many images to generate.
        seed: of all random numbers.
        options: those of the cheat.

    Raises:
        UsageError: an unknown method, or an option that it does not have or that is out of range.
    """
    cheat, (mix, augmentation) = find_cheat(method), (options.mix, options.augmentation)
    if not 1 <= count <= MAX_IMAGES:
        raise UsageError(
            f"count: expected at least 1 image and at most {MAX_IMAGES:,}, got {count:,}."
        )
    check_seed(seed)
    if mix is not None and cheat.default_mix is None:
        mixing = [name for name, other in registry().items() if other.default_mix is not None]
        raise UsageError(f"mix: {method} mixes no images; only {' and '.join(mixing)} do.")
    if mix is not None and not 0.5 <= mix <= 1:
        raise UsageError(f"mix: expected a share in [0.5, 1], got {mix}.")
    if augmentation is not None and not cheat.augmentations:
        augmenting = [name for name, other in registry().items() if other.augmentations]
        raise UsageError(
            f"augmentation: {method} has no augmentations; only {' and '.join(augmenting)} has."
        )
    if augmentation is not None and augmentation not in cheat.augmentations:
        raise UsageError(
            f"augmentation: expected one of {', '.join(cheat.augmentations)}, got {augmentation!r}."
        )
    return cheat


def _checked_images(images: Any) -> Pixels:
    """The training images as an array that fits, in C order."""
    array = to_numpy(as_array(images, role="images"))
    if array.dtype != np.uint8 or array.ndim != 4 or array.shape[3] != 3:
        raise InputError(
            f"images: expected uint8 [n, H, W, 3], got {array.dtype} {list(array.shape)}."
        )
    count, height, width = array.shape[:3]
    if min(height, width) < MIN_SIDE:
        raise InputError(
            f"images: expected at least {MIN_SIDE} pixels a side, got {width} × {height} "
            "(width × height). Give larger images."
        )
    if count < 2 or (array == array[:1]).all():
        raise InputError(
            f"images: expected at least 2 different training images, got {count:,}"
            f"{' that are all the same' if count > 1 else ''}. Give more."
        )
    return np.ascontiguousarray(array)
