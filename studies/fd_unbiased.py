"""Does the interval of `fd_unbiased` hold the population value, where that of `fd` does not?

    python -m studies.fd_unbiased            # prints the table of docs/metrics.md

Generated features are drawn from populations whose mean and covariance are known (or are those of
2,000,000 rows), training features once; the value to hold is FD between the population and the
training rows.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genmem.metrics.fd_unbiased import fd_unbiased_from
from genmem.metrics.frechet import fd
from genmem.metrics.frechet_interval import fd_influence, fd_interval
from genmem.metrics.moments import moments
from genmem.set_statistics import Statistics

TRAIN_ROWS = 20_000


@dataclass(frozen=True, kw_only=True)
class Population:
    """A distribution of generated features beside a training set.

    Attributes:
        name: for the table.
        dimension: d.
        draw: (generator, rows) → float64 [rows, d].
        statistics: its mean and covariance.
        train: mean and covariance of the training rows.
    """

    name: str
    dimension: int
    draw: Callable[[np.random.Generator, int], NDArray[np.float64]]
    statistics: Statistics
    train: Statistics


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """Of one population and number of rows: shares of intervals that hold the value, and errors."""

    population: str
    dimension: int
    rows: int
    truth: float
    fd_error: float
    error: float
    deviation: float
    fd_coverage: float
    coverage: float


def populations(dimension: int, *, seed: int = 0) -> Iterator[Population]:
    """The training distribution, one near it and one far from it, and heavy tails.

    Args:
        dimension: d; the spectrum of the covariance falls by e³ over the directions.
        seed: of the axes and the training rows.
    """
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.normal(size=(dimension, dimension)))[0]
    A = axes * np.sqrt(np.exp(-np.linspace(0, 3, dimension)))
    rows = rng.normal(size=(TRAIN_ROWS, dimension)) @ A.T
    train = Statistics(mu=rows.mean(0), sigma=np.cov(rows.T), count=TRAIN_ROWS)
    for name, shift, spread, tails in (
        ("the same", 0.0, 1.0, 0),
        ("near", 0.05, 1.05, 0),
        ("far", 0.3, 1.5, 0),
        ("far, t with 5 degrees of freedom", 0.3, 1.5, 5),
    ):
        mean = np.full(dimension, shift / np.sqrt(dimension))
        factor = A * spread

        def draw(
            random: np.random.Generator,
            count: int,
            mean: NDArray[np.float64] = mean,
            factor: NDArray[np.float64] = factor,
            tails: int = tails,
        ) -> NDArray[np.float64]:
            z = random.normal(size=(count, dimension))
            if tails:  # a multivariate t, scaled to variance 1
                z *= np.sqrt((tails - 2) / random.chisquare(tails, size=(count, 1)))
            return z @ factor.T + mean

        yield Population(
            name=name,
            dimension=dimension,
            draw=draw,
            statistics=Statistics(mu=mean, sigma=factor @ factor.T),
            train=train,
        )


def coverage(population: Population, *, rows: int, draws: int, seed: int = 0) -> Coverage:
    """Draw generated rows again and again, and count the intervals that hold the value."""
    truth = float(fd(generated=population.statistics, train=population.train))
    values, plain, held, held_plain = [], [], [], []
    for draw in range(draws):
        generated = population.draw(np.random.default_rng([seed, rows, draw]), rows)
        of_rows = moments(generated)
        influence = fd_influence(generated=generated, train=population.train, moments=of_rows)
        result = fd_unbiased_from(
            generated=generated, train=population.train, influence=influence, seed=draw
        )
        value = float(fd(generated=of_rows, train=population.train))
        ends = fd_interval(value=value, influence=influence)
        own = result.interval
        values.append(result.value)
        plain.append(value)
        held.append(own is not None and own.low <= truth <= own.high)
        held_plain.append(ends.low <= truth <= ends.high)
    return Coverage(
        population=population.name,
        dimension=population.dimension,
        rows=rows,
        truth=truth,
        fd_error=float(np.mean(plain)) - truth,
        error=float(np.mean(values)) - truth,
        deviation=float(np.std(values)),
        fd_coverage=float(np.mean(held_plain)),
        coverage=float(np.mean(held)),
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--dimensions", default="32,128,256")
    parser.add_argument("--rows", default="1000,5000")
    options = parser.parse_args()
    print(
        "| d | n | population | value | fd − value | unbiased − value | its deviation "
        "| held by fd | held by fd_unbiased |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for dimension in map(int, options.dimensions.split(",")):
        for population in populations(dimension):
            for rows in map(int, options.rows.split(",")):
                one = coverage(population, rows=rows, draws=options.draws)
                print(
                    f"| {dimension} | {rows:,} | {one.population} | {one.truth:.3g} "
                    f"| {one.fd_error:+.3g} | {one.error:+.2g} | {one.deviation:.2g} "
                    f"| {one.fd_coverage:.0%} | {one.coverage:.0%} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
