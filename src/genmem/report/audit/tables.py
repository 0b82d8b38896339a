"""The audit's tables as Parquet and CSV, written in blocks, so that millions of rows fit."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence, Sized
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from genmem.auditing.local import LOCAL, LocalEvidence
from genmem.auditing.results import Audit, CopiedImage
from genmem.auditing.space_results import Duplicates, SpaceResult

BLOCK = 1 << 16
"""Rows per block."""

FORMULA = r"(\A|[;\t\r\n])([=+\-@＝＋－＠])"
"""Start of a formula in a spreadsheet: at a cell's start, or after a character that splits one."""

DUPLICATES = pa.schema(
    [
        *((name, pa.string()) for name in ("between", "space", "first", "second")),
        ("distance", pa.float64()),
        ("exact", pa.bool_()),
        ("same_picture", pa.bool_()),
    ]
)


def write_images(audit: Audit, folder: Path) -> None:
    """Write `images.parquet` and `images.csv`: one row per generated image, in input order.

    Columns: `generated`, `flagged`, `accusing` (whether flags accuse, `Audit.accusing`:
    without that they are no evidence, whatever else a verdict of copying rests on), `p_value`,
    `q_value` (empty where no honest images say how close is too close); `space`, `nearest`,
    `transformation`, `class` (if classes were requested), `distance` and `ratio` in the space of
    the smallest p-value; then for every space `SPACE:p_value`, `SPACE:statistic`, `SPACE:ratio`
    and, for each of its nearest training images, `SPACE:nearest_1`, `SPACE:distance_1`,
    `SPACE:transformation_1` and so on. With local evidence also `local:inliers`,
    `local:region_generated` and `local:region_train` (corners of the shared region as JSON, x and y
    in pixels of each image) and `local:mirrored`.
    """
    _write(_image_blocks(audit), folder, "images")


def images_table(audit: Audit) -> pa.Table:
    """The columns that `write_images` writes, in memory."""
    return pa.Table.from_batches(list(_image_blocks(audit)))


def write_copied(audit: Audit, copied_images: Sequence[CopiedImage], folder: Path) -> None:
    """Write `copied.parquet` and `copied.csv`: one row per copied training image.

    Columns: `train`, `class` (if classes were requested), `accusing` (whether flags accuse,
    `Audit.accusing`; without that, `copies` are flagged images that are only close), `copies`,
    `closest_distance` and `generated`, the copies' ids: a list in Parquet, joined by " | " in CSV.

    Args:
        audit: the result of `genmem.audit`.
        copied_images: `copied_images(audit)`, most copies first.
        folder: gets the two files.
    """
    train = [image.train for image in copied_images]
    columns: dict[str, Any] = {"train": text_column([audit.train_ids[row] for row in train])}
    if audit.classes is not None:
        columns["class"] = text_column([audit.classes[row] for row in train])
    columns["accusing"] = _accusing(audit, train)
    copies = np.array([len(image.generated) for image in copied_images], np.int64)
    columns["copies"] = pa.array(copies)
    columns["closest_distance"] = pa.array(
        [image.distance for image in copied_images], pa.float64()
    )
    ids = text_column(
        [audit.generated_ids[row] for image in copied_images for row in image.generated]
    )
    ends = pa.array(np.concatenate([[0], np.cumsum(copies)]).astype(np.int32))
    table = pa.table({**columns, "generated": pa.ListArray.from_arrays(ends, ids)})
    pq.write_table(table, folder / "copied.parquet", compression="zstd")
    joined = pc.call_function(
        "binary_join", [pa.ListArray.from_arrays(ends, _escape_formulas(ids)), pa.scalar(" | ")]
    )
    write_csv(pa.table({**columns, "generated": joined}), folder / "copied.csv")


def write_duplicates(duplicates: Sequence[Duplicates], folder: Path) -> None:
    """Write `duplicates.csv`, one row per pair.

    Columns: `between`, `space`, ids, `distance`, `exact`, `same_picture`.
    """
    tables = [
        pa.table(
            {
                "between": [kind.between] * len(kind.first),
                "space": [kind.space] * len(kind.first),
                "first": text_column(kind.first_ids),
                "second": text_column(kind.second_ids),
                "distance": kind.distances,
                "exact": kind.exact,
                "same_picture": kind.same,
            },
            schema=DUPLICATES,
        )
        for kind in duplicates
    ]
    write_csv(pa.concat_tables([DUPLICATES.empty_table(), *tables]), folder / "duplicates.csv")


