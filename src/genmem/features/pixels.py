"""`pixels`: the raw values 0–255 of an image, row by row, as H·W·3 features.

The space of Yoon et al. 2023 and of Gu et al. 2023 (arXiv 2310.02664), whose memorization ratio
compares Euclidean pixel distances. Nothing is resized: images of different sizes are refused.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genmem.features.backbone import Backbone
from genmem.features.engines import function_engine
from genmem.features.preprocessing import Identity


def _flatten(batch: NDArray[np.uint8]) -> NDArray[np.float32]:
    """uint8 [b, H, W, 3] → float32 [b, H·W·3], values 0–255."""
    return batch.reshape(len(batch), -1).astype(np.float32)


BACKBONE = Backbone(
    name="pixels",
    description="raw pixel values 0–255; all images of one size",
    licence="none",
    preprocessing=Identity(),
    open_engine=function_engine(_flatten),
)
