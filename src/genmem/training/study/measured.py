"""What was measured of one run in one space, and the file it is kept in."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genmem.report.files import written_whole

PERCENTILES = (0, 1, 5, 25, 50)
PAIRS = 4
"""Samples shown at each percentile: those that lie next to it in order of distance."""

MAP_ROWS = 200
"""Samples whose features are kept, to be drawn on a map."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One run in one space.

    Attributes:
        values: the metrics as plain JSON; None where one is not defined.
        distances: float32 [n], of each sample to its nearest training image.
        nearest: int64 [n], the numbers of those training images.
        shown: int64 [20], samples to show: 4 at each of `PERCENTILES`.
        pictures: uint8 [20, 3, size, size], their pixels.
        first_rows: float32 [200, d], features of the first samples.
    """

    values: Mapping[str, Any]
    distances: NDArray[np.float32]
    nearest: NDArray[np.int64]
    shown: NDArray[np.int64]
    pictures: NDArray[np.uint8]
    first_rows: NDArray[np.float32]


def numbers_to_show(distances: NDArray[np.float64]) -> NDArray[np.int64]:
    """Samples about each percentile of the distance, int64 [5 × 4]; fewer than 4 of a few samples.

    Args:
        distances: float [n], of each sample to its nearest training image.
    """
    order = np.argsort(distances, kind="stable")
    count = min(PAIRS, len(order))
    parts = []
    for percentile in PERCENTILES:
        place = round(percentile / 100 * (len(order) - 1))
        start = min(max(place - count // 2, 0), len(order) - count)
        parts.append(order[start : start + count])
    return np.concatenate(parts)


def write_measured(path: Path, key: str, measured: Measured) -> None:
    """Write the file, whole or not at all.

    Args:
        path: ends in .npz.
        key: of all that the numbers depend on.
        measured: what to keep.

    Raises:
        UsageError: it cannot be written.
    """
    buffer = io.BytesIO()
    header = json.dumps({"key": key, "values": measured.values}, allow_nan=False).encode()
    np.savez(
        buffer,
        header=np.frombuffer(header, np.uint8),
        distances=measured.distances,
        nearest=measured.nearest,
        shown=measured.shown,
        pictures=measured.pictures,
        first_rows=measured.first_rows,
    )
    with written_whole(path) as file:
        file.write(buffer.getvalue())


def read_measured(path: Path, key: str) -> Measured | None:
    """What is kept there, if it has this key; None where there is nothing, or it is damaged."""
    try:
        with np.load(path, allow_pickle=False) as opened:
            header = json.loads(opened["header"].tobytes())
            if header["key"] != key:
                return None
            return Measured(
                values=header["values"],
                distances=opened["distances"],
                nearest=opened["nearest"],
                shown=opened["shown"],
                pictures=opened["pictures"],
                first_rows=opened["first_rows"],
            )
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None