def best_match(
    audit: Audit, rows: slice | NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """The match of each row in the space with its smallest p-value.

    Args:
        audit: the result of `genmem.audit`.
        rows: generated images, in any order.

    Returns:
        Row of the training image, index of the augmentation, distance, ratio; each [rows].
    """
    chosen = audit.space[rows]
    index = np.arange(len(chosen))
    return (
        np.stack([space.train[rows, 0] for space in audit.spaces])[chosen, index],
        np.stack([space.augmentations[rows, 0] for space in audit.spaces])[chosen, index],
        np.stack([space.distances[rows, 0] for space in audit.spaces])[chosen, index],
        np.stack([space.ratio[rows] for space in audit.spaces])[chosen, index],
    )


def _image_blocks(audit: Audit) -> Iterator[pa.RecordBatch]:
    """All rows of `images`, `BLOCK` at a time."""
    train = text_column(audit.train_ids)
    classes = None if audit.classes is None else text_column(audit.classes)
    for start in range(0, max(len(audit.p_values), 1), BLOCK):
        yield _image_block(audit, slice(start, start + BLOCK), train, classes)


def _image_block(
    audit: Audit, rows: slice, train: pa.Array, classes: pa.Array | None
) -> pa.RecordBatch:
    """The columns of `images` for some rows."""
    nearest, augmentation, distance, ratio = best_match(audit, rows)
    names = pa.array([item.name for item in audit.augmentations], pa.string())
    columns: dict[str, pa.Array] = {
        "generated": text_column(audit.generated_ids[rows]),
        "flagged": pa.array(audit.flagged[rows]),
        "accusing": _accusing(audit, nearest),
        "p_value": _probabilities(audit, audit.p_values[rows]),
        "q_value": _probabilities(audit, audit.q_values[rows]),
        "space": _take(text_column([space.name for space in audit.spaces]), audit.space[rows]),
        "nearest": _take(train, nearest),
        "transformation": _take(names, augmentation),
        **({} if classes is None else {"class": _take(classes, nearest)}),
        "distance": pa.array(distance),
        "ratio": pa.array(ratio),
    }
    for space in audit.spaces:
        columns |= _space_columns(audit, space, rows, train, names)
    if audit.local is not None:
        columns |= _region_columns(audit.local, rows)
    return pa.RecordBatch.from_pydict(columns)


def _accusing(audit: Audit, rows: Sized) -> pa.Array:
    """Whether flags accuse, for each of some rows."""
    return pa.array([audit.accusing] * len(rows), pa.bool_())


def _probabilities(audit: Audit, values: NDArray[np.float64]) -> pa.Array:
    """p- or q-values; empty where no honest images give them a meaning."""
    known = audit.verdict is None or audit.verdict.comparable
    return pa.array(values, mask=np.full(len(values), not known))


def _space_columns(
    audit: Audit, space: SpaceResult, rows: slice, train: pa.Array, names: pa.Array
) -> dict[str, pa.Array]:
    """The columns of one space for some rows."""
    (name,) = text_column([space.name]).to_pylist()
    columns = {
        f"{name}:p_value": _probabilities(audit, space.p_values[rows]),
        f"{name}:statistic": pa.array(space.statistic[rows]),
        f"{name}:ratio": pa.array(space.ratio[rows]),
    }
    for rank in range(space.distances.shape[1]):
        columns |= {
            f"{name}:nearest_{rank + 1}": _take(train, space.train[rows, rank]),
            f"{name}:distance_{rank + 1}": pa.array(space.distances[rows, rank]),
            f"{name}:transformation_{rank + 1}": _take(names, space.augmentations[rows, rank]),
        }
    return columns


def _region_columns(local: LocalEvidence, rows: slice) -> dict[str, pa.Array]:
    """The shared regions of some rows."""
    regions = [region and region.to_dict() for region in local.regions[rows]]
    columns = {f"{LOCAL}:inliers": pa.array(local.inliers[rows])}
    for role in ("generated", "train"):
        corners = [region and json.dumps(region[role]) for region in regions]
        columns[f"{LOCAL}:region_{role}"] = pa.array(corners, pa.string())
    is_mirrored = [region and region["mirrored"] for region in regions]
    return columns | {f"{LOCAL}:mirrored": pa.array(is_mirrored, pa.bool_())}


def _take(texts: pa.Array, rows: NDArray[np.int64]) -> pa.Array:
    return texts.take(pa.array(rows)).cast(pa.string())


def text_column(texts: Sequence[str | None]) -> pa.Array:
    """Texts as a column; bytes that are not UTF-8 are escaped."""
    try:
        return pa.array(texts if isinstance(texts, list) else list(texts), pa.string())
    except UnicodeEncodeError:
        escaped = [text and text.encode("utf-8", "backslashreplace").decode() for text in texts]
        return pa.array(escaped, pa.string())


def _write(blocks: Iterator[pa.RecordBatch], folder: Path, name: str) -> None:
    """Write blocks as NAME.parquet and NAME.csv."""
    first = next(blocks)
    with (
        pq.ParquetWriter(folder / f"{name}.parquet", first.schema, compression="zstd") as parquet,
        pa_csv.CSVWriter(folder / f"{name}.csv", _csv_safe(first).schema) as csv,
    ):
        for block in chain([first], blocks):
            parquet.write_batch(block)
            csv.write_batch(_csv_safe(block))


def write_csv(table: pa.Table, path: Path) -> None:
    """Write a table as CSV, without text that a spreadsheet would run as a formula."""
    with pa_csv.CSVWriter(path, _csv_safe(table).schema) as csv:
        csv.write_table(_csv_safe(table))


def _csv_safe(table: Any) -> Any:
    """A table, or a block of one, without text that a spreadsheet would run as a formula."""
    columns = [
        _escape_formulas(column) if pa.types.is_string(column.type) else column
        for column in table.columns
    ]
    names = _escape_formulas(pa.array(table.schema.names)).to_pylist()
    return type(table).from_arrays(columns, names=names)


def _escape_formulas(texts: Any) -> Any:
    """Texts with an apostrophe before anything that might be a formula."""
    options = pc.ReplaceSubstringOptions(FORMULA, r"\1'\2")
    return pc.call_function("replace_substring_regex", [texts], options)
