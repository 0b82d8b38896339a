"""`count_balls`: how many balls hold each query, for precision, recall and density."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from array_api_compat import is_torch_array

from genmem.errors import InputError
from genmem.neighbors._blocks import (
    device_of,
    load_block,
    pair_distances,
    query_rows,
    reference_rows,
)
from genmem.neighbors.float32_bound import score_scale, score_tolerance


def count_balls(queries: Any, centers: Any, radii: Any) -> Any:
    """Count, for each query, the closed Euclidean balls B(center, radius) that hold it.

    A float32 matrix product decides where it leaves no doubt; pairs within its error of the
    boundary are measured in float64, from differences. A query at exactly the radius is inside.

    Args:
        queries: features [n, d], NumPy or torch.
        centers: features [m, d], the same kind of array.
        radii: float [m], in the unit of the features.

    Returns:
        int64 [n], of the queries' kind and device.

    Raises:
        InputError: the shapes do not fit together.
    """
    if queries.shape[1] != centers.shape[1] or tuple(radii.shape) != (centers.shape[0],):
        raise InputError(
            f"expected queries [n, d], centers [m, d] and radii [m], got {tuple(queries.shape)}, "
            f"{tuple(centers.shape)} and {tuple(radii.shape)}."
        )
    radii64 = torch.as_tensor(np.asarray(radii.cpu() if is_torch_array(radii) else radii))
    radii64 = radii64.to(torch.float64)
    count = torch.zeros(queries.shape[0], dtype=torch.int64)
    step = query_rows(int(queries.shape[1]))
    for start in range(0, int(queries.shape[0]), step):
        stop = min(int(queries.shape[0]), start + step)
        count[start:stop] = _count(queries, centers, radii64, start, stop)
    if is_torch_array(queries):
        return count.to(queries.device)
    return count.numpy()


def _count(queries: Any, centers: Any, radii: torch.Tensor, start: int, stop: int) -> torch.Tensor:
    """int64 [stop − start] on the CPU: balls that hold queries [start, stop).

    ‖q − c‖ ≤ r exactly when q·c + (r² − ‖c‖²)/2 ≥ ‖q‖²/2.
    """
    device = device_of(queries)
    block_q = load_block(queries, start, stop, metric="euclidean", device=device)
    dimension = int(block_q.rows.shape[1])
    tolerance = score_tolerance(dimension, device=device)
    count = torch.zeros(stop - start, dtype=torch.int64)
    step = reference_rows(stop - start, dimension)
    for low in range(0, int(centers.shape[0]), step):
        high = min(int(centers.shape[0]), low + step)
        block = load_block(centers, low, high, metric="euclidean", device=device)
        half_radii = (radii[low:high].square() / 2).to(device=device, dtype=torch.float32)
        reach = torch.addmm((half_radii - block.half_squares)[None, :], block_q.rows, block.rows.T)
        doubt = tolerance * (score_scale(block_q, block, "euclidean") + half_radii.max())
        surely = reach > (block_q.half_squares + doubt)[:, None]
        maybe = reach >= (block_q.half_squares - doubt)[:, None]
        inside = torch.count_nonzero(surely, dim=1)
        count += inside.cpu()
        unsure = (torch.count_nonzero(maybe, dim=1) > inside).nonzero().flatten()
        rows, columns = (maybe[unsure] & ~surely[unsure]).nonzero(as_tuple=True)
        rows, columns = unsure[rows], columns + low
        exact = pair_distances(queries, centers, rows + start, columns, metric="euclidean")
        decided = exact <= radii[columns.cpu()]
        count += torch.bincount(rows.cpu()[decided], minlength=stop - start)
    return count
