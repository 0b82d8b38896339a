"""Exact k-nearest neighbors: candidates from float32, decisions in float64.

A blocked float32 matrix product scores every query against every reference at the machine's full
speed. Its rounding error is bounded (`float32_bound`): every reference that scores within twice the
bound of a query's k-th best is a candidate, and candidates are measured again in float64, from
differences. So the answer is exact, near-duplicates keep their digits, and block size, batch size
and thread count cannot change it.

Ties would make every pair a candidate. So equal queries are searched once; of equal references, and
of those orthogonal to a query, only the first k are candidates; and nearly equal references are
centred (`Center`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
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
from genmem.neighbors._block_search import BlockSearch, turn
from genmem.neighbors._blocks import (
    Block,
    Center,
    center_of,
    load_block,
    query_rows,
    reference_rows,
    score_buffer,
    scores_of,
)
from genmem.neighbors.distances import METRICS, Metric, pair_distances, unit_rows
from genmem.neighbors.equal_rows import (
    device_of,
    earlier_copies,
    group_equal_rows,
    read_rows,
)
from genmem.neighbors.float32_bound import score_tolerance
from genmem.torch_settings import ieee_float32

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
        self._rows, self._groups = group_equal_rows(queries)
        self._within = None
        if within is not None:
            largest = np.full(len(self._rows), -np.inf)
            np.maximum.at(largest, self._groups, _bounds(within, count))
            self._within = torch.from_numpy(largest)
        shape = (len(self._rows), self.width)
        self._distances = torch.full(shape, torch.inf, dtype=torch.float64)
        self._indices = torch.full(shape, -1, dtype=torch.int64)

    @ieee_float32()
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
        device = device_of(self.queries, references)
        center = center_of(references, self.queries, metric=self.metric, device=device)
        step = query_rows(int(self.queries.shape[1]), device)
        # Of a set in itself without equal rows a score serves both rows of its pair.
        rows = int(self.queries.shape[0])
        whole = self.exclude_self and rows == int(references.shape[0]) == len(self._rows)
        twice = whole and center is None
        for start in range(0, len(self._rows), step):
            stop = min(len(self._rows), start + step)
            if twice:
                self._search_itself(references, start, stop)
            else:
                self._search(references, first, start, stop, center)
        self.seen += int(references.shape[0])

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
            within=None if self._within is None else self._within.numpy()[self._groups],
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
        blocks = len(self._rows) > query_rows(int(self.queries.shape[1]), device_of(self.queries))
        return blocks and references.nbytes > PART_BYTES

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
        if not same or other.distances.shape != tuple(self._distances.shape):
            raise UsageError(
                "merge: expected a search of the same queries, k, metric and exclude_self."
            )
        rows = torch.arange(len(other.distances)).repeat_interleave(self.width)
        # Copies: arrays that came from another process may be read-only.
        distances, indices = map(torch.tensor, (other.distances, other.indices))
        self._merge_pairs(0, rows, indices.flatten(), distances.flatten())
        self.seen += other.count

    def candidates(self) -> Candidates:
        """The nearest references so far, to be merged into another search of the same queries."""
        distances, indices = self._distances.numpy().copy(), self._indices.numpy().copy()
        return Candidates(distances, indices, self.seen)

    def compute(self) -> Nearest:
        """The k nearest of the references so far.

        Raises:
            InputError: there were fewer than k references (besides the query itself).
        """
        if self._within is None and bool((self._indices < 0).any()):
            besides = " besides the row itself" if self.exclude_self else ""
            raise InputError(
                f"expected at least {self.k} references{besides}, got "
                f"{self.seen - int(self.exclude_self)}; give more images or a smaller k."
            )
        distances, indices = self._distances[self._groups], self._indices[self._groups]
        if self.exclude_self:
            distances, indices = _leave_self_out(distances, indices)
        if is_torch_array(self.queries):
            home = float64_device(device_of(self.queries))
            return Nearest(distances.to(home), indices.to(home))
        return Nearest(distances.numpy(), indices.numpy())

    def _search(
        self, references: Any, first: int, start: int, stop: int, center: Center | None
    ) -> None:
        """Search the different queries [start, stop) in references that begin at row `first`."""
        device = device_of(self.queries, references)
        queries = load_block(
            self.queries,
            self._query_rows(start, stop),
            metric=self.metric,
            device=device,
            center=center,
        )
        search = BlockSearch(
            queries,
            self._scores_of_best(queries, start, stop, center),
            self.metric if center is None else "euclidean",
        )
        measure = partial(self._measure, references, first, start, search)
        step = reference_rows(stop - start, int(queries.rows.shape[1]), device)
        buffer = score_buffer(stop - start, min(step, int(references.shape[0])), device=device)
        for low in range(0, int(references.shape[0]), step):
            high = min(int(references.shape[0]), low + step)
            chosen = self._reference_rows(references, low, high, center)
            block = load_block(references, chosen, metric=self.metric, device=device, center=center)
            scores = scores_of(queries, block, self.metric, buffer, center)
            index = _row_numbers(chosen).to(device)
            measure(search.add(scores, block, index))
        measure()

    def _search_itself(self, rows: Any, start: int, stop: int) -> None:
        """Search the block [start, stop) of a set in itself and the later rows, and these in it."""
        device, count = device_of(self.queries, rows), int(rows.shape[0])
        block = load_block(rows, slice(start, stop), metric=self.metric, device=device)
        search = self._block_search(block, start, stop)
        measure = partial(self._measure, rows, 0, start, search)
        step = reference_rows(stop - start, int(rows.shape[1]), device)
        buffer = score_buffer(stop - start, min(step, count - start), device=device)
        numbers = torch.arange(count, device=device)
        for low, high in _parts(start, stop, count, step):
            own = slice(low - start, None) if low < stop else slice(0, None)
            queries = block.part(own)
            other = load_block(rows, slice(low, high), metric=self.metric, device=device)
            scores = scores_of(queries, other, self.metric, buffer)
            measure(search.add(scores, other, numbers[low:high], rows=own))
            if high < stop:
                # The rest of the block meets [low, high) here only.
                later, scores = block.part(slice(high - start, None)), scores[high - low :]
                turned = turn(scores, later, other, self.metric)
                part = slice(low - start, high - start)
                measure(search.add(turned, later, numbers[high:stop], rows=part, turned=True))
            if low < stop:
                continue
            turned = turn(scores, block, other, self.metric)
            backward = self._block_search(other, low, high)
            measure_backward = partial(self._measure, rows, 0, low, backward)
            measure_backward(backward.add(turned, block, numbers[start:stop], turned=True))
            measure_backward()
        measure()

    def _block_search(self, queries: Block, start: int, stop: int) -> BlockSearch:
        return BlockSearch(queries, self._scores_of_best(queries, start, stop, None), self.metric)

    def _query_rows(self, start: int, stop: int) -> slice | NDArray[np.int64]:
        """Rows of the different queries [start, stop)."""
        if len(self._rows) == int(self.queries.shape[0]):
            return slice(start, stop)
        return self._rows[start:stop]

    def _reference_rows(
        self, references: Any, low: int, high: int, center: Center | None
    ) -> slice | NDArray[np.int64]:
        """References [low, high) without those that enough equal ones precede."""
        part = references[low:high]
        if center is not None and self.metric != "euclidean":
            part = unit_rows(read_rows(part, slice(None)))
        first, groups = group_equal_rows(part)
        if len(first) == high - low:
            return slice(low, high)
        return low + np.flatnonzero(earlier_copies(groups) < self.width)

    def _scores_of_best(
        self, queries: Block, start: int, stop: int, center: Center | None
    ) -> torch.Tensor:
        """float32 [b, width]: scores that the distances so far, or the bounds, have at least."""
        distances = self._distances[start:stop]
        if self._within is not None:
            distances = torch.minimum(distances, self._within[start:stop, None])
        device = queries.rows.device
        distances = distances.to(float64_device(device))
        if self.metric == "euclidean":
            distances = distances.square() / 2
        elif center is None:
            return (1 - distances).to(torch.float32).to(device)
        scale = 1.0 if center is None else center.scale
        rounding = score_tolerance(int(queries.rows.shape[1]))
        half_squares = (queries.half_squares[:, None] * (1 - 2 * rounding)).to(distances.device)
        return (half_squares - distances * scale**2).to(torch.float32).to(device)

    def _measure(
        self,
        references: Any,
        first: int,
        start: int,
        search: BlockSearch,
        added: Iterable[None] = (None,),
    ) -> None:
        """Measure the waiting candidates of a block, and keep those among the k nearest.

        Args:
            references: the part of the references that is searched.
            first: the index of its first row.
            start: the place of the first query of the block.
            search: the block's.
            added: measured at each step of it.
        """
        for _ in added:
            rows, columns = search.take()
            query_index = torch.from_numpy(self._rows)[rows.cpu() + start]
            distances = pair_distances(
                self.queries, references, query_index, columns, metric=self.metric
            )
            self._merge_pairs(start, rows.cpu(), columns.cpu() + first, distances)

    def _merge_pairs(
        self, start: int, rows: torch.Tensor, indices: torch.Tensor, distances: torch.Tensor
    ) -> None:
        """Merge measured pairs into the k nearest, by distance and then by lowest index."""
        touched, rows = rows.unique(return_inverse=True)
        known = torch.arange(touched.shape[0]).repeat_interleave(self.width)
        all_rows = torch.cat([known, rows]).numpy()
        all_distances = torch.cat([self._distances[touched + start].flatten(), distances]).numpy()
        all_indices = torch.cat([self._indices[touched + start].flatten(), indices]).numpy()
        order = np.lexsort((all_indices, all_distances, all_rows))
        sorted_rows = all_rows[order]
        firsts = np.searchsorted(sorted_rows, np.arange(touched.shape[0]))
        chosen = torch.from_numpy(order[firsts[:, None] + np.arange(self.width)])
        self._distances[touched + start] = torch.from_numpy(all_distances)[chosen]
        self._indices[touched + start] = torch.from_numpy(all_indices)[chosen]


def _row_numbers(rows: slice | NDArray[np.int64]) -> torch.Tensor:
    """int64 [m]: the numbers of some rows."""
    if isinstance(rows, slice):
        return torch.arange(rows.start, rows.stop)
    return torch.from_numpy(rows)


def _bounds(within: Any, count: int) -> NDArray[np.float64]:
    """`within` as float64 [n], which may be infinite."""
    bounds = to_numpy(as_array(within, role="within"))
    if bounds.shape != (count,) or np.isnan(bounds).any():
        raise UsageError(f"within: expected a bound for each of {count} queries, and no NaN.")
    return bounds.astype(np.float64)


def _leave_self_out(
    distances: torch.Tensor, indices: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Leave out of row i the neighbor i, or else the last one: [n, k + 1] becomes [n, k]."""
    count, width = indices.shape
    is_self = indices == torch.arange(count)[:, None]
    is_self[~is_self.any(dim=1), -1] = True
    return distances[~is_self].view(count, width - 1), indices[~is_self].view(count, width - 1)


def _parts(start: int, stop: int, count: int, step: int) -> Iterator[tuple[int, int]]:
    """Rows from `start` on in parts of at most `step`, none of them across `stop`."""
    for low, end in ((start, stop), (stop, count)):
        for first in range(low, end, step):
            yield first, min(first + step, end)
