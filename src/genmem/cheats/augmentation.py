"""AUG: training images cropped, mirrored, morphed into look-alikes, or with noise.

Crops are hardest to detect: in the competition only 27 of the 52 AUG entries fell below the private
threshold (Bai et al., KDD 2021).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from genmem.cheats.mixing import Pixels
from genmem.images import Progress

CROP_SIDES = (0.7, 0.9)
"""Range of the share of the sides that a crop keeps."""

MORPH_SHARES = (0.6, 0.9)
"""Range of the share of the image in a morph; the rest is its look-alike."""

NOISE = 4.0
"""Standard deviation of the noise, of 255 levels."""

CANDIDATES = 256
"""Training images from which a morph's look-alike is chosen."""

_THUMBNAIL = 8

Image3 = NDArray[np.uint8]
"""One image, uint8 [H, W, 3]."""


def crop(image: Image3, images: Pixels, rng: np.random.Generator) -> Image3:
    """A random part of the image, enlarged bilinearly to its size."""
    height, width = image.shape[:2]
    side = rng.uniform(*CROP_SIDES)
    high, wide = max(1, round(height * side)), max(1, round(width * side))
    top, left = rng.integers(height - high + 1), rng.integers(width - wide + 1)
    part = Image.fromarray(np.ascontiguousarray(image[top : top + high, left : left + wide]))
    return np.asarray(part.resize((width, height), Image.Resampling.BILINEAR))


def flip(image: Image3, images: Pixels, rng: np.random.Generator) -> Image3:
    """Mirror left and right."""
    return np.ascontiguousarray(image[:, ::-1])


def morph(image: Image3, images: Pixels, rng: np.random.Generator) -> Image3:
    """Blend the image with a look-alike: the nearest of some training images, as thumbnails."""
    candidates = images[rng.choice(len(images), min(CANDIDATES, len(images)), replace=False)]
    distances = np.square(_thumbnails(candidates) - _thumbnails(image[None])).sum(axis=(1, 2, 3))
    distances[(candidates == image).all(axis=(1, 2, 3))] = np.inf
    other = candidates[int(distances.argmin())]
    share = rng.uniform(*MORPH_SHARES)
    return np.rint(share * image.astype(np.float64) + (1 - share) * other).astype(np.uint8)


def add_noise(image: Image3, images: Pixels, rng: np.random.Generator) -> Image3:
    """Add independent normal noise to every value."""
    values = image + rng.normal(0, NOISE, image.shape)
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


_FUNCTIONS: dict[str, Callable[[Image3, Pixels, np.random.Generator], Image3]] = {
    "crops": crop,
    "flips": flip,
    "morphs": morph,
    "noise": add_noise,
}

MIXTURE = "mixture"
AUGMENTATIONS = (*_FUNCTIONS, MIXTURE)
"""Names of the augmentations; "mixture" draws one for each image."""


def augment(
    images: Pixels,
    members: NDArray[np.int64],
    augmentation: str,
    *,
    rng: np.random.Generator,
    progress: Progress | None = None,
) -> Pixels:
    """Training images, augmented.

    Args:
        images: uint8 [n, H, W, 3], at least two that differ.
        members: int64 [m], which of them to augment; they may repeat.
        augmentation: one of `AUGMENTATIONS`.
        rng: for all random numbers.
        progress: told how many are done.

    Returns:
        uint8 [m, H, W, 3].
    """
    names = list(_FUNCTIONS) if augmentation == MIXTURE else [augmentation]
    augmented = np.empty((len(members), *images.shape[1:]), np.uint8)
    for place, member in enumerate(members):
        function = _FUNCTIONS[names[int(rng.integers(len(names)))]]
        augmented[place] = function(images[member], images, rng)
        if progress:
            progress("augmenting", place + 1, len(members))
    return augmented


def _thumbnails(images: Pixels) -> NDArray[np.float64]:
    """The images thinned to at most 8 × 8 pixels, float64 [n, ≤ 8, ≤ 8, 3]."""
    height, width = images.shape[1:3]
    rows = np.linspace(0, height - 1, min(height, _THUMBNAIL)).astype(np.int64)
    columns = np.linspace(0, width - 1, min(width, _THUMBNAIL)).astype(np.int64)
    return images[:, rows][:, :, columns].astype(np.float64)
