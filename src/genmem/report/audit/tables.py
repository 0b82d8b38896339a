"""The audit's tables as Parquet and CSV, a block of rows at a time, so that millions fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from genmem.auditing.results import Audit, CopiedImage, Duplicates, Space

BLOCK = 1 << 16
"""Rows held as text at a time."""

FORMULA = r"(\A|[;\t\r\n])([=+\-@＝＋－＠])"
"""What a spreadsheet may take for a formula: at a cell's start, or where it might split a cell."""


def write_images(audit: Audit, folder: Path) -> None:
    """Write `images.parquet` and `images.csv`: one row a generated image, in input order.

    Columns: `generated`, `flagged`, `p_value`, `q_value`; of the space that tells most `space`,
    `nearest`, `transformation`, `class` (where classes were asked for), `distance`, `ratio`; then
    of every space `SPACE:p_value`, `SPACE:statistic`, `SPACE:ratio` and, for each of its nearest
    training images, `SPACE:nearest_1`, `SPACE:distance_1`, `SPACE:transformation_1` and so on.
    """
    train = _text(audit.train_ids)
    classes = None if audit.categories is None else _text(audit.categories)
    blocks = (
        _image_block(audit, slice(start, start + BLOCK), train, classes)
        for start in range(0, max(len(audit.p_values), 1), BLOCK)
    )
    _write(blocks, folder, "images")


def write_copied(audit: Audit, found: Sequence[CopiedImage], folder: Path) -> None:
    """Write `copied.parquet` and `copied.csv`: one row a copied training image, most copies first.

    Columns: `train`, `class` (where classes were asked for), `copies`, `closest_distance` and
    `generated`, the copies' ids: a list in Parquet, joined by " | " in CSV.

    Args:
        audit: what was found.
        found: `copied(audit)`.
        folder: where the two files are made.
    """
    train = [one.train for one in found]
    columns: dict[str, Any] = {"train": _text([audit.train_ids[row] for row in train])}
    if audit.categories is not None:
        columns["class"] = _text([audit.categories[row] for row in train])
    copies = np.array([len(one.generated) for one in found], np.int64)
    columns["copies"] = pa.array(copies)
    columns["closest_distance"] = pa.array([one.distance for one in found], pa.float64())
    ids = _text([audit.generated_ids[row] for one in found for row in one.generated])
    ends = pa.array(np.concatenate([[0], np.cumsum(copies)]).astype(np.int32))
    table = pa.table({**columns, "generated": pa.ListArray.from_arrays(ends, ids)})
    pq.write_table(table, folder / "copied.parquet", compression="zstd")
    joined = pc.call_function(
        "binary_join", [pa.ListArray.from_arrays(ends, _guarded(ids)), pa.scalar(" | ")]
    )
    _write_csv(pa.table({**columns, "generated": joined}), folder / "copied.csv")


def write_duplicates(duplicates: Sequence[Duplicates], folder: Path) -> None:
    """Write `duplicates.csv`: one row a pair, with `between`, `space`, ids, `distance`, `exact`."""
    tables = [
        pa.table(
            {
                "between": pa.array([one.between] * len(one.first), pa.string()),
                "space": pa.array([one.space] * len(one.first), pa.string()),
                "first": _text(one.first_ids),
                "second": _text(one.second_ids),
                "distance": pa.array(one.distances, pa.float64()),
                "exact": pa.array(one.exact, pa.bool_()),
            }
        )
        for one in duplicates
    ]
    names = ("between", "space", "first", "second")
    empty = pa.table(
        {name: pa.array([], pa.string()) for name in names}
        | {"distance": pa.array([], pa.float64()), "exact": pa.array([], pa.bool_())}
    )
    _write_csv(pa.concat_tables([empty, *tables]), folder / "duplicates.csv")


