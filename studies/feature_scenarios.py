"""Generators of Gaussian features: honest ones that are narrower, and a poor one that copies."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

import genmem
from genmem.results import Score

ROWS, DIMENSION = 1_000, 32
NEAR_COPIES = 6

Floats = NDArray[np.float64]
Generate = Callable[[np.random.Generator, Floats], Floats]


def _narrower(deviation: float) -> Generate:
    return lambda rng, train: deviation * rng.normal(size=train.shape)


def _spread_with_near_copies(rng: np.random.Generator, train: Floats) -> Floats:
    """Twice the spread; six training rows with 2 % noise among them."""
    rows = 2 * rng.normal(size=train.shape)
    noise = 0.02 * rng.normal(size=(NEAR_COPIES, DIMENSION))
    rows[:NEAR_COPIES] = train[:NEAR_COPIES] + noise
    return rows


GENERATORS: dict[str, tuple[Generate, bool]] = {
    "deviation 1": (_narrower(1.0), True),
    "deviation 0.95": (_narrower(0.95), True),
    "deviation 0.9": (_narrower(0.9), True),
    "deviation 2 and six near-copies": (_spread_with_near_copies, False),
}
"""By name: the generator, and whether it is honest."""


def feature_table(draws: int) -> list[str]:
    """What `genmem.score` says of Gaussian features; in how many draws copies are claimed."""
    lines = [
        f"Gaussian features, {ROWS:,} rows a set, d = {DIMENSION}; {draws} draws of a score.",
        "",
        "| generator | verdicts | copied fraction excludes 0 | goal |",
        "|---|---|---|---|",
    ]
    for name, (generate, honest) in GENERATORS.items():
        scores = [_score(generate, seed) for seed in range(draws)]
        labels = [score.verdict.label if score.verdict else "none" for score in scores]
        excluded = sum(_excludes_zero(score) for score in scores)
        counts = ", ".join(f"{label} {labels.count(label)}" for label in dict.fromkeys(labels))
        if honest:
            accused = labels.count("copying") + labels.count("suspicious")
            met = max(accused, excluded) <= 0.05 * draws
        else:
            met = labels.count("no-sign") == 0
        lines.append(
            f"| {name} | {counts} | {excluded} of {draws} | {'met' if met else 'NOT met'} |"
        )
    return lines


def _score(generate: Generate, seed: int) -> Score:
    rng = np.random.default_rng([seed, 3])
    train, test = rng.normal(size=(2, ROWS, DIMENSION))
    return genmem.score(generated=generate(rng, train), train=train, test=test)


def _excludes_zero(score: Score) -> bool:
    result = score.metrics.get("copied_fraction")
    return result is not None and result.interval is not None and result.interval.low > 0
