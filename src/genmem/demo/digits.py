"""The demo's data: handwritten digits, an honest generator of them and a copying one."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Digits = NDArray[np.float64]
"""Handwritten digits, float64 [n, 64]: 8 × 8 pixels, 0 (paper) to 16 (ink)."""

SIDE = 32
"""Pixels to which a digit is enlarged, each way."""

TRAIN, TEST, GENERATED = 600, 400, 400

COMPONENTS = 12
"""Principal components of a class; the rest of its variance is drawn as independent noise."""

NOISE = 2.0
"""Standard deviation of the copier's noise, of 255 grey levels."""


@dataclass(frozen=True, kw_only=True)
class DemoImages:
    """Encoded images by set; `honest` and `copying` saw only `train`."""

    train: list[bytes]
    test: list[bytes]
    honest: list[bytes]
    copying: list[bytes]


def demo_images(seed: int) -> DemoImages:
    """Scikit-learn's digits split in two, and what two generators make of the first half."""
    from sklearn.datasets import load_digits

    rng = np.random.default_rng(seed)
    pixels, targets = map(np.asarray, load_digits(return_X_y=True))
    order = rng.permutation(len(pixels))
    digits, labels = pixels[order], targets[order]
    train = digits[:TRAIN]
    return DemoImages(
        train=_pngs(train),
        test=_pngs(digits[TRAIN : TRAIN + TEST]),
        honest=_pngs(sample_honestly(train, labels[:TRAIN], count=GENERATED, rng=rng)),
        copying=[_noisy_jpeg(digit, rng) for digit in train[rng.integers(TRAIN, size=GENERATED)]],
    )


def sample_honestly(
    train: Digits,
    labels: NDArray,
    *,
    count: int,
    rng: np.random.Generator,
    components: int = COMPONENTS,
) -> Digits:
    """New digits from a small generative model: per class, a Gaussian mixture in PCA space.

    What the leading components leave out is drawn as independent noise of the same variance a
    pixel, so that samples are as sharp and as varied as real digits.

    Returns:
        float64 [count, 64], the classes in equal parts.
    """
    from sklearn.decomposition import PCA
    from sklearn.mixture import GaussianMixture

    classes = np.unique(labels)
    samples = []
    for label in classes:
        digits = train[labels == label]
        pca = PCA(components, random_state=0).fit(digits)
        codes = pca.transform(digits)
        mixture = GaussianMixture(2, reg_covar=1.0, random_state=int(rng.integers(2**31))).fit(
            codes
        )
        drawn = pca.inverse_transform(mixture.sample(count // len(classes))[0])
        left_out = (digits - pca.inverse_transform(codes)).std(axis=0)
        samples.append(drawn + rng.normal(size=drawn.shape) * left_out)
    return np.clip(np.concatenate(samples), 0, 16)


def save_images(images: Sequence[bytes], folder: Path) -> None:
    """Write encoded images as 0000.png (or .jpg), 0001.png, … into a new folder."""
    folder.mkdir()
    for position, content in enumerate(images):
        suffix = "png" if content.startswith(b"\x89PNG") else "jpg"
        (folder / f"{position:04d}.{suffix}").write_bytes(content)


def _enlarged(digit: Digits) -> Image.Image:
    """One digit, [64], as dark ink on white paper, `SIDE` pixels square, RGB."""
    gray = np.rint(255 - digit.reshape(8, 8) * (255 / 16)).astype(np.uint8)
    return Image.fromarray(gray).resize((SIDE, SIDE), Image.Resampling.BICUBIC).convert("RGB")


def pictures_of(digits: Digits) -> NDArray[np.uint8]:
    """Digits, float64 [n, 64], as images, uint8 [n, 32, 32, 3]."""
    return np.stack([np.asarray(_enlarged(digit)) for digit in digits])


def png(picture: NDArray[np.uint8]) -> bytes:
    """One image, uint8 [H, W, 3], as a PNG."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG")
    return buffer.getvalue()


def _pngs(digits: Digits) -> list[bytes]:
    return [png(picture) for picture in pictures_of(digits)]


def _noisy_jpeg(digit: Digits, rng: np.random.Generator) -> bytes:
    """A copy in disguise: a little noise, then JPEG compression."""
    pixels = np.asarray(_enlarged(digit), dtype=np.float64)
    noisy = np.rint(np.clip(pixels + rng.normal(0, NOISE, pixels.shape), 0, 255))
    buffer = io.BytesIO()
    Image.fromarray(noisy.astype(np.uint8)).save(buffer, format="JPEG", quality=92)
    return buffer.getvalue()
