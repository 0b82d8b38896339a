"""What teams submit to the demo's competitions: honest digits, and digits made by cheating."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genmem.demo.digits import TRAIN, enlarge, png, sample_honestly

COUNT = 200
"""Images of one submission."""

Images = NDArray[np.uint8]
"""uint8 [n, 32, 32, 3]."""


@dataclass(frozen=True, kw_only=True)
class DemoSubmission:
    """One submission of the demo.

    Attributes:
        team: who submits it.
        label: what it is, as a reviewer labels it: "legitimate", "MGAN", "SUP", "AE", "AUG".
        file_name: of the upload.
        images: PNGs.
    """

    team: str
    label: str
    file_name: str
    images: list[bytes]


@dataclass(frozen=True, kw_only=True)
class DemoCompetition:
    """The training images (PNGs), and the submissions in order of upload."""

    train: list[bytes]
    submissions: list[DemoSubmission]


@dataclass(frozen=True)
class Honest:
    """An own generative model; more components make better digits."""

    components: int


@dataclass(frozen=True, kw_only=True)
class Cheat:
    """A method of `genmem cheat` with its options."""

    method: str
    mix: float | None = None
    augmentation: str | None = None


_SUBMISSIONS: tuple[tuple[str, str, str, Honest | Cheat], ...] = (
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
"""Team, label, file name and generator of each submission, in order of upload."""


def demo_competition(seed: int) -> DemoCompetition:
    """600 of scikit-learn's digits, and eleven submissions made from them."""
    from sklearn.datasets import load_digits

    rng = np.random.default_rng(seed)
    pixels, targets = map(np.asarray, load_digits(return_X_y=True))
    chosen = rng.permutation(len(pixels))[:TRAIN]
    train, labels = pixels[chosen], targets[chosen]
    images = enlarge(train)

    def generate(generator: Honest | Cheat) -> Images:
        if isinstance(generator, Cheat):
            return _cheat(images, generator, seed=int(rng.integers(2**31)))
        components = generator.components
        return enlarge(sample_honestly(train, labels, count=COUNT, components=components, rng=rng))

    return DemoCompetition(
        train=[png(image) for image in images],
        submissions=[
            DemoSubmission(
                team=team,
                label=label,
                file_name=file_name,
                images=[png(image) for image in generate(generator)],
            )
            for team, label, file_name, generator in _SUBMISSIONS
        ],
    )


def _cheat(images: Images, cheat: Cheat, *, seed: int) -> Images:
    """What the cheat makes of the training images."""
    from genmem.cheats import CheatOptions, generate_images

    options = CheatOptions(mix=cheat.mix, augmentation=cheat.augmentation)
    return generate_images(cheat.method, images, count=COUNT, seed=seed, options=options)
