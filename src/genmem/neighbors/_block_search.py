"""The search of one block of queries: float32 scores propose candidates, which wait to be measured.

Whatever scores within the rounding error of a query's k-th best is a candidate.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch

from genmem.neighbors._blocks import Block
from genmem.neighbors.distances import Metric
from genmem.neighbors.float32_bound import score_errors

PENDING_PAIRS = 2_000_000
"""Candidates (16 bytes each) that may wait to be measured."""


_SPARE = 16
"""Scores that are looked at besides the k best where rows are rounded, so that many are near."""


_FEW = 8
"""Scores of a row, on average, up to which those that reach a threshold are taken one by one."""


@dataclass
class BlockSearch:
    """What float32 scores say so far of the nearest neighbors of a block of queries.

    Attributes:
        queries: the block, of b rows.
        best: float32 [b, k], scores that the k nearest have at least.
        metric: of the scores.
        proposed: candidates so far.
    """

    queries: Block
    best: torch.Tensor
    metric: Metric
    proposed: int = 0
    _pending: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = field(default_factory=list)
    _count: int = 0

    def __post_init__(self) -> None:
        self._margin = torch.zeros_like(self.queries.norms)

    def add(
        self,
        scores: torch.Tensor,
        references: Block,
        index: torch.Tensor,
        *,
        rows: slice = slice(None),
        turned: bool = False,
    ) -> Iterator[None]:
        """Add the candidates of a block of references; yields when too many wait to be measured.

        Args:
            scores: float32 [r, c].
            references: the block, of c rows.
            index: int64 [c], what identifies the references.
            rows: the r queries that are scored.
            turned: the scores come from those of the other direction (`turn`).
        """
        queries = self.queries.part(rows)
        errors = score_errors(queries, references, self.metric, turned=turned)
        margin, best = self._margin[rows], self.best[rows]
        torch.maximum(margin, 2 * errors, out=margin)
        zero_is_exact = self.metric != "euclidean" and not (queries.signed or references.signed)
        first = rows.start or 0
        spare = 1 if queries.errors is None else _SPARE
        for own, columns in _candidates(scores, best, margin, zero_is_exact, spare):
            self._pending.append((own + first, index[columns], scores[own, columns]))
            self._count += own.shape[0]
            self.proposed += own.shape[0]
            if self._count > PENDING_PAIRS:
                yield

    def take(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Remove the waiting pairs; those that may still be among the nearest are returned.

        Returns:
            int64 [p] each: row of the block, and what identifies the reference.
        """
        if not self._pending:
            return torch.empty(0, dtype=torch.int64), torch.empty(0, dtype=torch.int64)
        rows, index, scores = (torch.cat(parts) for parts in zip(*self._pending, strict=True))
        near = scores >= (self.best[:, -1] - self._margin)[rows]
        self._pending.clear()
        self._count = 0
        return rows[near], index[near]


def turn(scores: torch.Tensor, queries: Block, references: Block, metric: Metric) -> torch.Tensor:
    """Scores of the references as queries: of `scores` [b, c], float32 [c, b]."""
    turned = scores.T.contiguous()
    if metric == "euclidean":
        turned += references.half_squares[:, None]
        turned -= queries.half_squares
    return turned


def _candidates(
    scores: torch.Tensor,
    best: torch.Tensor,
    margin: torch.Tensor,
    zero_is_exact: bool,
    spare: int,
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Pairs that may be among their query's k nearest; updates `best` [b, k].

    Most queries have no better neighbor in a later block, so the block is read once (its row
    maxima), and only rows that may have changed are read again.

    Args:
        scores: float32 [b, c].
        best: float32 [b, k], the k best scores so far.
        margin: float32 [b], twice the error of a score.
        zero_is_exact: no row has a negative value, so that a score of 0 is a distance of exactly 1;
            of such pairs the first k of each query are enough.
        spare: scores of a row that are looked at besides its k best, before the row is read again.
    """
    k, count = best.shape[1], scores.shape[1]
    improved = (scores.amax(dim=1) >= best[:, -1] - margin).nonzero().flatten()
    # Copying most of the block takes longer than comparing all of it.
    rows = improved if improved.shape[0] < scores.shape[0] // 8 else None
    some = scores if rows is None else scores[rows]
    if pairs := _few_pairs(some, best[:, -1] - margin, rows):
        own, columns = pairs
        values = scores[own, columns]
        best[:] = _best_of(best, own, values)
        near = values >= (best[:, -1] - margin)[own]
        yield own[near], columns[near]
        return
    some = scores if improved.shape[0] == scores.shape[0] else scores[improved]
    top = some.topk(min(k + spare, count), dim=1)
    known = torch.cat([best[improved], top.values[:, :k]], dim=1).topk(k, dim=1).values
    best[improved] = known
    threshold = (known[:, -1] - margin[improved])[:, None]
    if top.values.shape[1] == count:
        rows, columns = (some >= threshold).nonzero(as_tuple=True)
        yield improved[rows], columns
        return
    near = top.values >= threshold
    # If the last one is within the margin too, there may be more: read the whole row.
    crowded = near[:, -1]
    rows, places = (near & ~crowded[:, None]).nonzero(as_tuple=True)
    yield improved[rows], top.indices[rows, places]
    together = max(1, PENDING_PAIRS // some.shape[1])
    for part in crowded.nonzero().flatten().split(together):
        inside = some[part] >= threshold[part]
        if zero_is_exact:
            zeros = some[part] == 0
            inside &= ~(zeros & (zeros.cumsum(dim=1, dtype=torch.int32) > k))
        rows, columns = inside.nonzero(as_tuple=True)
        yield improved[part[rows]], columns


def _few_pairs(
    scores: torch.Tensor, least: torch.Tensor, rows: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor] | None:
    """Row and column of the scores that reach their row's least, int64 [p] each; None if many do.

    On a CPU this costs a fraction of sorting the rows, as soon as k scores of each are known.

    Args:
        scores: float32 [r, c].
        least: float32 [b].
        rows: int64 [r], which of the b rows the scores are of; None: all.
    """
    if scores.device.type != "cpu" or bool((least == -torch.inf).any()):
        return None
    reached = (scores >= (least if rows is None else least[rows])[:, None]).numpy()
    if np.count_nonzero(reached) > _FEW * len(reached):
        return None
    places = np.flatnonzero(reached)  # several times faster than torch's
    own, columns = map(torch.from_numpy, np.divmod(places, reached.shape[1]))
    return (own if rows is None else rows[own]), columns


def _best_of(best: torch.Tensor, rows: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """The k best of the scores so far, float32 [b, k], and of others, [p], that are of `rows`."""
    k = best.shape[1]
    order = values.argsort(descending=True)
    order = order[rows[order].argsort(stable=True)]
    rows, values = rows[order], values[order]
    place = torch.arange(rows.shape[0]) - torch.searchsorted(rows, rows)
    first = place < k
    others = torch.full_like(best, -torch.inf)
    others[rows[first], place[first]] = values[first]
    return torch.cat([best, others], dim=1).topk(k, dim=1).values
