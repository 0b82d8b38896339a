"""Images in the rows of parquet files, as Hugging Face's data sets store them."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from genmem.errors import GenmemError, InputError
from genmem.images.file_pool import FilePool, PooledFile
from genmem.images.filenames import CAPTION_FIELDS
from genmem.images.limits import MAX_IMAGE_BYTES, MAX_ROW_GROUP_BYTES, too_large_error
from genmem.images.remote import reason_of
from genmem.images.source import ImageSource, NoImagesError, number_id

IMAGE_COLUMNS = ("image", "img")
"""Preferred names of the image column, in this order, when several columns could be it."""

LABEL_COLUMNS = ("label", "labels", "class", "category", "fine_label")
"""Names of the column that gives classes; the first that exists counts."""

_CACHE_BYTES = 2**28
_CACHE_GROUPS = 2


class _OpenParquet:
    """An open parquet file, and the row groups of its columns that were read last."""

    def __init__(self, file: pq.ParquetFile) -> None:
        self.file = file
        self.groups: OrderedDict[tuple[int, str], pa.ChunkedArray] = OrderedDict()

    def group(
        self, key: tuple[int, str], read: Callable[[pq.ParquetFile], pa.ChunkedArray]
    ) -> pa.ChunkedArray:
        """One column of a row group, from memory or by `read`."""
        if key in self.groups:
            self.groups.move_to_end(key)
            return self.groups[key]
        column = self.groups[key] = read(self.file)
        while len(self.groups) > _CACHE_GROUPS and (
            sum(group.nbytes for group in self.groups.values()) > _CACHE_BYTES
        ):
            self.groups.popitem(last=False)
        return column

    def close(self) -> None:
        self.groups.clear()
        self.file.close(force=True)


class ParquetSource(ImageSource):
    """The image column of a parquet file, in order of its rows.

    The column is binary of any kind (encoded images) or Hugging Face's struct {bytes, path}. Row
    groups are read on demand; the last two, and more up to 256 MiB, stay in memory. A label column,
    of integers or strings, gives the classes; integers become the class names in Hugging Face's
    metadata, if any. A column of strings named as in `filenames.CAPTION_FIELDS` holds captions.
    """

    def __init__(
        self,
        open_file: Callable[[], Any],
        *,
        name: str,
        where: str,
        pool: FilePool | None = None,
    ) -> None:
        """Read the file's footer.

        Args:
            open_file: gives the path, or the open file; called again when the pool closed it.
            name: of its last part.
            where: the file, for messages.
            pool: what may close the file, and drop its row groups, while it is not read.
        """
        self.name, self.where = name, where
        self._file = PooledFile(partial(_open, open_file, where), pool)
        try:
            with self._file.use() as opened:
                self._read_footer(opened.file)
        except BaseException:
            self._file.close()
            raise

    def _read_footer(self, file: pq.ParquetFile) -> None:
        schema, metadata = file.schema_arrow, file.metadata
        self._column = _image_column(schema, where=self.where)
        self._label = next((name for name in LABEL_COLUMNS if _is_label(schema, name)), None)
        self._caption = next((name for name in CAPTION_FIELDS if _is_text(schema, name)), None)
        self._label_names = _label_names(schema, self._label)
        self._labels: pa.ChunkedArray | None = None
        groups = range(metadata.num_row_groups)
        counts = [metadata.row_group(group).num_rows for group in groups]
        if min(counts, default=0) < 0 or sum(counts) >= 2**62:
            raise InputError(
                f"{self.where}: the numbers of rows make no sense: the file is damaged."
            )
        self._begins = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
        if not len(self):
            raise NoImagesError(f"{self.where}: expected images, it has no rows.")

    @property
    def column(self) -> str:
        """The path of the column that holds the images."""
        return self._column

    def __len__(self) -> int:
        return int(self._begins[-1])

    def id(self, position: int) -> str:
        """The row's number."""
        return number_id(position, len(self))

    def content(self, position: int) -> bytes:
        """The row's encoded image."""
        value = self._value(position, self._column)
        if value is None:
            raise InputError(f"{self.describe(position)}: the row holds no image bytes.")
        if len(value) > MAX_IMAGE_BYTES:
            raise too_large_error(len(value), what=self.describe(position))
        return value

    def caption(self, position: int) -> str | None:
        """The row's text in the caption column."""
        return None if self._caption is None else self._value(position, self._caption) or None

    def _value(self, position: int, column: str) -> Any:
        """The value of a row in a binary or text column."""
        group = int(np.searchsorted(self._begins, position, side="right")) - 1
        what = self.describe(position)
        with self._file.use() as opened:
            values = opened.group(
                (group, column), lambda file: self._read_group(file, group, column, what=what)
            )
        value = values[position - int(self._begins[group])].as_py()
        return value["bytes"] if isinstance(value, dict) else value

    def class_name(self, position: int) -> str | None:
        """The row's label: its class name if known, else the value as text."""
        if self._label is None:
            return None
        with self._file.use() as opened:
            labels = self._labels
            if labels is None:
                labels = self._labels = self._read_labels(opened.file, self._label)
        value = labels[position].as_py()
        if isinstance(value, int) and 0 <= value < len(self._label_names):
            return self._label_names[value]
        return None if value is None else str(value)

    def _read_labels(self, file: pq.ParquetFile, name: str) -> pa.ChunkedArray:
        what = f"{self.where}: the column {name}"
        column = _read(file, None, name, what=what)
        _check_length(column, len(self), what=what)
        return column

    def _read_group(
        self, file: pq.ParquetFile, group: int, name: str, *, what: str
    ) -> pa.ChunkedArray:
        metadata = file.metadata.row_group(group)
        # The columns of a damaged file can end the process in pyarrow: a last resort.
        size = metadata.total_byte_size
        if size > MAX_ROW_GROUP_BYTES:
            size = sum(
                metadata.column(i).total_uncompressed_size
                for i in range(metadata.num_columns)
                if metadata.column(i).path_in_schema == name
            )
        if size > MAX_ROW_GROUP_BYTES:
            raise InputError(
                f"{what}: row group {group} takes {size:,} bytes, more than "
                f"{MAX_ROW_GROUP_BYTES:,}. Write the file again with smaller row groups."
            )
        column = _read(file, group, name, what=f"{what}: row group {group}")
        _check_length(column, metadata.num_rows, what=f"{what}: row group {group}")
        return column

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def open_parquet_file(path: Path, *, pool: FilePool | None = None) -> ParquetSource:
    """Open a parquet file on this machine."""
    return ParquetSource(lambda: path, name=path.name, where=str(path), pool=pool)


