"""Nearest-neighbor searches of rejection: exact, pruned, or approximate by faiss.

Rows are features of norm 1, so the distance 1 − cos is one matrix product away. A search takes a
batch of queries and gives, for each, the distance to its nearest training row. Training rows stay
where they are: a memory-mapped file on a CPU, shared by all processes that map it.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from genmem.errors import InputError, UsageError
from genmem.torch_settings import ieee_float32
from genmem.training.rejection.options import SearchKind, check_search

SCORE_BYTES = 64 * 2**20
"""Bytes of one block of scores, queries × training rows."""

FAISS_ROWS = 1_000_000
"""Training rows from which on "auto" searches by faiss on a CPU."""

HEAD = 64
"""Principal directions in which `PrunedSearch` looks first."""

CLUSTERED = 64
"""Rows a cell from which faiss finds the cells' centres, drawn from all; 10,000 in all at least."""

_SLACK = 1e-4
"""Room for float32 rounding in the bound of `PrunedSearch`."""


class Search(Protocol):
    """Distances to the nearest of the training rows.

    Attributes:
        exact: whether distances above `within` are the nearest ones too, not only bounds.
    """

    exact: bool

    def distances(
        self, queries: torch.Tensor, *, within: float, labels: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Unit rows [b, d] → float32 [b], 1 − cos to the nearest row (of the label's class).

        Values up to `within` are right; above it a search may give any value above it.
        """
        ...

    def to(self, device: torch.device) -> None:
        """Move the training rows."""
        ...


class ExactSearch:
    """Every query against every training row (of its class), a block of rows at a time."""

    exact = True

    def __init__(
        self, rows: torch.Tensor, *, labels: torch.Tensor | None = None, half: bool = False
    ) -> None:
        """Take unit rows float32 [n, d], and their classes int64 [n] for a search per class."""
        self._classes: dict[int, torch.Tensor] = {}
        self._rows = rows
        self._half = half
        if labels is not None:
            # One copy, ordered by class; the whole set is then not kept a second time.
            order = labels.argsort(stable=True)
            values, counts = labels.unique(return_counts=True)
            parts = rows[order].split(counts.tolist())
            self._classes = dict(zip(values.tolist(), parts, strict=True))
            self._rows = rows[:0]

    def to(self, device: torch.device) -> None:
        """Move the training rows; on a GPU in half precision where that was asked for."""
        dtype = torch.float16 if self._half and device.type == "cuda" else torch.float32
        self._rows = self._rows.to(device, dtype)
        self._classes = {key: part.to(device, dtype) for key, part in self._classes.items()}

    @ieee_float32()
    def distances(
        self, queries: torch.Tensor, *, within: float, labels: torch.Tensor | None = None
    ) -> torch.Tensor:
        """See Search; `within` saves nothing here."""
        del within
        if not self._classes:
            return _nearest(queries, self._rows)
        if labels is None:
            raise UsageError("rejection within classes: give the labels of the images too.")
        if tuple(labels.shape) != (len(queries),):
            raise InputError(
                f"rejection within classes: expected {len(queries)} labels, one per image, got "
                f"{list(labels.shape)}."
            )
        out = queries.new_empty(len(queries), dtype=torch.float32)
        labels = labels.cpu()  # a GPU is waited for once, not for every class
        for label in labels.unique().tolist():
            if label not in self._classes:
                known = ", ".join(str(key) for key in sorted(self._classes)[:20])
                raise InputError(
                    f"rejection within classes: no training image has label {label}; the labels "
                    f"are {known}."
                )
            chosen = (labels == label).nonzero().flatten().to(out.device)
            out[chosen] = _nearest(queries[chosen], self._classes[label])
        return out


def _nearest(queries: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    step = max(1, SCORE_BYTES // (4 * max(1, len(queries))))
    queries = queries.to(rows.dtype)
    best = torch.full((len(queries),), -2.0, device=queries.device)
    for start in range(0, len(rows), step):
        scores = queries @ rows[start : start + step].T
        best = torch.maximum(best, scores.amax(dim=1).float())
    return 1 - best


class PrunedSearch:
    """Exact decisions with most of the work left out: only rows that can lie within τ are met.

    With V the leading k principal directions of the training rows, for unit vectors q and r

        q·r ≤ (Vᵀq)·(Vᵀr) + √(1 − ‖Vᵀq‖²) · √(1 − ‖Vᵀr‖²)      (Cauchy–Schwarz on the rest)

    and the right side is itself a scalar product, of k + 1 numbers. Rows whose bound stays under
    1 − τ are farther than τ for certain; the few others are measured in all d numbers.
    """

    exact = False

    @ieee_float32()
    def __init__(self, rows: torch.Tensor, *, head: int = HEAD) -> None:
        """Take unit rows float32 [n, d] and find their principal directions."""
        self._rows = rows
        second_moment = torch.zeros(rows.shape[1], rows.shape[1], dtype=torch.float64)
        for block in rows.split(16_384):
            part = block.double()
            second_moment += part.T @ part
        axes = torch.linalg.eigh(second_moment).eigenvectors
        self._axes = axes[:, -min(head, rows.shape[1]) :].float()
        self._heads = torch.cat([self._with_rest(block) for block in rows.split(16_384)])

    def to(self, device: torch.device) -> None:
        """Move the training rows."""
        self._rows, self._axes = self._rows.to(device), self._axes.to(device)
        self._heads = self._heads.to(device)

    def _with_rest(self, rows: torch.Tensor) -> torch.Tensor:
        head = rows @ self._axes
        rest = (1 - head.square().sum(dim=1, keepdim=True)).clamp_min(0).sqrt()
        return torch.cat([head, rest], dim=1)

    @ieee_float32()
    def distances(
        self, queries: torch.Tensor, *, within: float, labels: torch.Tensor | None = None
    ) -> torch.Tensor:
        """See Search: above `within`, a lower bound of the distance."""
        check_search("pruned", by_class=labels is not None)
        heads = self._with_rest(queries)
        step = max(1, SCORE_BYTES // (4 * max(1, len(queries))))
        best = torch.full((len(queries),), -2.0, device=queries.device)
        bound = best.clone()
        for start in range(0, len(self._heads), step):
            bounds = heads @ self._heads[start : start + step].T
            torch.maximum(bound, bounds.amax(dim=1), out=bound)
            near, columns = (bounds >= 1 - within - _SLACK).nonzero(as_tuple=True)
            self._measure(queries, near, columns + start, best)
        above = float(np.nextafter(np.float32(within), np.float32(3)))
        return torch.where(1 - best <= within, 1 - best, (1 - bound).clamp_min(above))

    def _measure(
        self, queries: torch.Tensor, near: torch.Tensor, columns: torch.Tensor, best: torch.Tensor
    ) -> None:
        """Bring `best` up to date with the whole scalar products of these pairs."""
        if len(near) > len(queries) * len(self._rows) // 64:  # pruned badly: one product is cheaper
            some, start, stop = near.unique(), int(columns.min()), int(columns.max()) + 1
            scores = 1 - _nearest(queries[some], self._rows[start:stop])
            best[some] = torch.maximum(best[some], scores)
            return
        for pairs in range(0, len(near), 8_192):
            part = slice(pairs, pairs + 8_192)
            scores = torch.linalg.vecdot(queries[near[part]], self._rows[columns[part]])
            best.scatter_reduce_(0, near[part], scores, "amax")


class FaissSearch:
    """Approximate, for millions of rows: faiss's inverted lists on the CPU, √n cells.

    A near duplicate is missed where its cell is not among the `probes` nearest ones, which for
    rows this close is rare; what is missed is kept, not rejected.
    """

    exact = False

    def __init__(self, rows: torch.Tensor, *, probes: int = 16) -> None:
        """Take unit rows float32 [n, d]; the index holds a copy of its own."""
        try:
            import faiss
        except ImportError as error:
            raise UsageError("search='faiss' needs faiss: pip install 'genmem[train]'.") from error
        dimension, count = int(rows.shape[1]), len(rows)
        cells = max(1, min(int(count**0.5), count // 40))
        quantizer = faiss.IndexFlatIP(dimension)
        self._index: Any = faiss.IndexIVFFlat(
            quantizer, dimension, cells, faiss.METRIC_INNER_PRODUCT
        )
        self._quantizer = quantizer  # the index does not keep it alive
        array = rows.cpu().numpy()
        self._index.train(array[_some(len(array), max(cells * CLUSTERED, 10_000))])
        self._index.add(array)
        self._index.nprobe = min(probes, cells)

    def to(self, device: torch.device) -> None:
        """Nothing to move: the index stays on the CPU."""

    def distances(
        self, queries: torch.Tensor, *, within: float, labels: torch.Tensor | None = None
    ) -> torch.Tensor:
        """See Search."""
        del within
        check_search("faiss", by_class=labels is not None)
        rows = np.ascontiguousarray(queries.float().cpu().numpy())
        scores, _ = self._index.search(rows, 1)
        # Where all cells that it looks into are empty, faiss answers with the lowest number.
        return 1 - torch.from_numpy(scores[:, 0]).clamp(-1, 1).to(queries.device)


def _some(rows: int, wanted: int) -> NDArray[np.int64]:
    """Places of at most so many rows, ascending, drawn from all: files lie sorted by class."""
    if rows <= wanted:
        return np.arange(rows)
    return np.sort(np.random.default_rng(0).choice(rows, wanted, replace=False))


def build_search(
    rows: torch.Tensor,
    *,
    kind: SearchKind = "auto",
    labels: torch.Tensor | None = None,
    half: bool = False,
) -> Search:
    """Build the search of a kind over unit rows float32 [n, d].

    Args:
        rows: on the CPU; may be a memory-mapped file.
        kind: "exact"; "pruned" (same decisions, distances above τ only bounded); "faiss"
            (approximate); "auto": exact, and faiss from a million rows on without a GPU.
        labels: int64 [n]: each query is searched among its own class only ("exact").
        half: keep rows in half precision on a GPU ("exact").

    Raises:
        UsageError: an unknown kind, or one that cannot do what is asked.
    """
    check_search(kind, by_class=labels is not None)
    if kind == "auto":
        large = len(rows) >= FAISS_ROWS and labels is None and not torch.cuda.is_available()
        kind = "faiss" if large else "exact"
    if kind == "exact":
        return ExactSearch(rows, labels=labels, half=half)
    return PrunedSearch(rows) if kind == "pruned" else FaissSearch(rows)
