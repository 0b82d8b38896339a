"""`load_features`: features from .npy and .npz files and arrays; `load_statistics`."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from genmem.arrays import as_array, check_floating, rows_not_finite, to_numpy
from genmem.errors import InputError
from genmem.features.extract import Features, RowIds
from genmem.formatting import printable
from genmem.io.npy import read_npy_header
from genmem.io.npz_layouts import (
    PICKLES,
    SPATIAL_STATISTICS,
    STATISTICS,
    npz_layout,
    pickle_refused,
    statistics_are_no_rows,
)
from genmem.io.paths import expand_home
from genmem.set_statistics import Statistics

if TYPE_CHECKING:
    import torch

BLOCK_BYTES = 1 << 26

IDS_SUFFIX = ".ids.json"
"""The suffix of the sidecar that `genmem features` writes beside a .npy file."""


@dataclass(frozen=True, kw_only=True)
class _Sidecar:
    """What the sidecar of a .npy file says about its rows."""

    ids: Sequence[str]
    skipped: tuple[str, ...]
    backbone: Mapping[str, Any]


def is_feature_source(source: object) -> bool:
    """Whether `source` holds features, not images: a 2-D array, or a .npy or .npz file of one.

    What an .npz file holds is in the names of its arrays (`genmem.io.npz_layouts`).

    Only headers are read. A file that cannot be read is no feature source: opening it as images
    raises the error that says why.

    Raises:
        InputError: it holds statistics of a set, which are neither (`is_statistics`).
    """
    if isinstance(source, Statistics):
        raise statistics_are_no_rows("the Statistics")
    if not isinstance(source, str | Path):
        return getattr(source, "ndim", None) == 2
    path = expand_home(source)
    try:
        if path.suffix.lower() == ".npy":
            with path.open("rb") as file:
                return len(read_npy_header(file).shape) == 2
        kind = npz_layout(path).kind if path.suffix.lower() == ".npz" else "images"
    except Exception:  # NumPy's and zipfile's readers raise almost anything on hostile bytes
        return False
    if kind == "statistics":
        raise statistics_are_no_rows(source)
    return kind == "features"


def has_statistics(source: object) -> bool:
    """Whether `source` holds statistics of a set: `Statistics`, or an .npz file with mu and sigma.

    Images may lie beside them (ADM's reference batches). Only headers are read; see
    `is_feature_source` for files that cannot be read.
    """
    if not isinstance(source, str | Path):
        return isinstance(source, Statistics)
    path = expand_home(source)
    try:
        return path.suffix.lower() == ".npz" and npz_layout(path).statistics is not None
    except Exception:  # as above
        return False


def is_statistics(source: object) -> bool:
    """Whether `source` holds statistics of a set and no images."""
    if not isinstance(source, str | Path) or not has_statistics(source):
        return isinstance(source, Statistics)
    return npz_layout(expand_home(source)).kind == "statistics"


def load_statistics(path: str | Path, *, spatial: bool = False) -> Statistics:
    """Load mean and covariance from an .npz file with `mu` [d] and `sigma` [d, d].

    Layouts: pytorch-fid, clean-fid and EDM (`mu`, `sigma`); ADM (these, `mu_s` and `sigma_s`, with
    the first images as `arr_0` or without). All of them write sigma with 1/(n − 1) and no n.

    Args:
        path: the file.
        spatial: load `mu_s` and `sigma_s`, which are of `inception-spatial` features.

    Raises:
        InputError: it is no such file, or its arrays are no mean and covariance.
    """
    path = expand_home(path)
    if path.suffix.lower() in PICKLES:
        raise pickle_refused(path)
    try:
        layout = npz_layout(path).statistics
        if layout is None:
            raise InputError(f"{path}: expected statistics of a set, mu and sigma.")
        with np.load(path, allow_pickle=False) as archive:
            names = SPATIAL_STATISTICS if spatial else STATISTICS
            if not set(names) <= set(archive.files):
                raise InputError(f"{path}: expected {' and '.join(names)}, got {layout}'s arrays.")
            mu, sigma = (archive[name] for name in names)
        return Statistics(mu=mu, sigma=sigma, layout=layout)
    except MemoryError:
        raise
    except InputError as error:
        raise InputError(str(error).replace("statistics:", f"{path}:", 1)) from error
    except Exception as error:  # as in is_feature_source
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"cannot read statistics from {path}: {reason}.") from error


def _read_archive(path: Path) -> NDArray:
    """The features of an .npz file."""
    layout = npz_layout(path)
    if layout.kind == "statistics":
        raise statistics_are_no_rows(path)
    if layout.kind == "images":
        raise InputError(
            f"{path}: expected features, floating point [n, d], in its one array or in one named "
            f"features; got {layout.rows}."
        )
    with np.load(path, allow_pickle=False) as archive:
        return archive[layout.rows]


def _read(source: str | Path | NDArray | torch.Tensor, role: str) -> tuple[NDArray, str]:
    """The array as stored, memory-mapped if it is a .npy file, and its name for messages."""
    if not isinstance(source, str | Path):
        array = as_array(source, role=role)
        if array.ndim == 2:
            check_floating(array, role=role)  # before NumPy makes float32 of bfloat16
        return to_numpy(array), role
    path = expand_home(source)
    try:
        if path.suffix.lower() == ".npz":
            return _read_archive(path), str(source)
        with path.open("rb") as file:
            if read_npy_header(file).dtype.hasobject:
                raise InputError(
                    f"{source} holds Python objects, which are never loaded; expected features: "
                    "floating point, one row per image, [n, d]."
                )
        return np.load(path, mmap_mode="r", allow_pickle=False), str(source)
    except (InputError, MemoryError):
        raise
    except Exception as error:  # as in is_feature_source
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"cannot read features from {source}: {reason}.") from error


def _sidecar(path: Path, count: int) -> _Sidecar | None:
    """Read what `genmem features` wrote beside a .npy file of `count` rows; None if nothing.

    Raises:
        InputError: it is damaged, or describes another number of rows.
    """
    sidecar = path.with_suffix(IDS_SUFFIX)
    if path.suffix.lower() != ".npy" or not sidecar.is_file():
        return None
    advice = f"Delete {sidecar}, or create both again with `genmem features`."
    try:
        document = json.loads(sidecar.read_bytes())
        ids, skipped, backbone = (document[key] for key in ("ids", "skipped", "backbone"))
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(
            f"{sidecar}: expected what `genmem features` writes beside {path.name}, with ids, "
            f"skipped and backbone; cannot be read as that ({reason}). {advice}"
        ) from error
    lists_of_text = all(
        isinstance(names, list) and all(isinstance(name, str) for name in names)
        for names in (ids, skipped)
    )
    if not lists_of_text or not isinstance(backbone, dict):
        raise InputError(
            f"{sidecar}: expected ids and skipped to be lists of text, and backbone an object. "
            f"{advice}"
        )
    if len(ids) != count:
        raise InputError(
            f"{sidecar}: names {len(ids):,} rows, but {path.name} has {count:,}. They do not "
            f"belong together. {advice}"
        )
    return _Sidecar(
        ids=[printable(name) for name in ids],
        skipped=tuple(printable(name) for name in skipped),
        backbone=backbone,
    )


def load_features(
    source: str | Path | NDArray | torch.Tensor, *, role: str = "the feature array"
) -> Features:
    """Load features from a .npy or .npz file or an array: float16, float32 or float64 [n, d].

    float32 .npy files stay memory-mapped and float32 arrays are not copied; other types become
    float32 in memory. All values are read once, block by block, for the check and the hash.

    `genmem features` writes `NAME.ids.json` beside a .npy file: the rows' ids, the images left out
    and the backbone come from it. Without it the ids are row numbers.

    Args:
        source: a .npy or .npz file, or whatever `genmem.arrays.as_array` takes, [n, d].
        role: what an array is, for messages.

    Raises:
        InputError: the file cannot be read, is not 2-D or not floating point, is empty, or has a
            row with NaN or infinity (the first is named); or its sidecar is damaged or describes
            another number of rows.
    """
    started = time.perf_counter()
    if isinstance(source, Statistics):
        raise statistics_are_no_rows("the Statistics")
    stored, name = _read(source, role)
    if stored.ndim != 2 or stored.dtype.kind != "f":
        raise InputError(
            f"{name} has shape {tuple(stored.shape)} and type {stored.dtype}; expected features: "
            "floating point, one row per image, [n, d]."
        )
    if 0 in stored.shape:
        raise InputError(
            f"{name} is empty: shape {tuple(stored.shape)}; expected rows of features."
        )
    count = len(stored)
    path = expand_home(source) if isinstance(source, str | Path) else None
    sidecar = _sidecar(path, count) if path else None
    array, digest = _as_float32(stored, name)
    positions = np.arange(count, dtype=np.int64)
    return Features(
        array=array,
        logits=None,
        ids=sidecar.ids if sidecar else RowIds(positions, None),
        positions=positions,
        digest=digest,
        skipped=sidecar.skipped if sidecar else (),
        shape=None,
        backbone=sidecar.backbone if sidecar else None,
        seconds=time.perf_counter() - started,
        from_cache=False,
    )


def _as_float32(stored: NDArray, name: str) -> tuple[NDArray[np.float32], str]:
    """The rows as float32, without a copy where they are, and the hash of what is stored.

    Raises:
        InputError: a row is not finite; the first is named.
    """
    count, width = stored.shape
    plain = stored.dtype == np.float32 and stored.dtype.isnative
    array = stored if plain else np.empty((count, width), np.float32)
    hasher = hashlib.blake2b(f"{stored.dtype.str} {stored.shape}".encode(), digest_size=16)
    step = max(1, BLOCK_BYTES // (width * stored.dtype.itemsize))
    for begin in range(0, count, step):
        block = np.ascontiguousarray(stored[begin : begin + step])
        hasher.update(block.data)
        if not plain:
            with np.errstate(over="ignore"):
                array[begin : begin + step] = block
            block = array[begin : begin + step]
        if len(bad := rows_not_finite(block)):
            raise InputError(
                f"{name}: row {begin + int(bad[0])} holds NaN, infinity or a value too large for "
                "float32. Remove such rows or compute them again."
            )
    return array, hasher.hexdigest()
