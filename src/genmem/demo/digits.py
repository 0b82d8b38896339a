"""Handwritten digits, an honest generator of digits, and one that copies."""

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
"""Width and height of an enlarged digit, in pixels."""

TRAIN, TEST, GENERATED = 600, 400, 400

COMPONENTS = 12
"""Principal components per class; the rest of the variance is drawn as independent noise."""

NOISE = 2.0
"""Standard deviation of the noise on copies, in 255 grey levels."""


@dataclass(frozen=True, kw_only=True)
class DemoImages:
    """Encoded images by set; `honest` and `copying` were made from `train` only."""

    train: list[bytes]
    test: list[bytes]
    honest: list[bytes]
    copying: list[bytes]


def demo_images(seed: int) -> DemoImages:
    """Split scikit-learn's digits in two, and generate digits from the first part in two ways."""
    rng = np.random.default_rng(seed)
    train, labels, test = _split(rng)
    return DemoImages(
        train=_pngs(train),
        test=_pngs(test),
        honest=_pngs(sample_honestly(train, labels, count=GENERATED, rng=rng)),
        copying=[_noisy_jpeg(digit, rng) for digit in train[rng.integers(TRAIN, size=GENERATED)]],
    )


def demo_digits(seed: int) -> tuple[Digits, NDArray, Digits]:
    """The digits of the demo: train, float64 [600, 64], its labels, and test [400, 64]."""
    return _split(np.random.default_rng(seed))


def save_demo_images(folder: Path, seed: int = 0) -> Path:
    """Write the demo's sets into train, test, honest and copying in `folder`; returns `folder`.

    Nothing is done where all four are there.
    """
    names = ("train", "test", "honest", "copying")
    if not all((folder / name).is_dir() for name in names):
        images = demo_images(seed)
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            save_images(getattr(images, name), folder / name)
    return folder


def _split(rng: np.random.Generator) -> tuple[Digits, NDArray, Digits]:
    """Digits in random order: training digits with their labels, and held-out digits."""
    from sklearn.datasets import load_digits

    pixels, targets = map(np.asarray, load_digits(return_X_y=True))
    order = rng.permutation(len(pixels))
    digits, labels = pixels[order], targets[order]
    return digits[:TRAIN], labels[:TRAIN], digits[TRAIN : TRAIN + TEST]


def sample_honestly(
    train: Digits,
    labels: NDArray,
    *,
    count: int,
    rng: np.random.Generator,
    components: int = COMPONENTS,
) -> Digits:
    """New digits from a small generative model: per class, a Gaussian mixture in PCA space.

    The rest of the variance is drawn as independent noise per pixel, so that samples are as sharp
    and as varied as real digits.

    Args:
        train: digits, float64 [n, 64].
        labels: their classes, [n].
        count: how many digits to draw.
        rng: source of randomness.
        components: principal components per class.

    Returns:
        float64 [count, 64], the same number of each class.
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
        samples_of_class = pca.inverse_transform(mixture.sample(count // len(classes))[0])
        residual = (digits - pca.inverse_transform(codes)).std(axis=0)
        noise = rng.normal(size=samples_of_class.shape) * residual
        samples.append(samples_of_class + noise)
    return np.clip(np.concatenate(samples), 0, 16)


def save_images(images: Sequence[bytes], folder: Path) -> None:
    """Write encoded images as 0000.png (or .jpg), 0001.png, … into a new folder."""
    folder.mkdir()
    for position, content in enumerate(images):
        suffix = "png" if content.startswith(b"\x89PNG") else "jpg"
        (folder / f"{position:04d}.{suffix}").write_bytes(content)


def _enlarged(digit: Digits) -> Image.Image:
    """One digit, float64 [64], as an RGB image of `SIDE` × `SIDE` pixels, black on white."""
    gray = np.rint(255 - digit.reshape(8, 8) * (255 / 16)).astype(np.uint8)
    return Image.fromarray(gray).resize((SIDE, SIDE), Image.Resampling.BICUBIC).convert("RGB")


def enlarge(digits: Digits) -> NDArray[np.uint8]:
    """Turn digits, float64 [n, 64], into images, uint8 [n, 32, 32, 3]."""
    return np.stack([np.asarray(_enlarged(digit)) for digit in digits])


def png(image: NDArray[np.uint8]) -> bytes:
    """Encode an image, uint8 [H, W, 3], as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG")
    return buffer.getvalue()


def _pngs(digits: Digits) -> list[bytes]:
    return [png(image) for image in enlarge(digits)]


def _noisy_jpeg(digit: Digits, rng: np.random.Generator) -> bytes:
    """A disguised copy: a digit with a little noise, compressed as JPEG."""
    pixels = np.asarray(_enlarged(digit), dtype=np.float64)
    noisy = np.rint(np.clip(pixels + rng.normal(0, NOISE, pixels.shape), 0, 255))
    buffer = io.BytesIO()
    Image.fromarray(noisy.astype(np.uint8)).save(buffer, format="JPEG", quality=92)
    return buffer.getvalue()
