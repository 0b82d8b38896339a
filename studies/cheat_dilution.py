"""Metrics of a set in which a cheat hides a few copies among honest images."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from genmem.metrics.c_t import c_t_from_distances
from genmem.metrics.copied_fraction import NEIGHBORS, copied_fraction_from, relative_distances
from genmem.neighbors import nearest
from studies.cheat_sets import CHEATS, SEED

SHARE = 0.05


def dilution_table(features: Mapping[str, NDArray[np.float32]]) -> str:
    """A table of metrics where images of a cheat replace 5 % of the held-out ones, one draw.

    Args:
        features: float32 [n, d] by set: "train", "test", "held-out" and the cheats.
    """
    neighbors = {
        name: nearest(rows, features["train"], k=NEIGHBORS).distances
        for name, rows in features.items()
        if name != "train"
    }
    lines = [
        "## Diluted",
        f"Images of a cheat replace {SHARE:.0%} of the held-out set; same features, one "
        "draw.\n".replace("%", " %"),
        "| cheat | s | C_T | copied_fraction |",
        "|---|---|---|---|",
    ]
    honest = neighbors["held-out"]
    count = round(SHARE * len(honest))
    rng = np.random.default_rng(SEED)
    for name in (None, *CHEATS):
        values = honest.copy()
        if name:
            places = rng.choice(len(values), count, replace=False)
            values[places] = rng.choice(neighbors[name], count, replace=False)
        c_t = c_t_from_distances(generated=values[:, 0], test=neighbors["test"][:, 0])
        copied = copied_fraction_from(
            generated=relative_distances(values),
            test=relative_distances(neighbors["test"]),
            train_rows=len(features["train"]),
        )
        inside = copied.interval
        between = f" [{inside.low:.3f}, {inside.high:.3f}]" if inside else ""
        lines.append(
            f"| {name or 'none'} | {values[:, 0].mean():.4f} | {c_t.value:.1f} "
            f"| {copied.value:.3f}{between} |"
        )
    return "\n".join(lines)
