"""The float32 bound of the exact search: how far a float32 score may be from the exact one.

A search is exact because everything whose float32 score is within this bound of the decision is
measured again in float64 (`exact`, `balls`).
"""

from __future__ import annotations

import torch

from genmem.neighbors._blocks import Block, Metric


def score_tolerance(dimension: int, *, device: torch.device) -> float:
    """Bound on |float32 score − exact score| per unit of ‖query‖·‖reference‖.

    A dot product of length d in precision u errs by at most λ√d·u·Σ|xᵢyᵢ| with probability
    practically 1 at λ = 4 (Higham and Mary 2019, "A new approach to probabilistic rounding error
    analysis"); another 8u cover rounding and normalizing the rows themselves. Where the caller
    lets CUDA multiply in TF32, u is TF32's.

    Args:
        dimension: length of the rows, d.
        device: where the product is computed.
    """
    tf32 = device.type == "cuda" and torch.get_float32_matmul_precision() != "highest"
    unit = 2.0**-11 if tf32 else 2.0**-24
    return (4.0 * dimension**0.5 + 8.0) * unit


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
