"""The float32 bound of the exact search: how far a float32 score may be from the exact one.

A search is exact because everything whose float32 score is within this bound of the decision is
measured again in float64 (`exact`, `balls`).
"""

from __future__ import annotations

import torch

from genmem.neighbors._blocks import PRODUCT_COLUMNS, Block
from genmem.neighbors.distances import Metric

__all__ = ["PRODUCT_COLUMNS", "score_scale", "score_tolerance"]


def score_tolerance(dimension: int, *, device: torch.device) -> float:
    """Bound on |float32 score − exact score| per unit of ‖query‖·‖reference‖.

    A sum of m products in any order errs by at most mu·Σ|xᵢyᵢ| in precision u. Scores are sums of
    ⌈d / `PRODUCT_COLUMNS`⌉ sums of so many products; another 8u cover rounding and normalizing the
    rows. Bounds that grow with √d hold for errors of random sign only: long rows of equal values,
    as of images with a plain background, are biased beyond them.

    Where the caller lets CUDA multiply in TF32, u = 2⁻¹¹ is that of the factors and errors are far
    below the bound of Higham and Mary 2019, "A new approach to probabilistic rounding error
    analysis": λ√d·u, λ = 4.

    Args:
        dimension: length of the rows, d.
        device: where the product is computed.
    """
    if device.type == "cuda" and torch.get_float32_matmul_precision() != "highest":
        return (4.0 * dimension**0.5 + 8.0) * 2.0**-11
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
