"""torch's process-wide settings, at their defaults while genmem builds and runs networks.

Training programs change them, but no cache key holds them: rows computed in the autocast of a
training loop, or with TF32, would serve later programs as rows of float32.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch


@contextmanager
def default_torch_settings(device: str = "cpu") -> Iterator[None]:
    """Networks in float32, on no default device, without autocast and TF32; restored afterwards.

    Args:
        device: where the network runs, on which autocast is switched off.
    """
    backends: Any = torch.backends
    products = (backends.cuda.matmul, backends.mkldnn.matmul, backends.mkldnn.conv)
    precisions = [product.fp32_precision for product in products]
    dtype = torch.get_default_dtype()
    try:
        torch.set_default_dtype(torch.float32)
        for product in products:
            product.fp32_precision = "ieee"
        with ExitStack() as stack:
            stack.enter_context(backends.cudnn.flags(allow_tf32=False))
            stack.enter_context(torch.autocast(torch.device(device).type, enabled=False))
            if torch.get_default_device().type != "cpu":
                stack.enter_context(torch.device("cpu"))
            yield
    finally:
        torch.set_default_dtype(dtype)
        for product, precision in zip(products, precisions, strict=True):
            product.fp32_precision = precision