def _read(file: pq.ParquetFile, group: int | None, column: str, *, what: str) -> pa.ChunkedArray:
    """A column of one row group of a file; of the whole file where `group` is None."""
    # One column gains nothing by threads, and threads of pyarrow that hold a file of Python's when
    # the process ends abort it.
    try:
        if group is None:
            return file.read(columns=[column], use_threads=False).column(0)
        return file.read_row_group(group, columns=[column], use_threads=False).column(0)
    except Exception as error:  # the file may lie in a file system of another package
        raise InputError(f"{what} cannot be read: {reason_of(error)}.") from None


def _check_length(column: pa.ChunkedArray, rows: int, *, what: str) -> None:
    if len(column) != rows:
        raise InputError(
            f"{what} holds {len(column):,} values for {rows:,} rows: the file is damaged. Write it "
            "again."
        )


def _open(open_file: Callable[[], Any], where: str) -> _OpenParquet:
    try:
        file = pq.ParquetFile(open_file(), memory_map=False, pre_buffer=False)
        _ = file.schema_arrow.names  # text that is none is found here
    except GenmemError:
        raise
    except Exception as error:  # as in _read
        raise InputError(
            f"{where}: not a parquet file, or cut short or damaged: {reason_of(error)}"
        ) from None
    return _OpenParquet(file)


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
    return _is_text(schema, name) or pa.types.is_integer(_value_type(schema, name))


def _is_text(schema: pa.Schema, name: str) -> bool:
    kind = _value_type(schema, name)
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _value_type(schema: pa.Schema, name: str) -> Any:
    """The type of a column's values; null if there is no such column, or several."""
    if schema.names.count(name) != 1:
        return pa.null()
    kind: Any = schema.field(name).type
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _label_names(schema: pa.Schema, label: str | None) -> list[str]:
    """The class names in the metadata that Hugging Face's `datasets` writes, if any."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return [str(name) for name in features[label]["names"]]
    except (KeyError, TypeError, ValueError):
        return []
