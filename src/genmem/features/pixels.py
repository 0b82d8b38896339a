"""`pixels`: the raw values 0–255 of an image, row by row, as H·W·3 features.

The space of Yoon et al. 2023 and of Gu et al. 2023 (arXiv 2310.02664), whose memorization ratio
compares Euclidean pixel distances. Nothing is resized: images of different sizes are refused.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genmem.features.backbone import Backbone, Device, FeaturesAndLogits
from genmem.features.preprocessing import AsIs


class PixelEngine:
    """Flattens uint8 images into float32 rows."""

    name = "numpy"
    batch_size = 256
    dimension: int | None = None
    note: str | None = None

    def run(self, batch: NDArray) -> FeaturesAndLogits:
        """uint8 [b, H, W, 3] → float32 [b, H·W·3], values 0–255."""
        rows = batch.reshape(len(batch), -1).astype(np.float32)
        self.dimension = rows.shape[1]
        return rows, None


def open_engine(
    backbone: Backbone, weights: Path | None, sha256: str | None, device: Device
) -> PixelEngine:
    """The pixel engine; there is nothing to load."""
    del backbone, weights, sha256, device
    return PixelEngine()


BACKBONE = Backbone(
    name="pixels",
    description="raw pixel values 0–255; all images of one size",
    licence="none",
    dimension=None,
    input_size=None,
    preprocessing=AsIs(),
    weights=None,
    network=None,
    open_engine=open_engine,
)
