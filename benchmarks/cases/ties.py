"""Hostile sets in the exact search: they must not cost more than twice what random rows cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.cases.common import memory_cell, share_cell
from benchmarks.cases.distance import our_distance
from benchmarks.measure import compare
from benchmarks.sizes import Sizes
from benchmarks.table import Row, mebibytes, seconds
from benchmarks.worker import Worker

Rows = NDArray[np.float32]


class OnRandomRows:
    """A function of generated and train, made from random rows in [0, 1).

    Args:
        change: random rows → a hostile set of the same shape.
        measure: what is timed.
        shape: generated rows, training rows, columns.
    """

    def __init__(
        self, change: Callable[[Rows], Rows], measure: Callable[..., Any], *shape: int
    ) -> None:
        rng = np.random.default_rng(0)
        rows, train_rows, dimension = shape
        self.measure = measure
        self.generated, self.train = (
            change(rng.random((count, dimension), dtype=np.float32)) for count in (rows, train_rows)
        )
        self.work = 1.0
        random = rng.random((300, 64), dtype=np.float32)
        measure(random, random)

    def run(self) -> dict[str, Any]:
        """Measure once."""
        self.measure(self.generated, self.train)
        return {}


def random_rows(rows: Rows) -> Rows:
    """As they are."""
    return rows


def all_equal(rows: Rows) -> Rows:
    """One row again and again."""
    return np.tile(rows[:1], (len(rows), 1))


def half_zero(rows: Rows) -> Rows:
    """Every second row is 0."""
    rows[::2] = 0
    return rows


def ten_distinct(rows: Rows) -> Rows:
    """Ten rows in turn."""
    return np.tile(rows[:10], (len(rows) // 10 + 1, 1))[: len(rows)]


def one_direction(rows: Rows) -> Rows:
    """One row in many lengths: every cosine is 1 but for rounding."""
    direction = np.random.default_rng(1).random(rows.shape[1], dtype=np.float32)
    return (0.5 + rows[:, :1]) * direction


HOSTILE = (all_equal, half_zero, ten_distinct, one_direction)


def rows(folder: Path, sizes: Sizes) -> Iterator[Row]:
    """Each hostile set and random rows of its size in turn, in the same run."""
    del folder
    cases = (
        ("memorization_distance", our_distance, 2 * sizes.rows),
        ("precision and recall", _precision_recall, sizes.rows),
    )
    for name, measure, train_rows in cases:
        shape = (sizes.rows, train_rows, sizes.dimension)
        with Worker(OnRandomRows, random_rows, measure, *shape) as random:
            for change in HOSTILE:
                with Worker(OnRandomRows, change, measure, *shape) as hostile:
                    comparison = compare(hostile, random, rounds=sizes.rounds)
                    yield Row(
                        case=f"{name}, {{:,}} × {{:,}} × {{:,}}, {_label(change)}".format(*shape),
                        against="random rows",
                        ours=seconds(comparison.ours_seconds),
                        other=seconds(comparison.other_seconds),
                        ratio=share_cell(comparison, sizes, minimum=0.5),
                        memory=memory_cell(hostile, sizes),
                        other_memory=mebibytes(random.added_bytes),
                    )


def _label(change: Callable[[Rows], Rows]) -> str:
    return change.__name__.replace("_", " ")


def _precision_recall(generated: Rows, train: Rows) -> None:
    from genmem.metrics.prdc import prdc

    prdc(generated=generated, train=train, names=["precision", "recall"])
