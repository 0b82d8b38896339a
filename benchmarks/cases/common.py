"""What the cases share: inputs made once, cells made one way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.data import write_features
from benchmarks.features_task import OnFeatures, Prepare
from benchmarks.measure import Comparison, compare
from benchmarks.sizes import Sizes
from benchmarks.table import MEBIBYTE, Cell, Row, mebibytes, seconds, skipped
from benchmarks.worker import Skipped, Worker


def feature_files(folder: Path, sizes: Sizes, *, train_rows: int) -> tuple[Path, Path]:
    """Generated and training features, written once for all cases of one size."""
    train = folder / f"train-{train_rows}-{sizes.dimension}.npy"
    generated = folder / f"generated-{train_rows}-{sizes.dimension}.npy"
    if not generated.is_file():
        write_features(train, rows=train_rows, dimension=sizes.dimension, seed=1)
        write_features(
            generated, rows=sizes.rows, dimension=sizes.dimension, seed=2, copies_of=train
        )
    return generated, train


def speedup_cell(comparison: Comparison, sizes: Sizes, *, minimum: float | None = None) -> Cell:
    """The ratio as "18.2x (17.5–18.9)"; `minimum` is the target."""
    low, high = comparison.span
    text = f"{comparison.ratio:.3g}x ({low:.3g}–{high:.3g})"
    if minimum is None:
        return Cell(text)
    return Cell(text, f"≥ {minimum:g}x", comparison.ratio >= minimum if sizes.evaluated else None)


def share_cell(comparison: Comparison, sizes: Sizes, *, minimum: float) -> Cell:
    """The ratio as "84 % (82–85)"; `minimum` is the target as a fraction."""
    low, high = comparison.span
    text = f"{100 * comparison.ratio:.1f} % ({100 * low:.1f}–{100 * high:.1f})"
    return Cell(
        text, f"≥ {100 * minimum:.0f} %", comparison.ratio >= minimum if sizes.evaluated else None
    )


def difference_cell(comparison: Comparison, sizes: Sizes, *, maximum: float | None = None) -> Cell:
    """The relative difference of the values; `maximum` is the target."""
    if comparison.difference is None:
        return Cell("not comparable")
    text = f"{comparison.difference:.1e}"
    if maximum is None:
        return Cell(text)
    return Cell(
        text, f"≤ {maximum:g}", comparison.difference <= maximum if sizes.evaluated else None
    )


def memory_cell(worker: Worker, sizes: Sizes, *, maximum_mebibytes: int | None = None) -> Cell:
    """The added memory; `maximum_mebibytes` is the target."""
    added = worker.added_bytes
    if maximum_mebibytes is None or added is None:
        return Cell(mebibytes(added))
    met = added <= maximum_mebibytes * MEBIBYTE if sizes.evaluated else None
    return Cell(mebibytes(added), f"≤ {maximum_mebibytes} MiB", met)


def against_peer(
    *,
    case: str,
    peer: str,
    ours: Worker,
    measure: Callable[..., Mapping[str, Any]],
    prepare: Prepare,
    files: tuple[Path, Path],
    sizes: Sizes,
    minimum: float | None = None,
    maximum_difference: float | None = None,
    maximum_mebibytes: int | None = None,
) -> Row:
    """A metric on two feature files against one peer's function of the same two files."""
    try:
        with Worker(OnFeatures, measure, prepare, *files) as other:
            comparison = compare(ours, other, rounds=sizes.rounds)
            return Row(
                case=case,
                against=peer,
                ours=seconds(comparison.ours_seconds),
                other=seconds(comparison.other_seconds),
                ratio=speedup_cell(comparison, sizes, minimum=minimum),
                memory=memory_cell(ours, sizes, maximum_mebibytes=maximum_mebibytes),
                other_memory=mebibytes(other.added_bytes),
                difference=difference_cell(comparison, sizes, maximum=maximum_difference),
            )
    except Skipped as reason:
        return skipped(case, peer, str(reason))
