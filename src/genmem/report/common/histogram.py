"""Histograms of nearest-neighbor distances: the bins, and the positions of ticks and marks.

This is the only arithmetic in the report: counts per bin, and medians. Positions are percentages
of the drawing's width and height, so that the template scales the drawing but not its text.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genmem.formatting import number, percent

ROLES = ("generated", "test")
"""The sets that are drawn, in this order."""

ENLARGED_SHARE = 0.02
"""The enlarged histogram shows the closest 2 % of the images."""


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A vertical line or a tick: `at` in percent of the width, and its label."""

    at: float
    label: str
    kind: str = "tick"

    @property
    def anchor(self) -> str:
        """SVG's text-anchor, chosen so that the label stays inside the drawing."""
        if self.kind == "tick":
            return "start" if self.at < 4 else "end" if self.at > 96 else "middle"
        return "start" if self.at < 50 else "end"


@dataclass(frozen=True, kw_only=True)
class Outline:
    """The bars of one set as SVG paths in a 100 × 100 box, y downwards."""

    role: str
    line: str
    area: str


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """What the template draws: outlines, ticks on both axes, and vertical marks."""

    outlines: tuple[Outline, ...]
    x_ticks: tuple[Mark, ...]
    y_ticks: tuple[Mark, ...]
    marks: tuple[Mark, ...]


def histogram(
    nearest: Mapping[str, NDArray[np.float64]], *, tau: float | None = None, bins: int = 60
) -> Histogram | None:
    """The whole distribution of nearest distances, with medians and the threshold τ.

    Args:
        nearest: distances by role, float64 [n]; roles other than `ROLES` are ignored.
        tau: MiFID's threshold on the mean distance; None: not drawn.
        bins: bars over the whole width.

    Returns:
        The histogram; None if there is no distance to draw.
    """
    sets = _drawable(nearest)
    if not sets:
        return None
    largest = max(float(distances.max()) for distances in sets.values())
    right = max(largest, tau or 0.0, 1e-6) * 1.02
    medians = {role: float(np.median(distances)) for role, distances in sets.items()}
    marks = [
        Mark(at=100 * median / right, label=f"median {median:.3g}", kind=role)
        for role, median in medians.items()
    ]
    if tau is not None:
        marks.append(Mark(at=100 * tau / right, label=f"τ {number(tau)} (of the mean)", kind="tau"))
    return _draw(sets, right=right, bins=bins, marks=tuple(marks))


def enlarged_left_end(
    nearest: Mapping[str, NDArray[np.float64]], *, bins: int = 24
) -> Histogram | None:
    """The closest images only, where a few copies among many honest images show.

    Args:
        nearest: as in `histogram`.
        bins: bars over the whole width.

    Returns:
        The histogram up to the `ENLARGED_SHARE` quantile of the held-out images (of the generated
        images without them); heights are shares of the whole set. None for sets of fewer than 500
        images.
    """
    sets = _drawable(nearest)
    if "generated" not in sets or min(map(len, sets.values())) < 500:
        return None
    right = float(np.quantile(sets["test" if "test" in sets else "generated"], ENLARGED_SHARE))
    return _draw(sets, right=right, bins=bins, marks=()) if right > 1e-6 else None


def _drawable(
    nearest: Mapping[str, NDArray[np.float64]],
) -> dict[str, NDArray[np.float64]]:
    """The finite distances of each set that has any, at least 0."""
    finite = {
        role: np.maximum(nearest[role][np.isfinite(nearest[role])], 0.0)
        for role in ROLES
        if role in nearest
    }
    return {role: distances for role, distances in finite.items() if len(distances)}


def _draw(
    sets: Mapping[str, NDArray[np.float64]], *, right: float, bins: int, marks: tuple[Mark, ...]
) -> Histogram:
    """Bin every set on [0, right]; the highest bar ends just below the top."""
    shares = {
        role: np.histogram(distances, bins=bins, range=(0.0, right))[0] / len(distances)
        for role, distances in sets.items()
    }
    top = 1.04 * max(float(heights.max()) for heights in shares.values())
    y_step = _round_step(top, 3)
    x_step = _round_step(right, 5)
    return Histogram(
        outlines=tuple(_outline(role, heights / top) for role, heights in shares.items()),
        x_ticks=tuple(
            Mark(at=100 * tick / right, label=f"{tick:.6g}")
            for tick in x_step * np.arange(math.floor(right / x_step) + 1)
        ),
        y_ticks=tuple(
            Mark(at=100 - 100 * tick / top, label=percent(tick))
            for tick in y_step * np.arange(1, math.floor(top / y_step) + 1)
        ),
        marks=tuple(sorted(marks, key=lambda mark: mark.at)),
    )


def _outline(role: str, heights: NDArray[np.float64]) -> Outline:
    """Bars of the given heights (0 to 1) as one stepped line and the closed area below it."""
    width = 100 / len(heights)
    steps = " ".join(
        f"V{100 - 100 * height:.2f} H{(index + 1) * width:.2f}"
        for index, height in enumerate(heights)
    )
    return Outline(role=role, line=f"M0,100 {steps}", area=f"M0,100 {steps} V100 Z")


def _round_step(largest: float, steps: int) -> float:
    """A round step (1, 2 or 5 times a power of ten) that fits about `steps` times."""
    rough = largest / steps
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.75)
