"""torch's process-wide settings while genmem multiplies and runs networks, restored afterwards.

Training programs change them, but no cache key holds them, and the exact search proves its answers
from the rounding of float32: rows or scores computed in the autocast of a training loop, or in
TF32, would be other ones.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch

_DEVICES = ("cpu", "cuda", "mps")

_lock = threading.Lock()
_depth = 0
_before = ExitStack()
"""Closing it restores the settings of the process."""


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
    with _lock:
        if _depth == 0:
            _allow_nothing_less()
        _depth += 1


def _restore_precision() -> None:
    global _depth
    with _lock:
        _depth -= 1
        if _depth == 0:
            _before.close()


def _allow_nothing_less() -> None:
    """Set IEEE float32 for the process.

    torch has two generations of these settings, and its own code (`torch.export`) raises where they
    contradict each other. The older ones, which overwrite the newer, are therefore set first.
    """
    backends: Any = torch.backends
    newer = (
        backends.cuda.matmul,
        backends.cudnn.conv,
        backends.cudnn.rnn,
        backends.mkldnn.matmul,
        backends.mkldnn.conv,
    )
    before = [setting.fp32_precision for setting in newer]

    def write(matmul: str, cudnn: bool, precisions: Sequence[str]) -> None:
        torch.set_float32_matmul_precision(matmul)
        backends.cudnn.allow_tf32 = cudnn
        for setting, precision in zip(newer, precisions, strict=True):
            setting.fp32_precision = precision

    _before.callback(write, *_older_settings(conv=before[1], rnn=before[2]), before)
    write("highest", False, ["ieee"] * len(newer))


def _older_settings(*, conv: str, rnn: str) -> tuple[str, bool]:
    """`float32_matmul_precision` and cuDNN's `allow_tf32`.

    Where torch refuses to tell, the newer settings contradict them: the program left them as they
    were, or cuDNN's at the contrary.
    """
    try:
        matmul = torch.get_float32_matmul_precision()
    except RuntimeError:
        matmul = "highest"
    try:
        return matmul, torch.backends.cudnn.allow_tf32
    except RuntimeError:
        return matmul, not conv == rnn == "tf32"
