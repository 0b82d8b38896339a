"""What a search knows so far: the nearest references of each different query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genmem.neighbors.distances import Metric


@dataclass
class SearchState:
    """The nearest references so far of each different query.

    Attributes:
        queries: features [n, d].
        rows: int64 [u], the rows of `queries` that are searched: the first of each group of equal
            ones.
        metric: which distance.
        width: neighbors that are searched, w.
        within: float64 [u], distances beyond which neighbors do not matter; None where all do.
        distances: float64 [u, w], nearest first; ∞ where there are fewer.
        indices: int64 [u, w], rows of the references; −1 where there are fewer.
    """

    queries: Any
    rows: NDArray[np.int64]
    metric: Metric
    width: int
    within: NDArray[np.float64] | None
    distances: NDArray[np.float64]
    indices: NDArray[np.int64]

    def query_rows(self, start: int, stop: int) -> slice | NDArray[np.int64]:
        """Rows of the different queries [start, stop)."""
        if len(self.rows) == int(self.queries.shape[0]):
            return slice(start, stop)
        return self.rows[start:stop]

    def copy(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Copies of the distances and indices so far."""
        return self.distances.copy(), self.indices.copy()

    def merge(
        self,
        rows: NDArray[np.int64],
        indices: NDArray[np.int64],
        distances: NDArray[np.float64],
    ) -> None:
        """Merge measured pairs into the nearest ones, by distance and then by lowest index.

        Args:
            rows: int64 [p], the place of each pair's query among `rows`.
            indices: int64 [p], of its reference.
            distances: float64 [p].
        """
        touched, rows = np.unique(rows, return_inverse=True)
        known = np.repeat(np.arange(len(touched)), self.width)
        all_rows = np.concatenate([known, rows])
        all_distances = np.concatenate([self.distances[touched].ravel(), distances])
        all_indices = np.concatenate([self.indices[touched].ravel(), indices])
        order = np.lexsort((all_indices, all_distances, all_rows))
        firsts = np.searchsorted(all_rows[order], np.arange(len(touched)))
        chosen = order[firsts[:, None] + np.arange(self.width)]
        self.distances[touched] = all_distances[chosen]
        self.indices[touched] = all_indices[chosen]
