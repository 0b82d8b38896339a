"""`load_features`: features from 2-D .npy and .npz files, and from arrays."""

from __future__ import annotations

import hashlib
import json
import time
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from genmem.arrays import rows_not_finite, to_numpy
from genmem.errors import InputError
from genmem.features.extract import Features, RowIds
from genmem.formatting import printable
from genmem.io.npy import NpyHeader, read_npy_header

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


def _archive_headers(path: Path) -> dict[str, NpyHeader]:
    """The header of each array in an .npz file, by name."""
    headers = {}
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.endswith(".npy"):
                with archive.open(name) as file:
                    headers[name.removesuffix(".npy")] = read_npy_header(file)
    return headers


def _feature_names(headers: Mapping[str, NpyHeader]) -> list[str]:
    """The arrays of an .npz file that may be features: `features`, else 2-D floating point.

    None if an array has three or more dimensions: those are images, and tables beside them are
    labels, boxes or scores.
    """
    if "features" in headers:
        return ["features"]
    if any(len(header.shape) > 2 for header in headers.values()):
        return []
    return [
        name
        for name, header in headers.items()
        if len(header.shape) == 2 and header.dtype.kind == "f"
    ]


def is_feature_source(source: object) -> bool:
    """Whether `source` holds features, not images: a 2-D array, or a .npy or .npz file of one.

    An .npz file holds features if it has an array named "features", or a 2-D array of floating
    point and no array of more dimensions, which would be images.

    Only headers are read. A file that cannot be read is no feature source: opening it as images
    raises the error that says why.
    """
    if not isinstance(source, str | Path):
        return getattr(source, "ndim", None) == 2
    path = Path(source).expanduser()
    try:
        if path.suffix.lower() == ".npy":
            with path.open("rb") as file:
                return len(read_npy_header(file).shape) == 2
        if path.suffix.lower() == ".npz":
            return bool(_feature_names(_archive_headers(path)))
    except Exception:  # NumPy's and zipfile's readers raise almost anything on hostile bytes
        return False
    return False


def _read_archive(path: Path) -> NDArray:
    """The array of an .npz file named "features", else its only 2-D array of floating point."""
    headers = _archive_headers(path)
    names = _feature_names(headers)
    if len(names) != 1:
        raise InputError(
            f"{path} holds {len(names) or 'no'} arrays that may be features "
            f"({', '.join(names or headers)}); expected one of floating point [n, d] and no "
            'images beside it, or one named "features".'
        )
    with np.load(path, allow_pickle=False) as archive:
        return archive[names[0]]


def _read(source: str | Path | NDArray | torch.Tensor) -> tuple[NDArray, str]:
    """The array as stored, memory-mapped if it is a .npy file, and its name for messages."""
    if not isinstance(source, str | Path):
        return to_numpy(source), "the feature array"
    path = Path(source).expanduser()
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


def load_features(source: str | Path | NDArray | torch.Tensor) -> Features:
    """Load features from a .npy or .npz file or an array: float16, float32 or float64 [n, d].

    float32 .npy files stay memory-mapped and float32 arrays are not copied; other types become
    float32 in memory. All values are read once, block by block, for the check and the hash.

    `genmem features` writes `NAME.ids.json` beside a .npy file: the rows' ids, the images left out
    and the backbone come from it. Without it the ids are row numbers.

    Raises:
        InputError: the file cannot be read, is not 2-D or not floating point, is empty, or has a
            row with NaN or infinity (the first is named); or its sidecar is damaged or describes
            another number of rows.
    """
    started = time.perf_counter()
    stored, name = _read(source)
    if stored.ndim != 2 or stored.dtype.kind != "f":
        raise InputError(
            f"{name} has shape {tuple(stored.shape)} and type {stored.dtype}; expected features: "
            "floating point, one row per image, [n, d]."
        )
    if 0 in stored.shape:
        raise InputError(
            f"{name} is empty: shape {tuple(stored.shape)}; expected rows of features."
        )
    count, width = stored.shape
    path = Path(source).expanduser() if isinstance(source, str | Path) else None
    sidecar = _sidecar(path, count) if path else None
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
    positions = np.arange(count, dtype=np.int64)
    return Features(
        array=array,
        logits=None,
        ids=sidecar.ids if sidecar else RowIds(positions, None),
        positions=positions,
        digest=hasher.hexdigest(),
        skipped=sidecar.skipped if sidecar else (),
        backbone=sidecar.backbone if sidecar else None,
        seconds=time.perf_counter() - started,
        from_cache=False,
    )
