"""Inception Score: how certain and how varied a classifier finds the generated images."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from array_api_compat import array_namespace
from numpy.typing import NDArray

from genmem.arrays import as_features, block_slices, check_at_least, copy_float64, to_numpy
from genmem.errors import UsageError
from genmem.results import Result


def inception_score(
    *, logits: Any, splits: int = 10, seed: int = 0, split_rows: int | None = None
) -> Result:
    """Inception Score of generated images; 1 at worst, the number of classes at best.

        IS = mean over splits of exp( mean over x of KL(p(y | x) ‖ p(y)) ),   p(y) = mean p(y | x)

    Salimans et al. 2016, "Improved Techniques for Training GANs", section 4. The rows are shuffled
    by `numpy.random.RandomState(seed)` and split as torch-fidelity does, so the same seed gives
    its number. Departure: the mean KL is taken as Σ mean(p log p) − Σ p(y) log p(y), in float64,
    so that one pass with bounded memory suffices. Of copied images it says nothing.

    Args:
        logits: the classifier's outputs for the generated images, before softmax, [n, classes],
            NumPy (memory-mapped too) or torch, floating point. The published score takes
            Inception's 1,008.
        splits: parts that are scored apart and averaged.
        seed: of the shuffling.
        split_rows: rows of one split, in their order and not shuffled, as ADM's evaluator splits
            (5,000; the last split may have fewer); None for `splits` shuffled ones.

    Returns:
        value; parts: `deviation` (over splits, divided by their number), `splits`.

    Raises:
        InputError: not finite floating-point logits, or fewer rows than splits.
        UsageError: no splits.
    """
    logits = as_features(logits, role="logits of generated")
    if splits < 1 or (split_rows is not None and split_rows < 1):
        raise UsageError(f"inception_score: expected splits ≥ 1, got {splits}.")
    count, classes = (int(length) for length in logits.shape)
    check_at_least(count, splits, role="logits of generated", why="each split takes one.")
    if split_rows is None:
        order = np.random.RandomState(seed).permutation(count)
        bounds = [split * count // splits for split in range(splits + 1)]
    else:
        order = np.arange(count)
        bounds = [*range(0, count, split_rows), count]
        splits = len(bounds) - 1
    scores = [_score(logits, np.sort(order[start:stop])) for start, stop in pairwise(bounds)]
    notes = ()
    if count // splits < classes:
        notes = (
            f"a split has {count // splits} rows for {classes} classes: the score is biased "
            "downward. Compare only values from the same number of rows.",
        )
    return Result(
        name="inception_score",
        value=float(np.mean(scores)),
        n={"generated": count},
        parts={"deviation": float(np.std(scores)), "splits": splits},
        seed=seed,
        notes=notes,
    )


def _score(logits: Any, rows: NDArray[np.int64]) -> float:
    negative_entropy = 0.0
    marginal = np.zeros(int(logits.shape[1]))
    for part in block_slices(len(rows), int(logits.shape[1])):
        shifted = copy_float64(logits, rows[part])
        xp = array_namespace(shifted)
        shifted -= xp.max(shifted, axis=1, keepdims=True)
        p = xp.exp(shifted)
        totals = xp.sum(p, axis=1, keepdims=True)
        p /= totals
        # log p = shifted − log Σ, finite even where p underflows to 0.
        negative_entropy += float(xp.sum(p * (shifted - xp.log(totals))))
        marginal += to_numpy(xp.sum(p, axis=0))
    marginal /= len(rows)
    present = marginal[marginal > 0]
    return float(np.exp(negative_entropy / len(rows) - np.sum(present * np.log(present))))
