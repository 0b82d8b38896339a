"""`memorization_distance` against many memory-mapped training rows."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from benchmarks.cases.common import share_cell
from benchmarks.data import write_features
from benchmarks.measure import compare
from benchmarks.sizes import Sizes
from benchmarks.table import MEBIBYTE, Cell, Row, mebibytes, skipped
from benchmarks.worker import Worker

_MAXIMUM_BYTES = 2 * 2**30
_MINIMUM_SHARE = 0.95
"""What "the same rate per pair" is held to."""


class MappedSearch:
    """genmem's memorization_distance on the first rows of a mapped file. Work is in pairs."""

    def __init__(self, generated: Path, train: Path, rows: int) -> None:
        from genmem.features import load_features

        self.generated = load_features(generated).array
        self.train = load_features(train).array[:rows]
        self.work = float(len(self.generated)) * rows
        self._distance(64, 256)

    def run(self) -> dict[str, float]:
        """Search once."""
        return {"memorization_distance": self._distance(None, None)}

    def _distance(self, queries: int | None, rows: int | None) -> float:
        from genmem.metrics.memorization_distance import memorization_distance

        return float(
            memorization_distance(generated=self.generated[:queries], train=self.train[:rows])
        )


def rows(folder: Path, sizes: Sizes) -> Iterator[Row]:
    """One row: rate per pair beside the smaller search, and resident memory besides the map."""
    case = (
        f"memorization_distance, {sizes.scale_queries:,} × {sizes.scale_large:,} × "
        f"{sizes.scale_dimension:,}, memory-mapped"
    )
    against = f"the same against {sizes.scale_small:,} rows"
    needed = 4 * sizes.scale_dimension * (sizes.scale_large + sizes.scale_queries)
    if shutil.disk_usage(folder).free < 1.2 * needed:
        reason = f"needs {1.2 * needed / 2**30:.0f} GiB in the folder for temporary files"
        yield skipped(case, against, reason)
        return
    dimension = sizes.scale_dimension
    train = write_features(
        folder / "scale-train.npy", rows=sizes.scale_large, dimension=dimension, seed=1
    )
    generated = write_features(
        folder / "scale-generated.npy",
        rows=sizes.scale_queries,
        dimension=dimension,
        seed=2,
        copies_of=train,
    )
    try:
        with (
            Worker(MappedSearch, generated, train, sizes.scale_large) as large,
            Worker(MappedSearch, generated, train, sizes.scale_small) as small,
        ):
            comparison = compare(large, small, rounds=sizes.scale_rounds, bracket=True)
            yield Row(
                case=case,
                against=against,
                ours=f"{large.work / comparison.ours_seconds:.3g} pairs/s",
                other=f"{small.work / comparison.other_seconds:.3g} pairs/s",
                ratio=share_cell(comparison, sizes, minimum=_MINIMUM_SHARE),
                memory=_resident(large, sizes),
                other_memory=f"{mebibytes(small.peak_bytes)} resident",
            )
    finally:
        train.unlink()
        generated.unlink()


def _resident(worker: Worker, sizes: Sizes) -> Cell:
    """Everything resident but the map: Python, torch and the queries' blocks included."""
    peak = worker.peak_bytes
    if peak is None:
        return Cell(mebibytes(None))
    met = peak < _MAXIMUM_BYTES if sizes.evaluated else None
    text = f"{mebibytes(peak)} resident besides the map"
    return Cell(text, f"< {_MAXIMUM_BYTES // MEBIBYTE:,} MiB", met)
