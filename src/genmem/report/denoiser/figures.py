"""The distance to the optimal denoiser by noise level, drawn by matplotlib as SVG."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from genmem.formatting import number
from genmem.report.common.plotting import Drawing, drawing, legend, new_axes, page_style, palette
from genmem.results import Json

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE = (4.8, 3.8)
"""Inches. Small, so that the text stays readable when a phone shows the whole width."""

FLOOR = 1e-9
"""Distances below are drawn here: a logarithmic axis has no 0."""

LOOKS = {"train": ("training images", "generated", "o"), "test": ("test images", "test", "s")}
NORMAL_95 = 1.96


def curve_drawing(curves: Mapping[str, Json]) -> Drawing:
    """The figure.

    Args:
        curves: by role ("train", "test"): lists `sigma`, `distance`, `standard_error` and `clean`.
    """
    from matplotlib.ticker import FuncFormatter, NullFormatter

    with page_style():
        figure, axes = new_axes(SIZE)
        axes.set(xscale="log", yscale="log", xlabel="noise level σ", ylabel="squared distance")
        floored = [_draw(axes, role, curve) for role, curve in curves.items()]
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda value, _: _decade(value)))
            axis.set_minor_formatter(NullFormatter())
        legend(figure, columns=2)
        return drawing(
            figure,
            name="distance",
            group="",
            title="Distance to the optimal denoiser",
            caption="Mean of ‖D − D*‖² per pixel value, images in [−1, 1]; bands are 95 % "
            "intervals over the images. The lower a line, the more the model only replays "
            "training images at that noise level. Dashed: a denoiser that gives back the image "
            "without its noise, which on test images D* cannot."
            + (f" Values below {number(FLOOR)} are drawn at it." if any(floored) else ""),
            description=_description(curves),
        )


def _draw(axes: Axes, role: str, curve: Json) -> bool:
    """One set's two lines; whether some values lie below the axis."""
    words, color, marker = LOOKS[role]
    paint = palette()[color]
    sigmas, distance = _values(curve["sigma"]), _values(curve["distance"])
    error = NORMAL_95 * np.nan_to_num(_values(curve["standard_error"]))  # one image: no band
    low, high = np.maximum(distance - error, FLOOR), np.maximum(distance + error, FLOOR)
    clean = _values(curve["clean"])
    axes.fill_between(sigmas, low, high, color=paint, alpha=0.2, linewidth=0)
    axes.plot(
        sigmas,
        np.maximum(distance, FLOOR),
        color=paint,
        marker=marker,
        markersize=3.5,
        linewidth=1.8,
        label=f"model, {words}",
    )
    shown = np.where(clean > FLOOR, clean, np.nan)
    axes.plot(
        sigmas, shown, color=paint, linewidth=1.2, linestyle=(0, (4, 2)), label=f"clean, {words}"
    )
    return bool((distance < FLOOR).any())


def _decade(value: float) -> str:
    """A power of ten as a label: 0.01, 1, 100, and 10⁻⁶ where digits would be many."""
    power = round(np.log10(value))
    if abs(power) <= 3:
        return f"{value:g}"
    return "10" + str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _values(values: Json) -> NDArray[np.float64]:
    """As numbers; None, which JSON has for NaN, is NaN."""
    return np.array(values, dtype=np.float64)


def _description(curves: Mapping[str, Json]) -> str:
    parts = []
    for role, curve in curves.items():
        distance = _values(curve["distance"])
        top = int(distance.argmax())
        parts.append(
            f"{LOOKS[role][0]}: largest {number(float(distance[top]))} at σ = "
            f"{number(curve['sigma'][top])}"
        )
    return "; ".join(parts) + "."
