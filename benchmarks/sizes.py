"""How large each case is: full, as the targets are stated, or quick, to see that it runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Rows, columns and repetitions of every case.

    Attributes:
        evaluated: whether targets are held against the results (not at quick sizes).
        rounds: repetitions of each comparison; ratios are taken within a repetition.
        rows: generated rows of the feature cases, and training rows of fd, kd, precision/recall.
        train_rows: training rows of the memorization distance.
        dimension: columns of the features.
        classes: columns of the logits.
        subsets, subset_size: of kd.
        images: images of the Inception case, 32 × 32.
        pipeline_images: JPEGs of the pipeline case.
        scale_queries: generated rows of the scale case.
        scale_small, scale_large: its training rows, before and after.
        scale_dimension: its columns.
        scale_rounds: its repetitions.
    """

    evaluated: bool = True
    rounds: int = 3
    rows: int = 10_000
    train_rows: int = 20_579
    dimension: int = 2_048
    classes: int = 1_008
    subsets: int = 100
    subset_size: int = 1_000
    images: int = 48
    pipeline_images: int = 1_500
    scale_queries: int = 20_000
    scale_small: int = 50_000
    scale_large: int = 150_000
    scale_dimension: int = 1_280
    scale_rounds: int = 2


def full(*, scale: bool) -> Sizes:
    """The sizes of the targets; with `scale` the million training rows too."""
    return Sizes(scale_large=1_000_000, scale_rounds=1) if scale else Sizes()


def quick() -> Sizes:
    """Two minutes in all on an idle machine; the numbers mean nothing."""
    return Sizes(
        evaluated=False,
        rounds=2,
        rows=300,
        train_rows=500,
        dimension=64,
        classes=20,
        subsets=5,
        subset_size=100,
        images=3,
        pipeline_images=32,
        scale_queries=100,
        scale_small=500,
        scale_large=1_500,
        scale_dimension=32,
        scale_rounds=1,
    )
