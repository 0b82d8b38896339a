"""Copies, narrower, nearer as a whole, farther: which of them generated images show.

Distances to the training images become smaller for several reasons. A generator of one class, of
few modes or of little variety is nearer to the training images as a whole, without copying any; so
is one that learned the mark of a codec. Only single images closer than honest ones ever are show
copies.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genmem.arrays import as_feature_sets, row_counts, take_rows, to_numpy
from genmem.formatting import number
from genmem.neighbors import Metric, nearest_other
from genmem.results import Json, to_json

ROWS = 2_000
"""Images of each set whose distances to each other are compared; a seeded sample."""

FEWEST = 20

SIGNIFICANT_Z = 3.0
"""On one side, an honest comparison exceeds this z-score by chance about once in 700."""


@dataclass(frozen=True, kw_only=True)
class GeneratorShape:
    """How generated images lie beside held-out ones.

    Attributes:
        spread_z: z-score (rank sum) of the distances of generated images to their nearest other
            generated image, against the same of held-out images, at equal counts; negative where
            generated images are closer to each other. None where there are too few.
        spread: median of the first distances over that of the second; None as above.
        nearness_z: z-score of the distances to the nearest training image, generated against
            held-out (C_T); negative where generated images are nearer. None as above.
        count: images of each set whose distances to each other were compared.
    """

    spread_z: float | None
    spread: float | None
    nearness_z: float | None
    count: int

    @property
    def narrower(self) -> bool:
        """Generated images are closer to each other than held-out images are."""
        return self.spread_z is not None and self.spread_z <= -SIGNIFICANT_Z

    @property
    def nearer(self) -> bool:
        """As a whole, generated images are nearer to the training images."""
        return self.nearness_z is not None and self.nearness_z <= -SIGNIFICANT_Z

    @property
    def farther(self) -> bool:
        """As a whole, generated images are farther from the training images."""
        return self.nearness_z is not None and self.nearness_z >= SIGNIFICANT_Z

    def to_dict(self) -> dict[str, Json]:
        """The result as plain JSON."""
        named = {"narrower": self.narrower, "nearer": self.nearer, "farther": self.farther}
        return to_json(asdict(self) | named)


def generator_shape(
    *,
    generated: Any,
    test: Any,
    generated_distances: NDArray[np.float64],
    test_distances: NDArray[np.float64],
    metric: Metric = "absolute_cosine",
    seed: int = 0,
) -> GeneratorShape:
    """Compare generated with held-out images: inside the sets, and as seen from train.

    Args:
        generated: float [n, d].
        test: float [m, d].
        generated_distances: float64 [n], to the nearest training image.
        test_distances: float64 [m], the same of held-out images.
        metric: the distance.
        seed: of the samples of equal size.
    """
    arrays = as_feature_sets(generated=generated, test=test)
    count = min(*row_counts(arrays).values(), ROWS)
    nearness = rank_z(generated_distances, test_distances)
    if count < FEWEST:
        return GeneratorShape(spread_z=None, spread=None, nearness_z=None, count=count)
    rng = np.random.default_rng(seed)
    inside = {}
    for role, array in arrays.items():
        rows = np.sort(rng.choice(int(array.shape[0]), count, replace=False))
        inside[role] = to_numpy(nearest_other(take_rows(array, rows), metric=metric))
    median = float(np.median(inside["test"]))
    return GeneratorShape(
        # Two images that are each other's nearest count twice; half of them would be as good.
        spread_z=rank_z(inside["generated"], inside["test"]) / np.sqrt(2),
        spread=float(np.median(inside["generated"])) / median if median > 0 else None,
        nearness_z=nearness,
        count=count,
    )


def describe_shape(shape: GeneratorShape, where: str) -> list[str]:
    """A sentence on each thing that the generated images show as a whole; it is never copying.

    Args:
        shape: of the generated images.
        where: the feature space, as a clause: "in efficientnet-lite0".
    """
    sentences = []
    if shape.narrower:
        z = number(round(shape.spread_z or 0.0, 1))
        by = f"median {shape.spread:.2f} times as far, " if shape.spread is not None else ""
        sentences.append(
            f"Narrower: at equal counts, generated images are {where} closer to each other than "
            f"held-out images are ({by}{z} standard deviations), as of few classes or "
            "modes, or of little variety."
        )
    if shape.nearer:
        sentences.append(describe_nearer(shape, where))
    if shape.farther:
        sentences.append(
            f"Farther as a whole: generated images lie {where} farther from the training images "
            f"than held-out images do (C_T {_z(shape)}), as poor images do. More copies are "
            "needed among them to be told from chance."
        )
    return sentences


def describe_nearer(shape: GeneratorShape, where: str) -> str:
    """That generated images are nearer to the training images, and why that is no copying.

    Args:
        shape: of the generated images.
        where: as of `describe_shape`.
    """
    why = (
        "a generator of less variety is nearer without copying"
        if shape.narrower
        else "no proof of copying, since a codec or a preference for common kinds of images has "
        "the same effect as loose copying"
    )
    return (
        f"Nearer as a whole: generated images lie {where} nearer to the training images than "
        f"held-out images do (C_T {_z(shape)}): {why}."
    )


def _z(shape: GeneratorShape) -> str:
    return number(round(shape.nearness_z or 0.0, 1))


def rank_z(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """z-score of the rank sum (Mann and Whitney 1947): negative where the first are smaller."""
    n, m = len(first), len(second)
    ordered = np.sort(second)
    below = np.searchsorted(ordered, first, "left") + np.searchsorted(ordered, first, "right")
    U = float(below.sum()) / 2
    return (U - n * m / 2) / float(np.sqrt(n * m * (n + m + 1) / 12))
