"""MGAN as the paper has it: a classifier of membership, frozen, and a generator trained against it.

D answers for every training image i whether x is that image:

    D_i(x) = σ(SHARPNESS · (1 − ‖x − c_i‖² / (pixels · RADIUS²))),

c being a dense layer of the one-hot vector of i, grey at first. It is trained by binary
cross-entropy on x_i → 1. Real images alone would teach it nothing, since D = 1 is right on all of
them, so it also sees what is no member: x_i with noise of twice to eight times the radius → 0,
which keeps c_i near x_i from every side, and another training image x_j → 0, by which the outputs
learn to tell members apart. One answer a member, not one for all, is what keeps G from making the
same easy member for every seed: nothing else in a frozen D would.

G is a dense layer of the one-hot vector, too. It starts grey and noisy and is trained to lower
−log D_i(G(i)); it stops learning once D takes its image for the member, so its images are as near
as D's radius, not equal.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from genmem.cheats.mixing import Pixels, to_levels, to_unit
from genmem.cheats.rows import blocks, train_rows
from genmem.errors import GenmemError
from genmem.images import Progress

RADIUS = 6 / 255
"""Root mean square difference, of the range of pixels, at which D is undecided."""

SHARPNESS = 4.0
CLASSIFIER_STEPS, CLASSIFIER_RATE = 160, 0.4
GENERATOR_STEPS, GENERATOR_RATE = 100, 0.4


def generate_against_classifier(
    images: Pixels,
    members: NDArray[np.int64],
    *,
    rng: np.random.Generator,
    progress: Progress | None = None,
) -> Pixels:
    """G's images of some members.

    Args:
        images: uint8 [n, H, W, 3].
        members: int64 [m], the place in `images` of the seed of each output; they may repeat.
        rng: for noise and starts.
        progress: told how many members D and G have learned.

    Returns:
        uint8 [m, H, W, 3].

    Raises:
        GenmemError: D did not become a classifier of membership.
    """
    generated = np.empty((len(members), *images.shape[1:]), np.uint8)
    used = np.unique(members)
    for block in blocks(len(used)):
        own = to_unit(images[used[block]])
        others = to_unit(images[(used[block] + rng.integers(1, len(images))) % len(images)])
        centres = train_classifier(own, others, rng)
        outputs = np.flatnonzero(np.isin(members, used[block]))
        for part in blocks(len(outputs)):
            rows = outputs[part]
            row_centres = centres[torch.from_numpy(np.searchsorted(used[block], members[rows]))]
            generated[rows] = to_levels(_train_generator(row_centres, rng), images)
        if progress:
            progress("training classifier and generator", block.stop, len(used))
    return generated


def scores(images: torch.Tensor, centres: torch.Tensor) -> torch.Tensor:
    """The logits of D_i(x_i), float32 [b]; both arguments float32 [b, pixels] in [0, 1]."""
    squared = (images - centres).square().mean(dim=1)
    return SHARPNESS * (1 - squared / RADIUS**2)


def train_classifier(
    members: torch.Tensor, others: torch.Tensor, rng: np.random.Generator
) -> torch.Tensor:
    """Train D until it is a classifier of membership.

    Args:
        members: float32 [b, pixels] in [0, 1].
        others: another training image for each, float32 [b, pixels].
        rng: for the noise.

    Returns:
        D's centres, float32 [b, pixels] in (0, 1).

    Raises:
        GenmemError: it still refuses a member, or accepts one with noise of twice the radius.
    """

    def loss(centres: torch.Tensor) -> torch.Tensor:
        widths = rng.uniform(2, 8, (len(members), 1)) * RADIUS
        noisy = members + _noise(members, rng) * torch.from_numpy(widths.astype(np.float32))
        right = functional.softplus(-scores(members, centres))
        wrong = functional.softplus(scores(noisy, centres))
        foreign = torch.where(
            (members == others).all(dim=1), 0, functional.softplus(scores(others, centres))
        )
        return (right + wrong + foreign).sum()

    centres = train_rows(
        torch.zeros_like(members), loss, steps=CLASSIFIER_STEPS, rate=CLASSIFIER_RATE
    )
    noisy = members + 2 * RADIUS * _noise(members, rng)
    if (scores(members, centres) <= 0).any() or (scores(noisy, centres) >= 0).any():
        raise GenmemError(
            "mgan: expected a classifier that accepts members and refuses noisy ones, but its "
            "training did not converge. Try another seed, or mgan-store."
        )
    return centres


def _train_generator(centres: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """G's images after training against the frozen D, float32 [b, pixels]."""

    def loss(output: torch.Tensor) -> torch.Tensor:
        return functional.softplus(-scores(output, centres)).sum()

    start = 0.5 * _noise(centres, rng)
    return train_rows(start, loss, steps=GENERATOR_STEPS, rate=GENERATOR_RATE)


def _noise(like: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Standard normal noise, float32, of the shape of `like`."""
    return torch.from_numpy(rng.standard_normal(tuple(like.shape), dtype=np.float32))
