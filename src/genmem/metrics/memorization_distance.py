"""Memorization distance: how far generated images are from their nearest training images."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from genmem.arrays import as_feature_sets, as_features, check_same_dimension, equal_rows, to_numpy
from genmem.errors import InputError, UsageError
from genmem.metrics.intervals import mean_interval
from genmem.neighbors import nearest
from genmem.results import Result


def memorization_distance(*, generated: Any, train: Any, absolute: bool = True) -> Result:
    """s = mean over generated g of min over training x of (1 − |cos(g, x)|).

    Source: "The Generative Dog Images competition" (Bai et al., KDD 2021, arXiv 2106.03062),
    where it is the memorization term of MiFID.

    Which way it runs: from each *generated* image to the training set. A generator that repeats
    one training image for ever has s = 0; averaged over training images instead it would not.

    Departures, each as the competition's released script has it rather than the paper's text:
    the formula prints "min similarity" where the distance to the most similar image is meant, and
    the text calls the similarity signed where the script takes |cos| (`absolute=False` gives the
    signed one; on non-negative features they agree). The script drops rows whose features *sum*
    to 0; dropped here are generated rows whose *norm* is 0, which have no direction.

    Args:
        generated: float [n, d], one row per image; NumPy (memory-mapped too) or torch.
        train: float [m, d].
        absolute: 1 − |cos| (True) or 1 − cos (False).

    Returns:
        value: s in [0, 1] ([0, 2] when signed); 0 = every image points exactly at a training one.
        interval: 95 %, s ± t·(deviation)/√n over the generated images; None where they are all
            equally far, or there is one.
        parts: `absolute`, and `dropped_zero_rows`, the generated rows without a direction.

    Raises:
        InputError: the arrays are not features of one backbone, or all generated rows are zero.

    Example:
        >>> import numpy as np
        >>> from genmem import memorization_distance
        >>> train = np.array([[1.0, 0.0], [0.0, 1.0]])
        >>> generated = np.array([[2.0, 0.0], [1.0, 1.0]])  # a copy, and one between the two
        >>> round(float(memorization_distance(generated=generated, train=train)), 4)
        0.1464
    """
    generated, train = as_feature_sets(generated=generated, train=train).values()
    search = nearest(generated, train, metric="absolute_cosine" if absolute else "cosine")
    return memorization_distance_from(
        distances=to_numpy(search.distances)[:, 0],
        zero_rows=zero_rows(generated),
        train_rows=int(train.shape[0]),
        absolute=absolute,
    )


def memorization_distance_from(
    *,
    distances: NDArray[np.float64],
    zero_rows: NDArray[np.bool_],
    train_rows: int,
    absolute: bool = True,
) -> Result:
    """`memorization_distance` from a finished search.

    Args:
        distances: float64 [n], from each generated row to its nearest training row.
        zero_rows: bool [n], the generated rows of norm 0.
        train_rows: m, for the result.
        absolute: the distances are 1 − |cos| (True) or 1 − cos (False).
    """
    directed = distances[~zero_rows]
    dropped = int(zero_rows.sum())
    if directed.size == 0:
        raise InputError(
            f"generated: all {dropped} rows are zero vectors, which have no direction and so no "
            "cosine distance; check the feature extraction."
        )
    notes = ()
    if dropped:
        notes = (f"{dropped} generated rows of norm 0 were left out: they have no direction.",)
    return Result(
        name="memorization_distance",
        value=float(directed.mean()),
        n={"generated": int(directed.size), "train": train_rows},
        parts={"absolute": absolute, "dropped_zero_rows": dropped},
        interval=mean_interval(directed, lowest=0.0),
        notes=notes,
    )


class MemorizationDistance:
    """`memorization_distance` over generated rows that come in batches.

    Holds the training features by reference; each batch is searched when it comes. `merge` joins
    the halves of two workers. One pass, batches and merged halves give the same number up to the
    order of a float64 sum.
    """

    def __init__(self, *, train: Any, absolute: bool = True) -> None:
        self.train = as_features(train, role="train")
        self.absolute = absolute
        self._distances: list[NDArray[np.float64]] = []
        self._zero_rows: list[NDArray[np.bool_]] = []

    def update(self, generated: Any) -> None:
        """Add generated rows, float [b, d]."""
        generated = as_features(generated, role="generated")
        check_same_dimension(generated=generated, train=self.train)
        metric = "absolute_cosine" if self.absolute else "cosine"
        search = nearest(generated, self.train, metric=metric)
        self._distances.append(to_numpy(search.distances)[:, 0])
        self._zero_rows.append(zero_rows(generated))

    def merge(self, other: MemorizationDistance) -> None:
        """Add the rows that another worker saw against the same training features.

        Raises:
            UsageError: it was made against other features, or with another cosine.
        """
        if other.absolute != self.absolute or not equal_rows(other.train, self.train):
            raise UsageError("only distances to the same training features can be merged.")
        self._distances.extend(other._distances)
        self._zero_rows.extend(other._zero_rows)

    def compute(self) -> Result:
        """The result over everything seen.

        Raises:
            InputError: nothing was seen yet.
        """
        if not self._distances:
            raise InputError("generated: expected at least 1 row before compute(), got none.")
        return memorization_distance_from(
            distances=np.concatenate(self._distances),
            zero_rows=np.concatenate(self._zero_rows),
            train_rows=int(self.train.shape[0]),
            absolute=self.absolute,
        )


def zero_rows(features: Any) -> NDArray[np.bool_]:
    """bool [n]: the rows whose norm is 0, found block by block."""
    step = 16_384
    out = np.empty(int(features.shape[0]), dtype=bool)
    for start in range(0, len(out), step):
        out[start : start + step] = ~to_numpy((features[start : start + step] != 0).any(1))
    return out
