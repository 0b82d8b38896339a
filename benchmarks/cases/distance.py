"""`memorization_distance` against the machine's matrix product and against torchmetrics."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from benchmarks import peers
from benchmarks.cases.common import against_peer, feature_files, memory_cell, share_cell
from benchmarks.features_task import OnFeatures, unchanged
from benchmarks.measure import compare
from benchmarks.sizes import Sizes
from benchmarks.table import Row
from benchmarks.worker import Worker

_MAXIMUM_MEBIBYTES = 512


class MatrixProduct:
    """torch.mm in float32, of the shapes that a blocked search has: the machine's sgemm rate.

    Work is counted in multiply-adds, n·m·d.
    """

    def __init__(self, rows: int, columns: int, dimension: int) -> None:
        random = torch.Generator().manual_seed(0)
        width = min(columns, 2_048)
        self.left = torch.rand(rows, dimension, generator=random)
        self.right = torch.rand(width, dimension, generator=random).T
        self.out = torch.empty(rows, width)
        self.times = max(1, columns // width)
        self.work = float(rows) * width * dimension * self.times
        torch.mm(self.left, self.right, out=self.out)

    def run(self) -> dict[str, Any]:
        """As many products as make up about the whole search."""
        for _ in range(self.times):
            torch.mm(self.left, self.right, out=self.out)
        return {}


def our_distance(generated: Any, train: Any) -> dict[str, float]:
    """genmem's memorization_distance."""
    from genmem.metrics.memorization_distance import memorization_distance

    result = memorization_distance(generated=generated, train=train)
    return {"memorization_distance": float(result)}


def rows(folder: Path, sizes: Sizes) -> Iterator[Row]:
    """The rate as a share of sgemm's right before and after, then torchmetrics."""
    files = feature_files(folder, sizes, train_rows=sizes.train_rows)
    shape = (sizes.rows, sizes.train_rows, sizes.dimension)
    case = "memorization_distance, {:,} × {:,} × {:,}".format(*shape)
    work = float(shape[0]) * shape[1] * shape[2]
    with Worker(OnFeatures, our_distance, unchanged, *files, work) as ours:
        with Worker(MatrixProduct, *shape) as product:
            comparison = compare(ours, product, rounds=sizes.rounds, bracket=True)
            yield Row(
                case=case,
                against="torch.mm in float32 (sgemm)",
                ours=_flops(ours.work, comparison.ours_seconds),
                other=_flops(product.work, comparison.other_seconds),
                ratio=share_cell(comparison, sizes, minimum=0.8),
                memory=memory_cell(ours, sizes, maximum_mebibytes=_MAXIMUM_MEBIBYTES),
            )
        ours.work = 1.0
        for peer, prepare, minimum in (
            ("torchmetrics (keeps float64)", peers.double_tensors, 2.5),
            ("torchmetrics' function, given float32", peers.tensors, None),
        ):
            yield against_peer(
                case=case,
                peer=peer,
                ours=ours,
                measure=peers.torchmetrics_distance,
                prepare=prepare,
                files=files,
                sizes=sizes,
                minimum=minimum,
            )


def _flops(work: float, seconds: float) -> str:
    return f"{2e-9 * work / seconds:.0f} GFLOP/s"
