"""A rejection study's maps: samples among training images, by t-SNE."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from genmem.report.drawing import Drawing
from genmem.report.plotting import drawing, new_axes, page_style
from genmem.report.study_words import cells_of, tau_words

NEAR_TO_FAR = ("#d6322a", "#e0953f", "#4a9cb8")
TRAIN_GREY = "#8a9499"
"""Points of a map are drawn as one picture: these colours are seen on light and dark pages."""


def maps(document: Mapping[str, Any], model: str, place: int) -> list[Drawing]:
    """A model's t-SNE, a drawing a τ, samples coloured by distance."""
    from matplotlib.colors import LinearSegmentedColormap

    found = next((one for one in document["maps"] if one["model"] == model), None)
    if found is None:
        return []
    words = {str(cell["tau"]): tau_words(cell) for cell in cells_of(document, model)}
    every = np.concatenate([np.asarray(one["distances"]) for one in found["generated"]])
    top = float(np.quantile(every, 0.98)) or 1.0
    train = np.asarray(found["train"])
    corners = np.concatenate([train, *(np.asarray(one["points"]) for one in found["generated"])])
    made = []
    with page_style():
        colours = LinearSegmentedColormap.from_list("near", NEAR_TO_FAR)
        for number_of, panel in enumerate(found["generated"]):
            figure, axes = new_axes((3.6, 3.9))
            axes.scatter(*train.T, s=7, color=TRAIN_GREY, alpha=0.4, linewidths=0, rasterized=True)
            shown = axes.scatter(
                *np.asarray(panel["points"]).T,
                c=panel["distances"],
                cmap=colours,
                vmin=0,
                vmax=top,
                s=11,
                linewidths=0,
                rasterized=True,
            )
            axes.scatter(*corners.T, s=0)  # the same corner of the plane in every panel
            axes.set_axis_off()
            bar = figure.colorbar(shown, ax=axes, orientation="horizontal", shrink=0.8, pad=0.02)
            bar.set_label("distance to the nearest training image")
            tau = words.get(str(panel["tau"]), str(panel["tau"]))
            points = f"{len(train):,} training images and {len(panel['points']):,} samples"
            made.append(
                drawing(
                    figure,
                    name=f"map-{place}-{number_of}",
                    group=model,
                    title=f"τ = {tau}",
                    caption="",
                    description=f"t-SNE map of {points}.",
                )
            )
    return made
