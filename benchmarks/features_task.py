"""A metric of two feature files as a task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

_WARM_ROWS, _WARM_COLUMNS = 1_000, 64

Prepare = Callable[[Any, Any], tuple[Any, ...]]
"""Generated and training features, float32 [n, d] and [m, d] → what `measure` takes."""

Measure = Callable[..., Mapping[str, Any]]
"""What is timed: → values."""


class OnFeatures:
    """`measure(*prepare(generated, train))`, of which only `measure` is timed.

    The features are read into memory first. The small problem is a corner of them.
    """

    def __init__(
        self, measure: Measure, prepare: Prepare, generated: Path, train: Path, work: float = 1.0
    ) -> None:
        sets = [np.load(path) for path in (generated, train)]
        corner = [rows[:_WARM_ROWS, :_WARM_COLUMNS].copy() for rows in sets]
        measure(*prepare(*corner))
        self.measure = measure
        self.inputs = prepare(*sets)
        self.work = work

    def run(self) -> Mapping[str, Any]:
        """Measure once."""
        return self.measure(*self.inputs)


def unchanged(generated: Any, train: Any) -> tuple[Any, Any]:
    """Features as NumPy arrays, float32."""
    return generated, train
