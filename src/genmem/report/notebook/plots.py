"""Histograms of distances and rows of pairs, on the caller's matplotlib axes or on new ones."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from genmem.errors import UsageError
from genmem.report.common.images import SMALL, data_uri
from genmem.report.common.plotting import new_axes, page_style, palette

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BINS = 60
PAIRS = 8
"""Pairs in a row."""

_COLORS = ("generated", "test")
_FRAGMENT_DPI = 110


@dataclass(frozen=True, kw_only=True)
class PicturePair:
    """A generated image and a training image, as PNG or JPEG files, and the line below them."""

    generated: bytes
    train: bytes
    label: str


def own_axes(axes: Axes | None, size: tuple[float, float]) -> Axes:
    """The caller's axes; of a new figure of `size` inches, which a notebook shows, without any."""
    if axes is not None:
        if not hasattr(axes, "imshow"):
            raise UsageError(
                f"ax: expected matplotlib axes or None, got {type(axes).__name__}. Make some with "
                "matplotlib.pyplot.subplots()."
            )
        return axes
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=size, layout="constrained")[1]


def draw_histogram(
    axes: Axes,
    sets: Mapping[str, NDArray[np.float64]],
    *,
    quantity: str,
    marks: Mapping[str, float] | None = None,
) -> Axes:
    """Draw one histogram of each set over common bins, as shares of the set.

    Args:
        axes: where.
        sets: one or two sets of values by their name in the legend; what is not finite is left out.
        quantity: what the values are.
        marks: values marked by a line, by name.
    """
    finite = {name: values[np.isfinite(values)] for name, values in sets.items()}
    largest = max((float(values.max()) for values in finite.values() if len(values)), default=0.0)
    marks = marks or {}
    right = max(largest, *marks.values(), 1e-6) if marks else max(largest, 1e-6)
    edges = np.linspace(0.0, 1.02 * right, BINS + 1)
    for (name, values), color in zip(finite.items(), _COLORS, strict=False):
        heights = np.histogram(np.maximum(values, 0.0), edges)[0] / max(len(values), 1)
        tone = palette()[color]
        axes.stairs(heights, edges, fill=True, color=tone, alpha=0.25)
        axes.stairs(heights, edges, color=tone, label=f"{name} ({len(values):,})")
    for name, value in marks.items():
        axes.axvline(value, color=palette()["copying"], linestyle="--", label=name)
    axes.set_xlim(0.0, edges[-1])
    axes.set_ylim(bottom=0.0)
    axes.set_xlabel(quantity)
    axes.set_ylabel("share of images")
    axes.legend()
    return axes


def draw_pairs(axes: Axes, pairs: Sequence[PicturePair]) -> Axes:
    """Draw generated images side by side, and the training image of each below it.

    Args:
        axes: where; its ticks become the labels.
        pairs: at least one.
    """
    from genmem.images import decode

    for column, pair in enumerate(pairs):
        for row, content in enumerate((pair.train, pair.generated)):
            pixels = decode(content, name="a picture of this result")
            height, width = (side / (1.08 * max(pixels.shape[:2])) for side in pixels.shape[:2])
            center = (column + 0.5, row + 0.5)
            axes.imshow(
                pixels,
                extent=(
                    center[0] - width / 2,
                    center[0] + width / 2,
                    center[1] - height / 2,
                    center[1] + height / 2,
                ),
                interpolation="nearest" if max(pixels.shape[:2]) <= SMALL else "antialiased",
            )
    axes.set_xlim(0, len(pairs))
    axes.set_ylim(0, 2)
    axes.set_aspect("equal")
    axes.grid(visible=False)
    axes.set_xticks([column + 0.5 for column in range(len(pairs))], [one.label for one in pairs])
    axes.set_yticks([1.5, 0.5], ["generated", "training"])
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return axes


def stacked_axes(rows: int) -> tuple[Figure, Sequence[Any]]:
    """A new figure that a notebook shows, with one or two axes above each other."""
    import matplotlib.pyplot as plt

    sizes = {"height_ratios": (3, 2)} if rows == 2 else None
    figure, axes = plt.subplots(
        rows, figsize=(8.0, 3.2 + 2.2 * (rows - 1)), layout="constrained", gridspec_kw=sizes
    )
    return figure, np.atleast_1d(axes).tolist()


def inline_histogram(
    sets: Mapping[str, NDArray[np.float64]],
    *,
    quantity: str,
    marks: Mapping[str, float] | None = None,
) -> str:
    """`draw_histogram` in the page's look, as the data URI of a PNG file."""
    with page_style():
        figure, axes = new_axes((6.4, 2.6))
        draw_histogram(axes, sets, quantity=quantity, marks=marks)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=_FRAGMENT_DPI)
    return data_uri(buffer.getvalue())
