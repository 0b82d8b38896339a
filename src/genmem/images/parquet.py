"""Images in the rows of parquet files, as Hugging Face's data sets store them."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from genmem.errors import InputError
from genmem.images.limits import MAX_IMAGE_BYTES, MAX_ROW_GROUP_BYTES, too_large_error
from genmem.images.source import ImageSource, number_id

IMAGE_COLUMNS = ("image", "img")
"""Preferred names of the image column, in this order, when several columns could be it."""

LABEL_COLUMNS = ("label", "labels", "class", "category", "fine_label")
"""Names of the column that gives classes; the first that exists counts."""

_CACHE_BYTES = 2**28
_CACHE_GROUPS = 2


class ParquetSource(ImageSource):
    """The image column of one or several parquet files, rows in order of the files given.

    The column is binary of any kind (encoded images) or Hugging Face's struct {bytes, path}. Row
    groups are read on demand; the last two, and more up to 256 MiB, stay in memory. A label column,
    of integers or strings, gives the classes; integers become the class names in Hugging Face's
    metadata, if any.
    """

    def __init__(self, paths: Sequence[Path], *, name: str, where: str) -> None:
        self.name, self.where = name, where
        self._lock = threading.Lock()
        self._files = [_open(path) for path in paths]
        schema = self._files[0].schema_arrow
        self._column = _image_column(schema, where=where)
        for path, file in zip(paths, self._files, strict=True):
            if not file.schema_arrow.equals(schema):
                raise InputError(f"{path}: has other columns than {paths[0]}, expected the same.")
        self._label = next((name for name in LABEL_COLUMNS if _is_label(schema, name)), None)
        self._label_names = _label_names(schema, self._label)
        self._labels: pa.ChunkedArray | None = None
        self._groups = [
            (number, group)
            for number, file in enumerate(self._files)
            for group in range(file.metadata.num_row_groups)
        ]
        counts = [self._files[f].metadata.row_group(g).num_rows for f, g in self._groups]
        if min(counts, default=0) < 0 or sum(counts) >= 2**62:
            raise InputError(f"{where}: the numbers of rows make no sense: the file is damaged.")
        self._begins = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
        self._cache: OrderedDict[int, pa.ChunkedArray] = OrderedDict()
        self._cached_bytes = 0
        if not len(self):
            raise InputError(f"{where}: expected images, it has no rows.")

    def __len__(self) -> int:
        return int(self._begins[-1])

    def id(self, position: int) -> str:
        """The row's number, counted through all files."""
        return number_id(position, len(self))

    def content(self, position: int) -> bytes:
        """The row's encoded image."""
        group = int(np.searchsorted(self._begins, position, side="right")) - 1
        column = self._column_of(group, what=self.describe(position))
        value = column[position - int(self._begins[group])].as_py()
        if isinstance(value, dict):
            value = value["bytes"]
        if value is None:
            raise InputError(f"{self.describe(position)}: the row holds no image bytes.")
        if len(value) > MAX_IMAGE_BYTES:
            raise too_large_error(len(value), what=self.describe(position))
        return value

    def class_name(self, position: int) -> str | None:
        """The row's label: its class name if known, else the value as text."""
        if self._label is None:
            return None
        with self._lock:
            labels = self._labels
            if labels is None:
                labels = self._labels = self._read_labels(self._label)
        value = labels[position].as_py()
        if isinstance(value, int) and 0 <= value < len(self._label_names):
            return self._label_names[value]
        return None if value is None else str(value)

    def _read_labels(self, name: str) -> pa.ChunkedArray:
        columns = []
        for number, file in enumerate(self._files):
            what = f"{self.where}: the column {name}"
            column = self._read(number, None, name, what=what)
            _check_length(column, file.metadata.num_rows, what=what)
            columns.append(pa.table({name: column}))
        return pa.concat_tables(columns).column(0)

    def _column_of(self, group: int, *, what: str) -> pa.ChunkedArray:
        with self._lock:
            if group in self._cache:
                self._cache.move_to_end(group)
                return self._cache[group]
            column = self._cache[group] = self._read_group(group, what=what)
            self._cached_bytes += column.nbytes
            while len(self._cache) > _CACHE_GROUPS and self._cached_bytes > _CACHE_BYTES:
                self._cached_bytes -= self._cache.popitem(last=False)[1].nbytes
            return column

    def _read_group(self, group: int, *, what: str) -> pa.ChunkedArray:
        number, index = self._groups[group]
        metadata = self._files[number].metadata.row_group(index)
        # The columns of a damaged file can end the process in pyarrow: a last resort.
        size = metadata.total_byte_size
        if size > MAX_ROW_GROUP_BYTES:
            size = sum(
                metadata.column(i).total_uncompressed_size
                for i in range(metadata.num_columns)
                if metadata.column(i).path_in_schema == self._column
            )
        if size > MAX_ROW_GROUP_BYTES:
            raise InputError(
                f"{what}: row group {index} takes {size:,} bytes, more than "
                f"{MAX_ROW_GROUP_BYTES:,}. Write the file again with smaller row groups."
            )
        column = self._read(number, index, self._column, what=f"{what}: row group {index}")
        _check_length(column, metadata.num_rows, what=f"{what}: row group {index}")
        return column

    def _read(self, number: int, index: int | None, column: str, *, what: str) -> pa.ChunkedArray:
        """A column of one row group of a file; of the whole file where `index` is None."""
        file = self._files[number]
        try:
            if index is None:
                return file.read(columns=[column]).column(0)
            return file.read_row_group(index, columns=[column]).column(0)
        except (pa.ArrowException, OSError) as error:
            raise InputError(f"{what} cannot be read: {error}.") from error

    def close(self) -> None:
        """Close the files."""
        self._cache.clear()
        for file in self._files:
            file.close()


