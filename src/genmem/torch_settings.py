"""torch's process-wide settings while genmem multiplies and runs networks, restored afterwards.

Training programs change them, but no cache key holds them, and the exact search proves its answers
from the rounding of float32: rows or scores computed in the autocast of a training loop, or in
TF32, would be other ones.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch

_DEVICES = ("cpu", "cuda", "mps")

_lock = threading.Lock()
_depth = 0
_before: list[tuple[Any, str]] = []
"""The precision settings of the process, and their values before the first thread set them."""


@contextmanager
def ieee_float32() -> Iterator[None]:
    """float32 products in float32, whatever the caller set: no TF32, no bfloat16, no autocast.

    A context, and a decorator of functions. The precision of products is a setting of the whole
    process, so it is restored when the last thread leaves; autocast belongs to the thread.
    """
    _set_precision()
    try:
        with ExitStack() as stack:
            for device in _DEVICES:
                if torch.is_autocast_enabled(device):
                    stack.enter_context(torch.autocast(device, enabled=False))
            yield
    finally:
        _restore_precision()


@contextmanager
def default_torch_settings() -> Iterator[None]:
    """`ieee_float32` for networks: new tensors are float32 too, and on no default device."""
    dtype = torch.get_default_dtype()
    try:
        torch.set_default_dtype(torch.float32)
        with ExitStack() as stack:
            stack.enter_context(ieee_float32())
            if torch.get_default_device().type != "cpu":
                stack.enter_context(torch.device("cpu"))
            yield
    finally:
        torch.set_default_dtype(dtype)


def _set_precision() -> None:
    global _depth
    backends: Any = torch.backends
    settings = (
        backends.cuda.matmul,
        backends.cudnn.conv,
        backends.cudnn.rnn,
        backends.mkldnn.matmul,
        backends.mkldnn.conv,
    )
    with _lock:
        if _depth == 0:
            _before[:] = [(setting, setting.fp32_precision) for setting in settings]
            for setting in settings:
                setting.fp32_precision = "ieee"
        _depth += 1


def _restore_precision() -> None:
    global _depth
    with _lock:
        _depth -= 1
        if _depth == 0:
            for setting, precision in _before:
                setting.fp32_precision = precision
