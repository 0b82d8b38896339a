"""What the values of a reference must be: a folder from elsewhere is not believed.

Digests say that a file is the one that the manifest names, not that its numbers make sense.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from genmem.errors import InputError
from genmem.reference.description import neighbor_counts
from genmem.reference.manifest import MANIFEST, Manifest
from genmem.yardstick.file_properties import FileProperties
from genmem.yardstick.two_sample import TwoSample

_ASYMMETRY = 1e-9
"""Of a scatter matrix by rounding, relative to its largest entry."""

_BLOCK = 1_024

Entry = TypeVar("Entry", TwoSample, FileProperties)


def check_widths(manifest: Manifest, folder: Path) -> None:
    """Refuse a reference whose arrays list other numbers of neighbors than this genmem's.

    Raises:
        InputError: a number differs; the reference must be made again.
    """
    path, rows = folder / MANIFEST, manifest.train.count
    if rows < 2:
        raise InputError(f"{path}: expected two training rows or more, got {rows}.")
    expected = neighbor_counts(rows)
    if "test" not in manifest.sets:
        del expected["test_cosine"]
    for space in manifest.spaces:
        for name, number in expected.items():
            if space.sizes.get(name) != number:
                raise InputError(
                    f"{path}: expected {number:,} for {name} of {space.name}, got "
                    f"{space.sizes.get(name)}: it is damaged, or made by a genmem that lists "
                    "another number of neighbors. Make the reference again."
                )


def parse_entry(kind: type[Entry], values: Mapping[str, Any], path: Path) -> Entry:
    """A result that the manifest stores, with the types of its fields and finite numbers.

    Args:
        kind: `TwoSample` or `FileProperties`.
        values: as the manifest has them.
        path: of the manifest, for the error.

    Raises:
        InputError: a value is missing, of another type, or out of range.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        entry = TypeAdapter(kind).validate_python(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        reason = f"{'.'.join(map(str, first['loc']))[:100]}: {first['msg']}"
        raise InputError(f"{path}: {kind.__name__} is damaged ({reason}).") from error
    for name, value in vars(entry).items():
        is_count = type(value) is int and name != "quality"
        if (isinstance(value, float) and not math.isfinite(value)) or (is_count and value < 1):
            raise InputError(f"{path}: {kind.__name__} is damaged ({name} is {value}).")
    if isinstance(entry, TwoSample) and not 0 <= entry.p_value <= 1:
        raise InputError(f"{path}: TwoSample is damaged (p_value is {entry.p_value}).")
    return entry


def check_values(name: str, array: NDArray[Any], path: Path, *, rows: int) -> None:
    """Refuse an array whose numbers cannot be what its name says.

    Args:
        name: of `manifest.DERIVED` or `DERIVED_OF_TEST`.
        array: of the shape and dtype that the manifest implies, finite.
        path: of its file, for the error.
        rows: of the training set.

    Raises:
        InputError: in one line, what is wrong.
    """
    problem = None
    if name.endswith("_distances"):
        problem = _problem_of_distances(array)
    elif name == "scatter":
        problem = _problem_of_scatter(array)
    elif name != "mean":
        problem = _problem_of_rows(name, array, rows)
    if problem is not None:
        raise InputError(f"{path}: {problem}. The file is damaged; get the reference again.")


def _problem_of_distances(array: NDArray[np.float64]) -> str | None:
    if array.size and array.min() < 0:
        return f"holds the negative distance {array.min():.3g}"
    descending = (array[:, 1:] < array[:, :-1]).any(axis=1)
    if descending.any():
        return f"the distances of row {int(descending.argmax())} do not ascend"
    return None


def _problem_of_scatter(array: NDArray[np.float64]) -> str | None:
    diagonal = array.diagonal()
    if diagonal.min() < 0:
        return f"holds the negative variance {diagonal.min():.3g}"
    for start in range(0, len(array), _BLOCK):
        part = slice(start, start + _BLOCK)
        if np.abs(array[part] - array[:, part].T).max() > _ASYMMETRY * diagonal.max():
            return "is not symmetric"
    return None


def _problem_of_rows(name: str, array: NDArray[np.int64], rows: int) -> str | None:
    """What is wrong with numbers of training rows."""
    if array.size and (array.min() < 0 or array.max() >= rows):
        wrong = array.min() if array.min() < 0 else array.max()
        return f"names row {int(wrong)} of {rows:,}"
    if name in ("euclidean_indices", "cosine_indices"):
        own = (array == np.arange(len(array))[:, None]).any(axis=1)
        return f"row {int(own.argmax())} is its own neighbor" if own.any() else None
    if name == "near_duplicates":
        if (array[:, 0] >= array[:, 1]).any():
            return "a pair does not ascend"
        array = array[:, 0] * rows + array[:, 1]
    if name in ("near_duplicates", "repeats") and (np.diff(array) <= 0).any():
        return "its rows do not ascend"
    if name == "repeats" and len(array) and (array[0] < 1 or len(array) > rows - 2):
        return f"says that {len(array):,} rows, from row {int(array[0])}, repeat an earlier one"
    return None