def _check_length(column: pa.ChunkedArray, rows: int, *, what: str) -> None:
    if len(column) != rows:
        raise InputError(
            f"{what} holds {len(column):,} values for {rows:,} rows: the file is damaged. Write it "
            "again."
        )


def _open(path: Path) -> pq.ParquetFile:
    try:
        file = pq.ParquetFile(path, memory_map=False, pre_buffer=False)
        _ = file.schema_arrow.names  # text that is none is found here
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InputError(f"{path}: not a parquet file, or cut short or damaged: {error}") from error
    return file


def _image_column(schema: pa.Schema, *, where: str) -> str:
    """The path of the column with the encoded images: `image.bytes` or `image`."""
    columns = {field.name: path for field in schema if (path := _binary_path(field)) is not None}
    actual = ", ".join(f"{field.name} ({field.type})" for field in schema) or "no column"
    preferred = [name for name in IMAGE_COLUMNS if name in columns] or list(columns)
    if not columns or (len(preferred) > 1 and preferred[0] not in IMAGE_COLUMNS):
        raise InputError(
            f"{where}: expected one column of encoded images (binary, or a struct with bytes), "
            f"called image if there are more; found {actual}."
        )
    return columns[preferred[0]]


def _binary_path(field: pa.Field) -> str | None:
    if _is_binary(field.type):
        return field.name
    if pa.types.is_struct(field.type):
        index = field.type.get_field_index("bytes")
        if index >= 0 and _is_binary(field.type.field(index).type):
            return f"{field.name}.bytes"
    return None


def _is_binary(kind: Any) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return (
        pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind)
    )


def _is_label(schema: pa.Schema, name: str) -> bool:
    if name not in schema.names:
        return False
    kind: Any = schema.field(name).type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return pa.types.is_integer(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _label_names(schema: pa.Schema, label: str | None) -> list[str]:
    """The class names in the metadata that Hugging Face's `datasets` writes, if any."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return [str(name) for name in features[label]["names"]]
    except (KeyError, TypeError, ValueError):
        return []
