"""Features that come ready: 2-D .npy and .npz files, and arrays."""

from __future__ import annotations

import hashlib
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from genmem.errors import InputError
from genmem.features.extract import Features, RowIds

if TYPE_CHECKING:
    import torch

BLOCK_BYTES = 1 << 26


def _header(file: Any) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and dtype from the head of an open .npy file."""
    version = npy.read_magic(file)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read(file)
    return shape, dtype


def _archive_headers(path: Path) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    """Shape and dtype of each array in an .npz file, by name."""
    with zipfile.ZipFile(path) as archive:
        headers = {}
        for name in archive.namelist():
            if name.endswith(".npy"):
                with archive.open(name) as file:
                    headers[name.removesuffix(".npy")] = _header(file)
        return headers


def is_feature_source(source: object) -> bool:
    """Whether `source` is a 2-D array or a .npy or .npz file of one: features, not images.

    Only headers are read. Whatever cannot be read is not a feature source; opening it as images
    then says what is wrong with it.
    """
    if not isinstance(source, str | Path):
        return getattr(source, "ndim", None) == 2
    path = Path(source).expanduser()
    try:
        if path.suffix == ".npy":
            with path.open("rb") as file:
                return len(_header(file)[0]) == 2
        if path.suffix == ".npz":
            return any(len(shape) == 2 for shape, _ in _archive_headers(path).values())
    except (OSError, ValueError, zipfile.BadZipFile):
        return False
    return False


def _read_archive(path: Path) -> NDArray:
    """The one 2-D array of an .npz file, or the one called "features"."""
    names = [name for name, (shape, _) in _archive_headers(path).items() if len(shape) == 2]
    if len(names) > 1 and "features" in names:
        names = ["features"]
    if len(names) != 1:
        raise InputError(
            f"{path} holds {len(names)} arrays of two dimensions ({', '.join(names)}); expected "
            'one, or one called "features"'
        )
    with np.load(path, allow_pickle=False) as archive:
        return archive[names[0]]


def _read(source: str | Path | NDArray | torch.Tensor) -> tuple[NDArray, str]:
    """The array as it is stored, memory-mapped if it is a .npy file, and what to call it."""
    if isinstance(source, np.ndarray):
        return source, "the feature array"
    if not isinstance(source, str | Path):
        return source.detach().cpu().numpy(), "the feature array"
    path = Path(source).expanduser()
    try:
        if path.suffix == ".npz":
            return _read_archive(path), str(source)
        return np.load(path, mmap_mode="r", allow_pickle=False), str(source)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"cannot read features from {source}: {reason}") from error


def load_features(source: str | Path | NDArray | torch.Tensor) -> Features:
    """Features from a .npy or .npz file or an array: float16, float32 or float64 [n, d].

    float32 .npy files stay memory-mapped and arrays are not copied; other types become float32
    in memory. All values are read once, block by block, for the check and the hash.

    Raises:
        InputError: the file cannot be read, is not 2-D or not float, is empty, or has a row with
            NaN or infinity (the first is named).
    """
    started = time.perf_counter()
    stored, name = _read(source)
    if stored.ndim != 2 or stored.dtype.kind != "f":
        raise InputError(
            f"{name} has shape {tuple(stored.shape)} and type {stored.dtype}; expected features: "
            "floating point, one row per image, [n, d]"
        )
    if 0 in stored.shape:
        raise InputError(f"{name} is empty: shape {tuple(stored.shape)}; expected rows of features")
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
        bad = np.flatnonzero(~np.isfinite(block).all(axis=1))
        if len(bad):
            raise InputError(
                f"{name}: row {begin + int(bad[0])} holds NaN, infinity or a value too large for "
                "float32; remove such rows or compute them again"
            )
    positions = np.arange(count, dtype=np.int64)
    return Features(
        array=array,
        logits=None,
        ids=RowIds(positions, None),
        positions=positions,
        digest=hasher.hexdigest(),
        skipped=(),
        seconds=time.perf_counter() - started,
        from_cache=False,
    )
