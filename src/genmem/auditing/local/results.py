"""The results of local evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genmem.results import Json, to_json

LOCAL = "local"
"""The name of local evidence among the feature spaces."""

UNIT = 100.0
"""Evidence that multiplies the statistic by 1/e."""

STATISTIC = "exp(−evidence / 100)"
"""What is compared with honest images; the evidence is −log₁₀ of the number of false alarms.

Below the closest honest images p-values go on along a power law (`calibration.null_distribution`):
a power of this statistic is an exponential in the evidence, whose rate is that of honest images.
"""


@dataclass(frozen=True, kw_only=True)
class Region:
    """The region that a generated image and a training image share.

    Attributes:
        generated: float64 [p, 2], corners of the region, x and y in pixels of the decoded image.
        train: float64 [q, 2], corners of the region in the training image.
        transform: float64 [2, 3], affine map from the generated image's pixels to the training
            image's: train = transform[:, :2] @ (x, y) + transform[:, 2].
        mirrored: whether one is the other's mirror image.
        sizes: width and height of the generated and of the training image, in pixels.
        share: area of the region as a share of the generated image's and of the training image's.
    """

    generated: NDArray[np.float64]
    train: NDArray[np.float64]
    transform: NDArray[np.float64]
    mirrored: bool
    sizes: tuple[tuple[int, int], tuple[int, int]]
    share: tuple[float, float]

    def to_dict(self) -> dict[str, Json]:
        """The region as plain JSON; corners are rounded to a tenth of a pixel."""
        return to_json(
            {
                "generated": np.round(self.generated, 1).tolist(),
                "train": np.round(self.train, 1).tolist(),
                "transform": np.round(self.transform, 6).tolist(),
                "mirrored": self.mirrored,
                "sizes": self.sizes,
                "share": [round(share, 4) for share in self.share],
            }
        )


@dataclass(frozen=True, kw_only=True)
class LocalEvidence:
    """What each image shares with the training image that it shares most with.

    Attributes:
        statistic: float64 [n], exp(−evidence / 100) of the generated images: 1 without a shared
            region, and never 0.
        honest: float64 [m], the same of honest images.
        train: int64 [n], the training row; the nearest in the first feature space where no region
            is shared.
        inliers: int64 [n], keypoints that agree; 0 without a region.
        honest_inliers: int64 [m].
        regions: [n], None where no region is shared.
        planted: float64, the statistic of planted copies (`power`); None without.
    """

    statistic: NDArray[np.float64]
    honest: NDArray[np.float64]
    train: NDArray[np.int64]
    inliers: NDArray[np.int64]
    honest_inliers: NDArray[np.int64]
    regions: Sequence[Region | None]
    planted: NDArray[np.float64] | None = None
