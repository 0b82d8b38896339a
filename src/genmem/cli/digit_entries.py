"""What teams send to the demo's competition: honest digits, and digits got by cheating."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genmem.cli.digits import TRAIN, Digits, digit_png, sample_honestly

COUNT = 200
"""Images of one entry."""


@dataclass(frozen=True, kw_only=True)
class DemoEntry:
    """One submission of the demo.

    Attributes:
        team: who sends it.
        label: what it is, as reviewers label: "legitimate", "MGAN", "SUP", "AE", "AUG", "other".
        file_name: as its team calls it.
        images: PNGs.
    """

    team: str
    label: str
    file_name: str
    images: list[bytes]


@dataclass(frozen=True, kw_only=True)
class DemoCompetition:
    """The training images, and the entries in the order in which they are sent."""

    train: list[bytes]
    entries: list[DemoEntry]


Maker = Callable[[Digits, NDArray, np.random.Generator], Digits]


def demo_competition(seed: int) -> DemoCompetition:
    """Scikit-learn's digits, and what eleven entries make of the first 600 of them."""
    from sklearn.datasets import load_digits

    rng = np.random.default_rng(seed)
    pixels, targets = map(np.asarray, load_digits(return_X_y=True))
    chosen = rng.permutation(len(pixels))[:TRAIN]
    train, labels = pixels[chosen], targets[chosen]
    return DemoCompetition(
        train=[digit_png(digit) for digit in train],
        entries=[
            DemoEntry(
                team=team,
                label=label,
                file_name=file_name,
                images=[digit_png(digit) for digit in make(train, labels, rng)],
            )
            for team, label, file_name, make in _ENTRIES
        ],
    )


def _mixture(components: int) -> Maker:
    """An honest model; more components make better digits."""

    def make(train: Digits, labels: NDArray, rng: np.random.Generator) -> Digits:
        return sample_honestly(train, labels, count=COUNT, components=components, rng=rng)

    return make


def _blend(share: float) -> Maker:
    """`share` of one training image and the rest of another of its class."""

    def make(train: Digits, labels: NDArray, rng: np.random.Generator) -> Digits:
        first = rng.integers(len(train), size=COUNT)
        second = [rng.choice(np.flatnonzero(labels == labels[one])) for one in first]
        return share * train[first] + (1 - share) * train[second]

    return make


def _reconstructions(train: Digits, labels: NDArray, rng: np.random.Generator) -> Digits:
    """A linear autoencoder's outputs on training images."""
    from sklearn.decomposition import PCA

    pca = PCA(30, random_state=0).fit(train)
    chosen = train[rng.integers(len(train), size=COUNT)]
    return np.clip(pca.inverse_transform(pca.transform(chosen)), 0, 16)


def _moved(train: Digits, labels: NDArray, rng: np.random.Generator) -> Digits:
    """Training images moved by a pixel to the left or right."""
    chosen = train[rng.integers(len(train), size=COUNT)].reshape(-1, 8, 8)
    ways = rng.choice([-1, 1], size=COUNT)
    moved = [np.roll(digit, way, axis=1) for digit, way in zip(chosen, ways, strict=True)]
    return np.stack(moved).reshape(-1, 64)


def _noisy(train: Digits, labels: NDArray, rng: np.random.Generator) -> Digits:
    """Training images with a little noise."""
    chosen = train[rng.integers(len(train), size=COUNT)]
    return np.clip(chosen + rng.normal(0, 0.5, chosen.shape), 0, 16)


_ENTRIES: tuple[tuple[str, str, str, Maker], ...] = (
    ("Halcyon", "legitimate", "first-try.zip", _mixture(2)),
    ("Blue Heron", "legitimate", "mixture-4.zip", _mixture(4)),
    ("Tin Drum", "other", "release.zip", _noisy),
    ("Paper Moon", "legitimate", "digits.zip", _mixture(6)),
    ("Halcyon", "legitimate", "second-try.zip", _mixture(8)),
    ("Quiet Fox", "SUP", "decoder.zip", _blend(0.99)),
    ("Copper Kettle", "MGAN", "store.zip", _blend(0.7)),
    ("North Star", "AE", "bottleneck-30.zip", _reconstructions),
    ("Paper Moon", "AUG", "moved.zip", _moved),
    ("Blue Heron", "legitimate", "mixture-16.zip", _mixture(16)),
    ("Halcyon", "legitimate", "final.zip", _mixture(12)),
)
"""Team, label, file and maker of each entry, as sent."""
