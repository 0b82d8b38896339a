"""Exact k-nearest neighbors: candidates from float32, decisions in float64.

A blocked float32 matrix product scores every query against every reference at the machine's full
speed. Its rounding error is bounded (`float32_bound`): every reference that scores within twice the
bound of a query's k-th best is a candidate, and candidates are measured again in float64, from
differences. So the answer is exact, near-duplicates keep their digits, and block size, batch size
and thread count cannot change it. Small searches take their candidates from a float64 product
(`_small`), and large ones from rows rounded to bfloat16 on CPUs that multiply those far faster
(`_rounding`); what they measure, and so the answer, is the same to the last bit.

Ties would make every pair a candidate. So equal queries are searched once; of equal references, and
of those orthogonal to a query, only the first k are candidates; and nearly equal references are
centred (`Center`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from array_api_compat import is_torch_array
from numpy.typing import NDArray

from genmem.arrays import (
    as_array,
    as_features,
    check_floating,
    check_same_dimension,
    equal_rows,
    float64_device,
    to_numpy,
)
from genmem.backend import active_backend
from genmem.errors import InputError, UsageError
from genmem.neighbors._small import is_small, search_small
from genmem.neighbors._state import SearchState
from genmem.neighbors.distances import METRICS, Metric
from genmem.neighbors.equal_rows import device_of, group_equal_rows

PART_BYTES = 2**30
"""Bytes of a mapped file of references that all queries are compared with in turn."""


@dataclass(frozen=True)
class Nearest:
    """The k nearest references of each query, nearest first, ties by lowest index.

    Attributes:
        distances: float64 [n, k].
        indices: int64 [n, k], rows of the references.
    """

    distances: Any
    indices: Any


@dataclass(frozen=True)
class Candidates:
    """What a search of some of the references hands to `NearestNeighbors.merge` elsewhere.

    Attributes:
        distances: float64 [u, w], of the different queries, nearest first; ∞ where there are fewer.
        indices: int64 [u, w], rows of the references; −1 where there are fewer.
        count: references that were searched.
    """

    distances: NDArray[np.float64]
    indices: NDArray[np.int64]
    count: int


def nearest(
    queries: Any,
    references: Any,
    *,
    k: int = 1,
    metric: Metric = "cosine",
    exclude_self: bool = False,
) -> Nearest:
    """Find the k nearest references of every query, exactly.

    Args:
        queries: features [n, d]; NumPy (memory-mapped too) or torch, any floating dtype.
        references: features [m, d]. Where one set is on a GPU, the other's rows are moved there, a
            block at a time.
        k: neighbors per query.
        metric: "cosine" (1 − cos), "absolute_cosine" (1 − |cos|) or "euclidean".
        exclude_self: leave-one-out: `queries` and `references` are the same rows, and no row is
            its own neighbor (an identical row elsewhere still is).

    Returns:
        NumPy arrays for NumPy queries; for tensors, tensors on the queries' device (on the CPU for
        MPS, which has no float64).

    Raises:
        InputError: not finite features [n, d] and [m, d], or fewer than k references.
        UsageError: k or metric is not one of the allowed values.

    Example:
        >>> import numpy as np
        >>> from genmem import nearest
        >>> train = np.array([[0.0, 0.0], [3.0, 4.0]])
        >>> result = nearest(np.array([[0.0, 1.0]]), train, k=2, metric="euclidean")
        >>> result.indices.tolist(), result.distances.round(3).tolist()
        ([[0, 1]], [[1.0, 4.243]])
    """
    search = NearestNeighbors(queries, k=k, metric=metric, exclude_self=exclude_self)
    references = as_array(references, role="references")
    if exclude_self and search.queries.shape != references.shape:
        raise UsageError(
            "exclude_self compares a set with itself, but there are queries of shape "
            f"{list(search.queries.shape)} and references of shape {list(references.shape)}."
        )
    search.update(references)
    return search.compute()


def nearest_other(rows: Any, positions: Any = None, *, metric: Metric = "cosine") -> Any:
    """Leave-one-out: the distance of rows to the nearest other row of their set.

    Args:
        rows: features [n, d], as for `nearest`, n at least 2.
        positions: int64 [q], the rows whose distances are wanted; None: all.
        metric: as for `nearest`.

    Returns:
        float64 [q], the kind of array that `nearest` returns.
    """
    if positions is None:
        return nearest(rows, rows, metric=metric, exclude_self=True).distances[:, 0]
    # Of the two nearest rows one is the row itself, or an equal one: the second is another row's.
    return nearest(rows[positions], rows, k=2, metric=metric).distances[:, 1]


def update_together(searches: Sequence[NearestNeighbors], references: Any) -> None:
    """`update` several searches of the same queries, whose distances differ, at one product.

    Args:
        searches: of the same array of queries, not leave-one-out.
        references: the next part of the references of all.

    Raises:
        InputError: as for `NearestNeighbors.update`.
    """
    references = as_array(references, role="references")
    first = searches[0]
    alike = all(search.is_like(first) for search in searches)
    if not alike or not first.shares_products(references):
        for search in searches:
            search.update(references)
        return
    references = as_features(references, role="references")
    check_same_dimension(queries=first.queries, references=references)
    from genmem.neighbors._blocked import search_blocks

    search_blocks([search._state for search in searches], references, first.seen)
    for search in searches:
        search.seen += int(references.shape[0])


class NearestNeighbors:
    """Nearest neighbors over references that arrive in parts; `merge` joins searches of workers.

    `update` with parts in any order, or `merge` of searches of the same queries over different
    parts, gives exactly the result of one pass over all references.

    `within` (float64 [n], a distance per query) saves work if only neighbors up to that distance
    matter. Those are all found; places beyond them may hold other neighbors, or distance ∞ and
    index −1.

    `width` is the number of neighbors that are searched: k, and one more with `exclude_self`.
    """

    def __init__(
        self,
        queries: Any,
        *,
        k: int = 1,
        metric: Metric = "cosine",
        exclude_self: bool = False,
        within: Any = None,
    ) -> None:
        if metric not in METRICS:
            raise UsageError(f"metric: expected one of {', '.join(METRICS)}, got {metric!r}.")
        if k < 1:
            raise UsageError(f"k: expected at least 1 neighbor, got {k}.")
        self.queries = queries = as_features(queries, role="queries")
        self.k = k
        self.metric: Metric = metric
        self.exclude_self = exclude_self
        self.seen = 0
        count = int(queries.shape[0])
        # Leave-one-out searches for one neighbor more, and leaves the row itself out at the end.
        self.width = k + int(exclude_self)
        rows, self._groups = group_equal_rows(queries)
        largest = None
        if within is not None:
            largest = np.full(len(rows), -np.inf)
            np.maximum.at(largest, self._groups, _bounds(within, count))
        self._state = SearchState(
            queries=queries,
            rows=rows,
            metric=metric,
            width=self.width,
            within=largest,
            distances=np.full((len(rows), self.width), np.inf),
            indices=np.full((len(rows), self.width), -1),
        )

    def update(self, references: Any, *, offset: int | None = None) -> None:
        """Search another part of the references.

        Args:
            references: features [m, d]; none (m = 0) change nothing.
            offset: the index of its first row among all references; None: it follows the part
                before it.

        Raises:
            InputError: it is not finite features of the queries' dimension.
            UsageError: `offset` is negative, or with `exclude_self` the rows are not the queries'.
        """
        references = as_array(references, role="references")
        if references.ndim == 2 and not references.shape[0]:
            return
        first = self.seen if offset is None else offset
        if first < 0:
            raise UsageError(f"offset: expected a row number from 0, got {first}.")
        if not self.exclude_self and self._search_elsewhere(references, first):
            return
        if self._wants_parts(references):
            step = max(1, PART_BYTES * int(references.shape[0]) // references.nbytes)
            for start in range(0, int(references.shape[0]), step):
                self.update(references[start : start + step], offset=first + start)
            return
        references = as_features(references, role="references")
        check_same_dimension(queries=self.queries, references=references)
        if self.exclude_self and not equal_rows(
            self.queries[first : first + int(references.shape[0])], references
        ):
            raise UsageError(
                "exclude_self compares a set with itself, but the references are other rows than "
                "the queries."
            )
        if self.exclude_self and self._search_elsewhere(references, first):
            return
        if self._is_small(references):
            search_small(self._state, references, first)
        else:
            from genmem.neighbors._blocked import search_blocks  # loads torch

            search_blocks([self._state], references, first, exclude_self=self.exclude_self)
        self.seen += int(references.shape[0])

    def is_like(self, other: NearestNeighbors) -> bool:
        """Whether both search the same array for the rows after the same ones."""
        both = (self, other)
        alone = any(one.exclude_self or one._state.within is not None for one in both)
        return self.queries is other.queries and self.seen == other.seen and not alone

    def shares_products(self, references: Any) -> bool:
        """Whether these references are searched here, at once and by blocks."""
        if references.ndim != 2 or active_backend() is not None or self._wants_parts(references):
            return False
        return not self._is_small(references)

    def _is_small(self, references: Any) -> bool:
        return is_small(self.queries, references, rows=len(self._state.rows))

    def _search_elsewhere(self, references: Any, first: int) -> bool:
        """Let the active backend search references that begin at row `first`; False: not done.

        It checks the rows, which need not be read here.
        """
        backend = active_backend()
        if backend is None or references.ndim != 2:
            return False
        check_floating(references, role="references")
        check_same_dimension(queries=self.queries, references=references)
        parts = backend.search(
            self.queries,
            references,
            k=self.width,
            metric=self.metric,
            within=None if self._state.within is None else self._state.within[self._groups],
            first=first,
        )
        for part in parts or ():
            self.merge(part)
        return parts is not None

    def _wants_parts(self, references: Any) -> bool:
        """Whether a mapped file is compared part by part with all queries, so that it is read once.

        Otherwise every block of queries reads all of it.
        """
        if not isinstance(references, np.memmap) or references.ndim != 2 or self.exclude_self:
            return False
        if references.nbytes <= PART_BYTES or self._is_small(references):
            return False
        from genmem.neighbors._blocks import query_rows

        rows = query_rows(int(self.queries.shape[1]), device_of(self.queries))
        return len(self._state.rows) > rows

    def merge(self, other: NearestNeighbors | Candidates) -> None:
        """Merge another search of the same queries over other references (other offsets).

        Args:
            other: the search; or its `candidates`, of whose queries only the number is checked.

        Raises:
            UsageError: it is of other queries, or of another k, metric or exclude_self.
        """
        same = True
        if isinstance(other, NearestNeighbors):
            # A search that leaves nothing out keeps k neighbors, where leave-one-out takes k + 1.
            same = (other.k, other.metric) == (self.k, self.metric)
            same = same and equal_rows(other.queries, self.queries)
            other = other.candidates()
        if not same or other.distances.shape != self._state.distances.shape:
            raise UsageError(
                "merge: expected a search of the same queries, k, metric and exclude_self."
            )
        rows = np.repeat(np.arange(len(other.distances)), self.width)
        self._state.merge(rows, other.indices.ravel(), other.distances.ravel())
        self.seen += other.count

    def candidates(self) -> Candidates:
        """The nearest references so far, to be merged into another search of the same queries."""
        return Candidates(self._state.distances.copy(), self._state.indices.copy(), self.seen)

    def compute(self) -> Nearest:
        """The k nearest of the references so far.

        Raises:
            InputError: there were fewer than k references (besides the query itself).
        """
        if self._state.within is None and bool((self._state.indices < 0).any()):
            besides = " besides the row itself" if self.exclude_self else ""
            raise InputError(
                f"expected at least {self.k} references{besides}, got "
                f"{self.seen - int(self.exclude_self)}; give more images or a smaller k."
            )
        distances = self._state.distances[self._groups]
        indices = self._state.indices[self._groups]
        if self.exclude_self:
            distances, indices = _leave_self_out(distances, indices)
        if not is_torch_array(self.queries):
            return Nearest(distances, indices)
        import torch

        home = float64_device(device_of(self.queries))
        return Nearest(torch.from_numpy(distances).to(home), torch.from_numpy(indices).to(home))


def _bounds(within: Any, count: int) -> NDArray[np.float64]:
    """`within` as float64 [n], which may be infinite."""
    bounds = to_numpy(as_array(within, role="within"))
    if bounds.shape != (count,) or np.isnan(bounds).any():
        raise UsageError(f"within: expected a bound for each of {count} queries, and no NaN.")
    return bounds.astype(np.float64)


def _leave_self_out(
    distances: NDArray[np.float64], indices: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Leave out of row i the neighbor i, or else the last one: [n, k + 1] becomes [n, k]."""
    count, width = indices.shape
    is_self = indices == np.arange(count)[:, None]
    is_self[~is_self.any(axis=1), -1] = True
    shape = (count, width - 1)
    return distances[~is_self].reshape(shape), indices[~is_self].reshape(shape)
