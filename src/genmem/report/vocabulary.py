"""What the metrics are called on the page, which way is better, and in which table they stand."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """A metric's title, the direction of better in words, and its table."""

    title: str
    better: str
    table: str = "copying"


ENTRIES = {
    "copied_fraction": Entry("Copied fraction of the images", "0"),
    "c_t": Entry("Data-copying test C_T", "near 0; negative is copying"),
    "memorization_ratio": Entry("Share of near-copies, d₁/d₂ test", "lower"),
    "memorization_distance": Entry("Mean distance to training set", "not below held-out"),
    "nn_quantiles": Entry("Distance quantiles, here the median", "not below held-out"),
    "authpct": Entry("Authentic images, AuthPct", "higher"),
    "mifid": Entry("Memorization-informed FID", "lower"),
    "fd": Entry("Fréchet distance", "lower", "quality"),
    "fid": Entry("Fréchet Inception distance, FID", "lower", "quality"),
    "fd_infinity": Entry("Fréchet distance, no sample bias", "lower", "quality"),
    "kd": Entry("Kernel distance", "lower", "quality"),
    "inception_score": Entry("Inception score", "higher", "quality"),
    "precision": Entry("Precision", "higher", "quality"),
    "recall": Entry("Recall", "higher", "quality"),
    "density": Entry("Density", "higher", "quality"),
    "coverage": Entry("Coverage", "higher", "quality"),
}

TABLES = {
    "copying": "Copying: how close the generated images come to single training images",
    "quality": "Quality and variety: how alike the two sets are as wholes",
}


def entry(name: str) -> Entry:
    """The metric's entry; a metric of a later version is shown under its own name."""
    return ENTRIES.get(name, Entry(name, "see its documentation", "quality"))
