"""How often the interval of `copied_fraction` accuses honest generators, and holds the true share.

    python -m studies.copied_fraction [--draws 100]

Features are drawn from distributions of three kinds: normal, clustered (20 clusters of different
size and spread) and heavy-tailed (Student's t, 3 degrees of freedom), 32 dimensions. Honest
generators draw from the same distribution, a narrower or a wider one, a shifted one, one class, or
a few modes. Every cell is from repeated draws of training, held-out and generated rows. The tables
are stored in docs/metrics.md. About 10 minutes on one core.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from genmem.formatting import share
from genmem.metrics.copied_fraction import copied_fraction

Rows = NDArray[np.float32]
Draw = Callable[[np.random.Generator, int], Rows]

DIMENSION = 32
TRAIN_ROWS = 2_000
CLUSTERS = 20
COPIES = 0.02
NOISE = 0.02
"""Of a copy, relative to the spread of the features."""


def normal(rng: np.random.Generator, rows: int) -> Rows:
    """Standard normal rows, float32 [rows, 32]."""
    return rng.normal(size=(rows, DIMENSION)).astype(np.float32)


def clustered(rng: np.random.Generator, rows: int, *, clusters: int = CLUSTERS) -> Rows:
    """Rows of 20 clusters whose size and spread differ by up to 20 and 4 times."""
    shape = np.random.default_rng(0)
    centers = 3 * shape.normal(size=(CLUSTERS, DIMENSION))
    sizes, spreads = np.geomspace(1, 20, CLUSTERS)[:clusters], np.geomspace(0.5, 2, CLUSTERS)
    cluster = rng.choice(clusters, size=rows, p=sizes / sizes.sum())
    noise = rng.normal(size=(rows, DIMENSION)) * spreads[cluster, None]
    return (centers[cluster] + noise).astype(np.float32)


def heavy_tailed(rng: np.random.Generator, rows: int) -> Rows:
    """Multivariate Student's t with 3 degrees of freedom."""
    scale = np.sqrt(3 / rng.chisquare(3, size=(rows, 1)))
    return (scale * rng.normal(size=(rows, DIMENSION))).astype(np.float32)


def modes(data: Draw, count: int) -> Draw:
    """A generator that makes `count` new images again and again, almost alike."""

    def draw(rng: np.random.Generator, rows: int) -> Rows:
        centers = data(rng, count)
        jitter = 0.05 * rng.normal(size=(rows, DIMENSION))
        return (centers[rng.integers(count, size=rows)] + jitter).astype(np.float32)

    return draw


HONEST: Mapping[str, tuple[Draw, Draw]] = {
    "normal, the same": (normal, normal),
    "normal, 0.95 of the deviation": (
        normal,
        lambda rng, rows: np.float32(0.95) * normal(rng, rows),
    ),
    "normal, 0.9 of the deviation": (normal, lambda rng, rows: np.float32(0.9) * normal(rng, rows)),
    "normal, twice the deviation": (normal, lambda rng, rows: np.float32(2) * normal(rng, rows)),
    "normal, shifted by 0.3": (normal, lambda rng, rows: normal(rng, rows) + np.float32(0.3)),
    "clustered, the same": (clustered, clustered),
    "clustered, one of 20 clusters": (
        clustered,
        lambda rng, rows: clustered(rng, rows, clusters=1),
    ),
    "heavy-tailed, the same": (heavy_tailed, heavy_tailed),
    "normal, 20 modes": (normal, modes(normal, 20)),
    "normal, 200 modes": (normal, modes(normal, 200)),
    "clustered, 50 modes": (clustered, modes(clustered, 50)),
}
"""By name: the data, and an honest generator of them."""


def simulate(
    data: Draw, generator: Draw, *, rows: int, copies: float, draws: int
) -> tuple[int, int]:
    """In how many draws the interval excludes 0, and holds the share of copies."""
    excludes = holds = 0
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        train, test, generated = data(rng, TRAIN_ROWS), data(rng, rows), generator(rng, rows)
        count = round(rows * copies)
        source = train[rng.choice(TRAIN_ROWS, count, replace=False)]
        generated[:count] = source + NOISE * rng.normal(size=source.shape).astype(np.float32)
        result = copied_fraction(generated=generated, train=train, test=test, metric="euclidean")
        assert result.interval is not None
        excludes += result.interval.low > 0
        holds += result.interval.low <= copies <= result.interval.high
    return excludes, holds


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=100)
    draws = parser.parse_args().draws
    print(
        f"| honest generator, {draws} draws | excludes 0: n = m = 1,000 | n = m = 5,000 | "
        f"with {share(COPIES)} copies, n = m = 1,000: excludes 0 | holds the share |"
    )
    print("|---|---|---|---|---|")
    for name, (data, generator) in HONEST.items():
        few, many = (
            simulate(data, generator, rows=rows, copies=0.0, draws=draws)[0] / draws
            for rows in (1_000, 5_000)
        )
        excludes, holds = simulate(data, generator, rows=1_000, copies=COPIES, draws=draws)
        print(
            f"| {name} | {share(few)} | {share(many)} | {share(excludes / draws)} | "
            f"{share(holds / draws)} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
