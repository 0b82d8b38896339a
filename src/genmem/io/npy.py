"""Files of .npy: their headers, and arrays that may be damaged. Nothing is unpickled."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.lib import format as npy


class NpyHeader(NamedTuple):
    """What the header of a .npy file says about its array."""

    shape: tuple[int, ...]
    fortran_order: bool
    dtype: np.dtype


def read_npy_header(file: IO[bytes]) -> NpyHeader:
    """Read the header of an open .npy file; the array's bytes follow.

    Raises:
        ValueError: it is not a .npy file.
    """
    version = npy.read_magic(file)
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    if version not in readers:
        raise ValueError(f"expected a .npy file of version 1.0 or 2.0, got {version}")
    try:
        return NpyHeader(*readers[version](file))
    except ValueError:
        raise
    except Exception as error:  # NumPy parses the header as Python: hostile bytes raise anything
        raise ValueError(f"the header cannot be parsed: {error}") from error


def map_npy(path: Path) -> Any:
    """The array of a .npy file, mapped; None where the file is missing or holds no array."""
    try:
        return npy.open_memmap(path, mode="r")
    except Exception:  # NumPy evaluates the header as Python; a damaged one raises anything
        return None
