"""Rows of a comparison on the GPU, where they fit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from genmem.arrays import block_slices
from genmem.backend import active_backend
from genmem.features import Device
from genmem.features.engines import choose_device, device_kind, may_have_gpu
from genmem.scoring.feature_sets import FeatureSets


def on_gpu(sets: FeatureSets, device: Device) -> FeatureSets:
    """The sets, with the rows that fit there on the GPU, so that what is computed of them is too.

    Args:
        sets: the features by role.
        device: the option; "auto" is CUDA where there is one. MPS, which has no float64, takes no
            rows, and where other machines search, this one's GPU does not.
    """
    if device == "cpu" or active_backend() is not None or not may_have_gpu():
        return sets
    import torch

    in_fork = device == "auto" and torch.cuda._is_in_bad_fork()
    if in_fork or device_kind(chosen := choose_device(device)) != "cuda":
        return sets
    by_role = {
        role: replace(one, array=_rows_on_gpu(one.array, chosen))
        for role, one in sets.by_role.items()
    }
    return replace(sets, by_role=by_role)


def _rows_on_gpu(array: Any, device: str) -> Any:
    """NumPy rows as a tensor on a GPU, if they take at most a quarter of what is free there."""
    import torch

    if not isinstance(array, np.ndarray) or array.nbytes > torch.cuda.mem_get_info(device)[0] // 4:
        return array
    like = torch.from_numpy(np.empty(0, array.dtype))
    rows = torch.empty(array.shape, dtype=like.dtype, device=device)
    for part in block_slices(len(array), array.shape[1]):
        rows[part] = torch.from_numpy(np.array(array[part])).to(rows.device)
    return rows
