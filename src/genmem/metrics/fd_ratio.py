"""FD relative to that of held-out images: 1 is as near the training set as new real images are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genmem.arrays import as_feature_sets, check_at_least, take_rows
from genmem.metrics.frechet import fd
from genmem.metrics.frechet_interval import fd_influence
from genmem.metrics.intervals import LEVEL, NO_INTERVAL, NORMAL
from genmem.metrics.moments import moments
from genmem.results import Interval, Result


@dataclass(frozen=True, kw_only=True)
class FrechetRatio:
    """FD of equally many generated and held-out images to one training set.

    Attributes:
        generated, test: the two distances.
        generated_influence, test_influence: float64 [n], of each image on its distance; None where
            n ≤ d, which gives no interval.
        images: generated and held-out images that were given, of which n were compared.
        seed: of the images that were drawn from the larger set.
    """

    generated: Result
    test: Result
    generated_influence: NDArray[np.float64] | None
    test_influence: NDArray[np.float64] | None
    images: tuple[int, int]
    seed: int

    @property
    def count(self) -> int:
        """n, the images of each set that were compared."""
        return min(self.images)

    @property
    def value(self) -> float:
        """The ratio; NaN where the held-out images have no distance to speak of."""
        if self.test.value <= float(self.test.parts["floor"]):
            return math.nan
        return self.generated.value / self.test.value


def fd_ratio(*, generated: Any, train: Any, test: Any, seed: int = 0) -> Result:
    """FD(generated → train) / FD(test → train), both of equally many images.

    Held-out images are real, so their FD is what finite samples and the data set itself give: 1 is
    as good as real images, below 1 is nearer to the training images than new real images are. Its
    mean over feature spaces is FDr (arXiv 2604.28190; `genmem.score` with several backbones).

    Equal counts make FD's upward bias, about c/n, nearly the same in both; of the larger set a
    random subset is compared. Interval: the delta method over both sets, with the influence of
    each image on its FD (`fd_influence`) and the training images held fixed:

        s² = s²(IF_g / B) / n + s²(A · IF_t / B²) / n,   A = FD of generated, B = FD of test

    Args:
        generated: features [n, d], NumPy (memory-mapped too) or torch.
        train: features [l, d] of the same kind.
        test: features [m, d] of images that were not trained on.
        seed: of the subset.

    Returns:
        value; parts: `fd` and `fd_test`, at equal counts. NaN, with a note, where FD of the
        held-out images is 0 but for rounding.

    Raises:
        InputError: not finite floating-point features of one dimension with at least two rows.

    Example:
        >>> import numpy as np
        >>> from genmem import fd_ratio
        >>> train, test, generated = np.random.default_rng(0).normal(size=(3, 2000, 4))
        >>> float(fd_ratio(generated=generated + 1, train=train, test=test)) > 10
        True
    """
    sets = as_feature_sets(generated=generated, train=train, test=test)
    for role, rows in sets.items():
        check_at_least(int(rows.shape[0]), 2, role=role, why="a covariance takes two.")
    generated, train, test = sets.values()
    return fd_ratio_from(
        ratio=frechet_ratio(generated=generated, train=train, test=test, seed=seed)
    )


def frechet_ratio(
    *,
    generated: Any,
    train: Any,
    test: Any,
    seed: int = 0,
    of_generated: tuple[Result, NDArray[np.float64] | None] | None = None,
) -> FrechetRatio:
    """The two distances of `fd_ratio` and the influence of each image on them.

    Args:
        generated: features [n, d].
        test: features [m, d].
        train: features [l, d], or their `Moments`, or `Statistics` of them.
        seed: of the subset of the larger set.
        of_generated: FD and influence of all generated images, where they are known.
    """
    images = (int(generated.shape[0]), int(test.shape[0]))
    size = min(images)
    if of_generated is None or size < images[0]:
        of_generated = _distance(generated, train, size, seed=[seed, 2])
    of_test = _distance(test, train, size, seed=[seed, 3])
    return FrechetRatio(
        generated=of_generated[0],
        test=of_test[0],
        generated_influence=of_generated[1],
        test_influence=of_test[1],
        images=images,
        seed=seed,
    )


def _distance(
    rows: Any, train: Any, size: int, *, seed: list[int]
) -> tuple[Result, NDArray[np.float64] | None]:
    """FD and influence of `size` rows, a random subset where there are more."""
    count, dimension = (int(length) for length in rows.shape)
    if size < count:
        chosen = np.random.default_rng(seed).choice(count, size, replace=False)
        rows = take_rows(rows, np.sort(chosen))
    if size <= dimension:
        return fd(generated=rows, train=train), None
    of_rows = moments(rows)
    influence = fd_influence(generated=rows, train=train, moments=of_rows)
    return fd(generated=of_rows, train=train), influence


def fd_ratio_from(*, ratio: FrechetRatio) -> Result:
    """`fd_ratio` from the two distances."""
    return mean_fd_ratio([ratio])


def mean_fd_ratio(ratios: Sequence[FrechetRatio]) -> Result:
    """The mean of `fd_ratio` over feature spaces, FDr; of one space, the ratio itself.

    The spaces see the same images in the same order, so an image's influence on the mean is the
    mean of its influences, and the interval holds whatever the spaces have in common.

    Args:
        ratios: one a space, of the same sets.
    """
    first = ratios[0]
    value = float(np.mean([ratio.value for ratio in ratios]))
    interval = None if math.isnan(value) else _interval(value, ratios)
    notes = _notes(first)
    if math.isnan(value):
        notes += (
            "the held-out images have no Fréchet distance to the training images but rounding: "
            "there is nothing to compare with.",
        )
    elif interval is None:
        notes += (NO_INTERVAL,)
    parts: dict[str, Any] = {"images": first.count}
    if len(ratios) == 1:
        parts |= {"fd": first.generated.value, "fd_test": first.test.value}
    n = {"generated": first.images[0], "test": first.images[1]}
    if "train" in first.generated.n:
        n["train"] = first.generated.n["train"]
    return Result(
        name="fd_ratio",
        value=value,
        n=n,
        parts=parts,
        interval=interval,
        seed=first.seed,
        notes=notes,
    )


def _notes(ratio: FrechetRatio) -> tuple[str, ...]:
    if len(set(ratio.images)) == 1:
        return ()
    larger = "generated" if ratio.images[0] > ratio.images[1] else "held-out"
    return (
        f"both distances are of {ratio.count:,} images, since FD's bias depends on their number: "
        f"of the {max(ratio.images):,} {larger} ones a random subset.",
    )


def _interval(value: float, ratios: Sequence[FrechetRatio]) -> Interval | None:
    """value ± 1.96 s, not below 0; None where a space has no influences."""
    of_generated, of_test = [], []
    for ratio in ratios:
        if ratio.generated_influence is None or ratio.test_influence is None:
            return None
        of_generated.append(ratio.generated_influence / ratio.test.value)
        of_test.append(ratio.value / ratio.test.value * ratio.test_influence)
    variance = sum(
        float(np.mean(terms, axis=0).var(ddof=1)) / len(terms[0])
        for terms in (of_generated, of_test)
    )
    half = NORMAL * math.sqrt(variance)
    return Interval(
        low=max(value - half, 0.0),
        high=value + half,
        level=LEVEL,
        method="delta method over the generated and the held-out images, training images held "
        "fixed",
    )
