"""What teams send to the demo's competition: honest digits, and digits got by cheating."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genmem.demo.digits import TRAIN, pictures_of, png, sample_honestly

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


Pictures = NDArray[np.uint8]
"""Digits as their images, uint8 [n, 32, 32, 3]."""


def demo_competition(seed: int) -> DemoCompetition:
    """Scikit-learn's digits, and what eleven entries make of the first 600 of them."""
    from sklearn.datasets import load_digits

    rng = np.random.default_rng(seed)
    pixels, targets = map(np.asarray, load_digits(return_X_y=True))
    chosen = rng.permutation(len(pixels))[:TRAIN]
    train, labels = pixels[chosen], targets[chosen]
    pictures = pictures_of(train)

    def made(entry: Honest | Cheat) -> Pictures:
        if isinstance(entry, Cheat):
            return _cheated(pictures, entry, seed=int(rng.integers(2**31)))
        components = entry.components
        return pictures_of(
            sample_honestly(train, labels, count=COUNT, components=components, rng=rng)
        )

    return DemoCompetition(
        train=[png(picture) for picture in pictures],
        entries=[
            DemoEntry(
                team=team,
                label=label,
                file_name=file_name,
                images=[png(picture) for picture in made(entry)],
            )
            for team, label, file_name, entry in _ENTRIES
        ],
    )


@dataclass(frozen=True)
class Honest:
    """A model of its own; more components make better digits."""

    components: int


@dataclass(frozen=True, kw_only=True)
class Cheat:
    """One of `genmem cheat`, with its options."""

    method: str
    mix: float | None = None
    augmentation: str | None = None


def _cheated(pictures: Pictures, cheat: Cheat, *, seed: int) -> Pictures:
    """What the cheat makes of the training images."""
    from genmem.cheats import CheatOptions, generate_images

    options = CheatOptions(mix=cheat.mix, augmentation=cheat.augmentation)
    return generate_images(cheat.method, pictures, count=COUNT, seed=seed, options=options)


_ENTRIES: tuple[tuple[str, str, str, Honest | Cheat], ...] = (
    ("Halcyon", "legitimate", "first-try.zip", Honest(2)),
    ("Blue Heron", "legitimate", "mixture-4.zip", Honest(4)),
    ("Tin Drum", "AUG", "release.zip", Cheat(method="aug", augmentation="noise")),
    ("Paper Moon", "legitimate", "digits.zip", Honest(6)),
    ("Halcyon", "legitimate", "second-try.zip", Honest(8)),
    ("Quiet Fox", "SUP", "decoder.zip", Cheat(method="sup")),
    ("Copper Kettle", "MGAN", "store.zip", Cheat(method="mgan-store", mix=0.7)),
    ("North Star", "AE", "bottleneck.zip", Cheat(method="ae")),
    ("Paper Moon", "AUG", "transformed.zip", Cheat(method="aug")),
    ("Blue Heron", "legitimate", "mixture-16.zip", Honest(16)),
    ("Halcyon", "legitimate", "final.zip", Honest(12)),
)
"""Team, label, file and making of each entry, as sent."""
