"""The float32 bound of the exact search: how far a float32 score may be from the exact one.

A search is exact because everything whose float32 score is within this bound of the decision is
measured again in float64 (`exact`, `balls`).
"""

from __future__ import annotations

import torch

from genmem.neighbors._blocks import PRODUCT_COLUMNS, Block
from genmem.neighbors.distances import Metric

__all__ = ["PRODUCT_COLUMNS", "score_scale", "score_tolerance"]


def score_tolerance(dimension: int) -> float:
    """Bound on |float32 score − exact score| per unit of ‖query‖·‖reference‖.

    A sum of m products in any order errs by at most mu·Σ|xᵢyᵢ| in precision u. Scores are sums of
    ⌈d / `PRODUCT_COLUMNS`⌉ sums of so many products; another 8u cover rounding and normalizing the
    rows. Bounds that grow with √d hold for errors of random sign only: long rows of equal values,
    as of images with a plain background, are biased beyond them.

    u = 2⁻²⁴: whoever computes scores does so in `ieee_float32`.

    Args:
        dimension: length of the rows, d.
    """
    parts = -(-dimension // PRODUCT_COLUMNS)
    return (min(dimension, PRODUCT_COLUMNS) + parts + 8.0) * 2.0**-24


def score_scale(queries: Block, block: Block, metric: Metric) -> torch.Tensor:
    """The factor of `score_tolerance` for each query of a block.

    Whoever compares a score with a distance adds the query's `half_squares`, which enter there.

    Args:
        queries: the block of queries, b rows.
        block: the block of references.
        metric: of the scores: "euclidean" for centred rows.

    Returns:
        float32 [b].
    """
    if metric != "euclidean":
        return torch.ones_like(queries.norms)
    largest = block.norms.max()
    return queries.norms * largest + largest.square() / 2
