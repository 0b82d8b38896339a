"""Tables as `pandas.DataFrame`, which genmem needs for nothing else."""

from __future__ import annotations

import importlib.util
from typing import Any

from genmem.errors import UsageError


def check_pandas() -> None:
    """Raise UsageError unless pandas is installed, before a table is made for it."""
    if importlib.util.find_spec("pandas") is None:
        raise UsageError("to_pandas needs pandas: pip install pandas.")


def data_frame(table: Any, *, index: str | None = None) -> Any:
    """A `pyarrow.Table` as a data frame.

    Args:
        table: the table.
        index: the column whose values name the rows; None numbers them.
    """
    frame = table.to_pandas()
    return frame if index is None else frame.set_index(index)
