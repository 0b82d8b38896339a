"""What the arrays of an .npz file are, by their names: images, features, statistics of a set."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from genmem.errors import InputError
from genmem.io.npy import NpyHeader, read_npy_header

STATISTICS = ("mu", "sigma")
"""Names of mean and covariance in files of pytorch-fid, clean-fid, ADM and EDM."""

SPATIAL_STATISTICS = ("mu_s", "sigma_s")
"""The same of spatial features, for sFID, in files of ADM."""

EXPECTED = (
    "one array, or features named features, images named images or arr_0, or statistics named mu "
    "and sigma"
)


PICKLES = (".pkl", ".pickle")
"""Suffixes of pickle files, which are never loaded; EDM2's statistics are among them."""


@dataclass(frozen=True, kw_only=True)
class NpzLayout:
    """What an .npz file holds.

    Attributes:
        kind: what its rows are; "statistics" where it has no rows.
        rows: the name of the array of rows; "" where it has none.
        statistics: whose layout mu and sigma have; None where it holds none. They may lie beside
            images (ADM's batches).
    """

    kind: Literal["images", "features", "statistics"]
    rows: str
    statistics: Literal["ADM", "pytorch-fid"] | None = None


def npz_headers(path: Path) -> dict[str, NpyHeader]:
    """The header of each array in an .npz file, by name."""
    headers = {}
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.endswith(".npy"):
                with archive.open(name) as file:
                    headers[name.removesuffix(".npy")] = read_npy_header(file)
    return headers


def npz_layout(path: Path) -> NpzLayout:
    """What an .npz file holds, by the names of its arrays. Only headers are read.

    Several arrays need names that say what they are: `features` are features; `images`, or `arr_0`
    of three or more dimensions, are images; `mu` and `sigma` are statistics, alone (pytorch-fid,
    clean-fid, EDM; ADM with `mu_s` and `sigma_s` too) or beside images (ADM). A single array of
    floating point [n, d] is features, any other is images.

    Raises:
        InputError: the names do not say what the arrays are.
        Exception: it is no .npz file; NumPy's and zipfile's readers raise almost anything.
    """
    headers = npz_headers(path)
    names = set(headers)
    images = [
        name
        for name in ("images", "arr_0")
        if name in names and (name == "images" or len(headers[name].shape) > 2)
    ]
    if names & set(STATISTICS):
        if not names.issuperset(STATISTICS) or names & {"features", "images", "arr_0"} - {*images}:
            raise _unclear(path, headers)
        kind = "images" if images else "statistics"
        origin = "ADM" if names & {"arr_0", "mu_s"} else "pytorch-fid"
        return NpzLayout(kind=kind, rows=images[0] if images else "", statistics=origin)
    if "features" in names:
        return NpzLayout(kind="features", rows="features")
    rows = images[0] if images else next(iter(headers), "")
    if not images and len(headers) != 1:
        raise _unclear(path, headers)
    header = headers[rows]
    is_features = len(header.shape) == 2 and header.dtype.kind == "f"
    return NpzLayout(kind="features" if is_features else "images", rows=rows)


def _unclear(path: Path, headers: Mapping[str, NpyHeader]) -> InputError:
    arrays = ", ".join(f"{name} {list(header.shape)}" for name, header in headers.items())
    return InputError(f"{path}: expected {EXPECTED}; got {arrays or 'no array'}.")


def pickle_refused(path: object) -> InputError:
    """The error for a pickle file."""
    return InputError(
        f"{path}: is a pickle file, which is never loaded, since loading one can run code. Save "
        "its arrays with numpy.savez: mu and sigma for statistics, features for rows."
    )


def statistics_are_no_rows(path: object) -> InputError:
    """The error for a file of statistics where images or features are needed."""
    return InputError(
        f"{path}: holds statistics of a set (mu and sigma): no images and no rows of features. "
        "Only the training set of a score may be statistics, for FD. Give the images or their "
        "features."
    )
