"""Searches by blocks, in torch: float32 scores propose what float64 measures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from genmem.arrays import copy_float64, float64_device
from genmem.neighbors._block_search import BlockSearch, turn
from genmem.neighbors._blocks import (
    Block,
    Center,
    center_of,
    cosine_scores,
    euclidean_scores,
    inverse_norms,
    load_block,
    products_of,
    query_directions,
    query_rows,
    reference_directions,
    reference_rows,
    rounded,
    score_buffer,
    scores_of,
)
from genmem.neighbors._rounding import worth_rounding
from genmem.neighbors._state import SearchState
from genmem.neighbors.distances import Metric, pair_distances, unit_rows
from genmem.neighbors.equal_rows import device_of, without_copies
from genmem.neighbors.float32_bound import score_tolerance
from genmem.torch_settings import ieee_float32

_CANDIDATES = 256
"""Of so many references one may be a candidate: measuring it takes as long as their products."""


@ieee_float32()
def search_blocks(
    states: Sequence[SearchState], references: Any, first: int, *, exclude_self: bool = False
) -> None:
    """Add the references to searches of the same queries, by different distances.

    Args:
        states: the searches so far; they share one product, unless references are centred.
        references: features [m, d].
        first: the index of their first row.
        exclude_self: the references are rows of the queries.

    Raises:
        InputError: the norm of a row is out of range.
    """
    queries = states[0].queries
    device = device_of(queries, references)
    centers = [center_of(references, queries, metric=one.metric, device=device) for one in states]
    if len(states) > 1 and any(center is not None for center in centers):
        for one in states:
            search_blocks([one], references, first, exclude_self=exclude_self)
        return
    search = _BlockedSearch(states, references, first, device, centers[0])
    before = [state.copy() for state in states] if search.rounds else []
    search.run(exclude_self=exclude_self)
    if search.gave_up:
        for one, copy in zip(states, before, strict=True):
            one.distances, one.indices = copy
        search.rounds, search.gave_up = False, False
        search.run(exclude_self=exclude_self)


class _BlockedSearch:
    """The search of all queries in one part of the references.

    Attributes:
        rounds: the rows are rounded before their product.
        gave_up: so nearly equal are the rows that rounding leaves too many candidates.
    """

    def __init__(
        self,
        states: Sequence[SearchState],
        references: Any,
        first: int,
        device: torch.device,
        center: Center | None,
    ) -> None:
        self.states, self.references, self.first = states, references, first
        self.device, self.center = device, center
        self.count = int(references.shape[0])
        self.shared = len(states) > 1
        # Products of several distances are those of the rows as they are.
        self.metric: Metric = "euclidean" if self.shared else states[0].metric
        pairs = len(states[0].rows) * self.count
        self.rounds = center is None and worth_rounding(
            device, products=pairs * int(references.shape[1])
        )
        self.gave_up = False

    def run(self, *, exclude_self: bool) -> None:
        """Search all queries; `gave_up` says whether it ended early."""
        state = self.states[0]
        step = query_rows(int(state.queries.shape[1]), self.device)
        # Of a set in itself without equal rows a score serves both rows of its pair.
        rows = int(state.queries.shape[0])
        whole = exclude_self and rows == self.count == len(state.rows)
        twice = whole and not self.shared and self.center is None
        for start in range(0, len(state.rows), step):
            stop = min(len(state.rows), start + step)
            if twice:
                self._search_itself(start, stop)
            else:
                self._search(start, stop)
            if self.gave_up:
                return

    def _search(self, start: int, stop: int) -> None:
        """Search the different queries [start, stop) in the references."""
        queries = self._load(self.states[0].queries, self.states[0].query_rows(start, stop))
        searches = [self._block_search(state, queries, start, stop) for state in self.states]
        step = reference_rows(stop - start, int(queries.rows.shape[1]), self.device)
        size = min(step, self.count)
        buffers = [
            score_buffer(stop - start, size, device=self.device) for _ in range(1 + self.shared)
        ]
        short = torch.empty_like(buffers[0], dtype=torch.bfloat16) if self.rounds else None
        for low in range(0, self.count, step):
            chosen = self._reference_rows(low, min(self.count, low + step))
            block = self._load(self.references, chosen)
            index = _row_numbers(chosen).to(self.device)
            scored = self._scores(queries, block, buffers, short)
            for state, search, (scores, view) in zip(self.states, searches, scored, strict=True):
                self._measure(state, start, search, search.add(scores, view, index))
            if self.gave_up:
                return
        for state, search in zip(self.states, searches, strict=True):
            self._measure(state, start, search)

    def _scores(
        self,
        queries: Block,
        block: Block,
        buffers: Sequence[torch.Tensor],
        short: torch.Tensor | None,
    ) -> Iterator[tuple[torch.Tensor, Block]]:
        """The scores of each state, in memory of the buffers, and the references they are of."""
        if not self.shared:
            center = self.center
            yield scores_of(queries, block, self.metric, buffers[0], center, short), block
            return
        products = products_of(queries, block, buffers[0], short)
        for state in self.states:
            if state.metric == "euclidean":
                yield euclidean_scores(products, block, buffers[1]), block
            else:
                inverse, view = inverse_norms(block), reference_directions(block)
                yield cosine_scores(products, inverse, state.metric, buffers[1]), view

    def _search_itself(self, start: int, stop: int) -> None:
        """Search the block [start, stop) of a set in itself and the later rows, and these in it."""
        rows, [state], metric = self.references, self.states, self.metric
        block = self._load(rows, slice(start, stop))
        search = self._block_search(state, block, start, stop)
        step = reference_rows(stop - start, int(rows.shape[1]), self.device)
        buffer = score_buffer(stop - start, min(step, self.count - start), device=self.device)
        short = torch.empty_like(buffer, dtype=torch.bfloat16) if self.rounds else None
        numbers = torch.arange(self.count, device=self.device)
        for low, high in _parts(start, stop, self.count, step):
            own = slice(low - start, None) if low < stop else slice(0, None)
            queries = block.part(own)
            other = self._load(rows, slice(low, high))
            scores = scores_of(queries, other, metric, buffer, short=short)
            added = search.add(scores, other, numbers[low:high], rows=own)
            self._measure(state, start, search, added)
            if high < stop:
                # The rest of the block meets [low, high) here only.
                later, scores = block.part(slice(high - start, None)), scores[high - low :]
                turned = turn(scores, later, other, metric)
                part = slice(low - start, high - start)
                added = search.add(turned, later, numbers[high:stop], rows=part, turned=True)
                self._measure(state, start, search, added)
            if low < stop:
                continue
            turned = turn(scores, block, other, metric)
            backward = self._block_search(state, other, low, high)
            added = backward.add(turned, block, numbers[start:stop], turned=True)
            self._measure(state, low, backward, added)
            self._measure(state, low, backward)
            if self.gave_up:
                return
        self._measure(state, start, search)

    def _load(self, array: Any, rows: slice | NDArray[np.int64]) -> Block:
        block = load_block(array, rows, metric=self.metric, device=self.device, center=self.center)
        return rounded(block) if self.rounds else block

    def _block_search(
        self, state: SearchState, queries: Block, start: int, stop: int
    ) -> BlockSearch:
        metric = state.metric if self.center is None else "euclidean"
        if self.shared and metric != "euclidean":
            queries = query_directions(queries)
        return BlockSearch(queries, self._scores_of_best(state, queries, start, stop), metric)

    def _reference_rows(self, low: int, high: int) -> slice | NDArray[np.int64]:
        """References [low, high) without those that enough equal ones precede."""
        part = self.references[low:high]
        if self.center is not None and self.metric != "euclidean":
            part = unit_rows(copy_float64(part, slice(None)))  # the bits that are measured
        rows = without_copies(part, max(state.width for state in self.states))
        return slice(low, high) if len(rows) == high - low else low + rows

    def _scores_of_best(
        self, state: SearchState, queries: Block, start: int, stop: int
    ) -> torch.Tensor:
        """float32 [b, width]: scores that the distances so far, or the bounds, have at least."""
        nearest = state.distances[start:stop]
        if state.within is not None:
            nearest = np.minimum(nearest, state.within[start:stop, None])
        distances = torch.tensor(nearest, device=float64_device(self.device))
        if state.metric == "euclidean":
            distances = distances.square() / 2
        elif self.center is None:
            lengths = queries.norms.to(distances.device)[:, None]
            scores = (1 - distances) * lengths
            scores[distances.isinf()] = -torch.inf  # also of a query of norm 0
            return scores.to(torch.float32).to(self.device)
        scale = 1.0 if self.center is None else self.center.scale
        rounding = score_tolerance(int(queries.rows.shape[1]))
        half_squares = (queries.half_squares[:, None] * (1 - 2 * rounding)).to(distances.device)
        return (half_squares - distances * scale**2).to(torch.float32).to(self.device)

    def _measure(
        self,
        state: SearchState,
        start: int,
        search: BlockSearch,
        added: Iterable[None] = (None,),
    ) -> None:
        """Measure the waiting candidates of a block, and keep those among the k nearest.

        Args:
            state: whose search it is.
            start: the place of the first query of the block.
            search: the block's.
            added: measured at each step of it.
        """
        for _ in added:
            rows, columns = (index.cpu().numpy() for index in search.take())
            rows = rows + start
            distances = pair_distances(
                state.queries, self.references, state.rows[rows], columns, metric=state.metric
            )
            state.merge(rows, columns + self.first, distances)
        most = self.count // _CANDIDATES + 32
        self.gave_up |= self.rounds and search.proposed > most * len(search.best)


def _row_numbers(rows: slice | NDArray[np.int64]) -> torch.Tensor:
    """int64 [m]: the numbers of some rows."""
    if isinstance(rows, slice):
        return torch.arange(rows.start, rows.stop)
    return torch.from_numpy(rows)


def _parts(start: int, stop: int, count: int, step: int) -> Iterator[tuple[int, int]]:
    """Rows from `start` on in parts of at most `step`, none of them across `stop`."""
    for low, end in ((start, stop), (stop, count)):
        for first in range(low, end, step):
            yield first, min(first + step, end)
