"""The region that a generated image shares with its match, as shares of the pictures' sides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from genmem.auditing.local import Region
from genmem.auditing.results import Audit
from genmem.results import Json

_Side = Annotated[float, Field(ge=0, le=1)]
_Finite = Annotated[float, Field(allow_inf_nan=False)]
Corners = Annotated[tuple[tuple[_Side, _Side], ...], Field(min_length=3)]
"""x and y of each corner, in 0…1: the same in a thumbnail as in the full picture."""


SMALLEST = 0.001
"""Share of either picture below which matching places are no region: two points, or a speck."""


@dataclass(frozen=True, kw_only=True)
class SharedRegion:
    """A region that both pictures of a pair have.

    Attributes:
        generated, train: its corners in the generated and in the training image.
        to_train: affine map of the generated image's shares to the training image's, in rows:
            ((a, b, c), (d, e, f)), x' = a x + b y + c, y' = d x + e y + f.
    """

    generated: Corners
    train: Corners
    to_train: tuple[tuple[_Finite, _Finite, _Finite], tuple[_Finite, _Finite, _Finite]]

    def page_data(self) -> list[Json]:
        """The corners in both images, for the page."""
        return [[list(corner) for corner in corners] for corners in (self.generated, self.train)]


def shared_regions(audit: Audit, rows: NDArray[np.int64]) -> list[SharedRegion | None]:
    """The region of each row's match; None where there is none, or a speck, or of another image.

    Args:
        audit: the result of `genmem.audit`.
        rows: generated images.
    """
    local = audit.local
    if local is None:
        return [None] * len(rows)
    regions = []
    for row in rows.tolist():
        region = local.regions[row]
        same = int(local.train[row]) == audit.nearest(row)[1]
        shown = region is not None and same and min(region.share) >= SMALLEST
        regions.append(_in_shares(region) if region is not None and shown else None)
    return regions


def _in_shares(region: Region) -> SharedRegion:
    generated, train = (np.array(size, np.float64) for size in region.sizes)
    linear = region.transform[:, :2] * generated / train[:, None]
    to_train = np.column_stack([linear, region.transform[:, 2] / train]).round(6).tolist()
    return SharedRegion(
        generated=_corners(region.generated / generated),
        train=_corners(region.train / train),
        to_train=(tuple(to_train[0]), tuple(to_train[1])),
    )


def _corners(points: NDArray[np.float64]) -> Corners:
    return tuple((x, y) for x, y in np.clip(points, 0, 1).round(4).tolist())