def _image_block(
    audit: Audit, rows: slice, train: pa.Array, classes: pa.Array | None
) -> pa.RecordBatch:
    """The images' columns for some rows."""
    telling = audit.space[rows]
    nearest = _telling([space.train[rows, 0] for space in audit.spaces], telling)
    names = pa.array([one.name for one in audit.transformations], pa.string())
    applied = _telling([space.transformations[rows, 0] for space in audit.spaces], telling)
    columns: dict[str, pa.Array] = {
        "generated": _text(audit.generated_ids[rows]),
        "flagged": pa.array(audit.flagged[rows]),
        "p_value": pa.array(audit.p_values[rows]),
        "q_value": pa.array(audit.q_values[rows]),
        "space": _taken(_text([space.name for space in audit.spaces]), telling),
        "nearest": _taken(train, nearest),
        "transformation": _taken(names, applied),
        **({} if classes is None else {"class": _taken(classes, nearest)}),
        "distance": pa.array(_telling([one.distances[rows, 0] for one in audit.spaces], telling)),
        "ratio": pa.array(_telling([one.ratio[rows] for one in audit.spaces], telling)),
    }
    for space in audit.spaces:
        columns |= _space_columns(space, rows, train, names)
    return pa.RecordBatch.from_pydict(columns)


def _space_columns(
    space: Space, rows: slice, train: pa.Array, names: pa.Array
) -> dict[str, pa.Array]:
    """One space's own columns for some rows."""
    (name,) = _text([space.name]).to_pylist()
    columns = {
        f"{name}:p_value": pa.array(space.p_values[rows]),
        f"{name}:statistic": pa.array(space.statistic[rows]),
        f"{name}:ratio": pa.array(space.ratio[rows]),
    }
    for place in range(space.distances.shape[1]):
        columns[f"{name}:nearest_{place + 1}"] = _taken(train, space.train[rows, place])
        columns[f"{name}:distance_{place + 1}"] = pa.array(space.distances[rows, place])
        applied = _taken(names, space.transformations[rows, place])
        columns[f"{name}:transformation_{place + 1}"] = applied
    return columns


def _telling(values: list[NDArray[Any]], telling: NDArray[np.int64]) -> NDArray[Any]:
    """Of each row the value of the space that tells most: [n] each, [n] → [n]."""
    chosen = values[0].copy()
    for place, of_space in enumerate(values[1:], start=1):
        chosen = np.where(telling == place, of_space, chosen)
    return chosen


def _taken(texts: pa.Array, rows: NDArray[np.int64]) -> pa.Array:
    return texts.take(pa.array(rows)).cast(pa.string())


def _text(texts: Sequence[str | None]) -> pa.Array:
    """Texts as a column; bytes that are no UTF-8 are escaped."""
    try:
        return pa.array(texts if isinstance(texts, list) else list(texts), pa.string())
    except UnicodeEncodeError:
        escaped = [one and one.encode("utf-8", "backslashreplace").decode() for one in texts]
        return pa.array(escaped, pa.string())


def _write(blocks: Iterator[pa.RecordBatch], folder: Path, name: str) -> None:
    """Blocks as NAME.parquet and NAME.csv."""
    first = next(blocks)
    with (
        pq.ParquetWriter(folder / f"{name}.parquet", first.schema, compression="zstd") as parquet,
        pa_csv.CSVWriter(folder / f"{name}.csv", _for_csv(first).schema) as csv,
    ):
        for block in chain([first], blocks):
            parquet.write_batch(block)
            csv.write_batch(_for_csv(block))


def _write_csv(table: pa.Table, path: Path) -> None:
    with pa_csv.CSVWriter(path, _for_csv(table).schema) as csv:
        csv.write_table(_for_csv(table))


def _for_csv(table: Any) -> Any:
    """A table or a block of one with no text that a spreadsheet would run."""
    columns = [
        _guarded(column) if pa.types.is_string(column.type) else column for column in table.columns
    ]
    names = _guarded(pa.array(table.schema.names)).to_pylist()
    return type(table).from_arrays(columns, names=names)


def _guarded(texts: Any) -> Any:
    """Texts with an apostrophe before what might be a formula; numbers are not touched."""
    options = pc.ReplaceSubstringOptions(FORMULA, r"\1'\2")
    return pc.call_function("replace_substring_regex", [texts], options)
