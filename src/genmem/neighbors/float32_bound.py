"""The float32 bound of the exact search: how far a float32 score may be from the exact one.

A search is exact because everything whose float32 score is within this bound of the decision is
measured again in float64 (`exact`, `balls`).
"""

from __future__ import annotations

import torch

from genmem.neighbors._blocks import PRODUCT_COLUMNS, Block
from genmem.neighbors.distances import Metric

__all__ = ["PRODUCT_COLUMNS", "score_scale", "score_tolerance"]


_BFLOAT16 = 2.0**-8
"""What rounding to the nearest bfloat16 changes at most, relatively."""


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
        return queries.norms
    largest = block.norms.max()
    return queries.norms * largest + largest.square() / 2


def score_errors(
    queries: Block, block: Block, metric: Metric, *, turned: bool = False
) -> torch.Tensor:
    """Bound on |score − exact score| of each query of a block.

    Rows that were rounded before the product, to q + δ and r + ε, add at most

        |q·r − (q + δ)·(r + ε)| ≤ ‖δ‖‖r‖ + ‖q‖‖ε‖ + ‖δ‖‖ε‖

    and the rounding of their product to bfloat16 at most 2⁻⁸ of it, half a unit in
    the last of 8 bits.

    Args:
        queries: the block of queries, b rows.
        block: the block of references.
        metric: of the scores.
        turned: they come from those of the other direction (`_block_search.turn`).

    Returns:
        float32 [b].
    """
    scale = score_scale(queries, block, metric)
    if turned:
        scale = scale + queries.half_squares
    dimension = int(queries.rows.shape[1])
    errors = score_tolerance(dimension) * scale
    largest = block.norms.max()
    if queries.errors is not None:
        # One sum over all columns, which is rounded to bfloat16.
        products = (queries.norms + queries.errors) * (largest + _largest(block.errors))
        # Matrix units may truncate their sums, which doubles the error of one, and lose what is
        # smaller than a normal number.
        errors = errors + (2 * (dimension + 8) * 2.0**-24 + 1.01 * _BFLOAT16) * products
        errors = errors + queries.errors * largest
    if block.errors is not None:
        lengths = queries.norms if queries.errors is None else queries.norms + queries.errors
        errors = errors + lengths * block.errors.max()
    if noise := queries.noise + block.noise:
        # Of the products and of both rows' half squares.
        errors = errors + noise * (queries.norms + largest + noise)
    return errors


def _largest(errors: torch.Tensor | None) -> torch.Tensor | float:
    return 0.0 if errors is None else errors.max()
