"""The headers of .npy files, read without loading the array or unpickling anything."""

from __future__ import annotations

from typing import IO, NamedTuple

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
