"""Interpretations of the metrics of quality. None of them detects copying."""

from __future__ import annotations

from genmem.formatting import number, share
from genmem.report.score.interpretation import Interpretation, part
from genmem.results import Result, Score

USUAL_SAMPLE = 10_000
"""With fewer images, a Fréchet distance is noticeably too high. Most papers use 50,000."""

NO_COPY_CHECK = "Exact copies of the training images would also score well here."


def fd(result: Result, score: Score) -> Interpretation:
    """Fréchet distance: 0 for equal means and covariances, biased upward for few images."""
    few = min(result.n.get("generated", 0), result.n.get("train", 0))
    limits = "Compare it only with values of the same backbone and as many images."
    if few < USUAL_SAMPLE:
        limits = f"With {few:,} images it is biased upward. {limits}"
    if str(score.backbone.get("name")).partition("@")[0] == "pixels":
        limits += " On raw pixels it reflects colors and outlines, not content."
    return Interpretation(
        finding=f"The means and covariances of the two sets' features differ by "
        f"{number(result.value)}; 0 means equal.",
        limits=f"{limits} {NO_COPY_CHECK}",
    )


def fd_infinity(result: Result, score: Score) -> Interpretation:
    """Fréchet distance extrapolated to infinitely many images."""
    finding = (
        f"Extrapolated to infinitely many images, the Fréchet distance is about "
        f"{number(result.value)}."
    )
    if result.value < 0:
        finding += " A negative value is noise around 0."
    return Interpretation(
        finding=finding,
        limits="The linear extrapolation is itself uncertain.",
    )


def fd_ratio(result: Result, score: Score) -> Interpretation:
    """FD over that of held-out images; 1 is as good as real images."""
    interval = result.interval
    if interval is not None and interval.low <= 1 <= interval.high:
        finding = "As near the training set as the held-out images are, up to chance."
    elif result.value < 1:
        finding = f"Nearer than the held-out images are: {number(result.value)} of their distance."
    else:
        finding = f"{number(result.value)} times as far from the training set as held-out images."
    return Interpretation(
        finding=finding,
        limits="It takes held-out images that are like the training images. A copier is below 1.",
    )


def kd(result: Result, score: Score) -> Interpretation:
    """Kernel distance: unbiased, so it can be negative."""
    deviation = part(result, "deviation")
    if result.value <= 0:
        finding = (
            "No difference between the two sets. The estimate is unbiased, so it can be negative."
        )
    elif deviation is not None and result.value < 2 * deviation:
        finding = f"Barely different from 0: between subsets it varies by {number(deviation)}."
    else:
        finding = f"The two sets differ by {number(result.value)}; 0 means equal."
    return Interpretation(
        finding=finding,
        limits="It is unbiased for few images, but noisier.",
    )


def inception_score(result: Result, score: Score) -> Interpretation:
    """Inception score: confident and varied ImageNet classes; ignores the training images."""
    return Interpretation(
        finding=f"The images look like about {number(result.value)} distinct, equally frequent "
        "ImageNet classes.",
        limits="It ignores the training images and means little for images of other subjects.",
    )


def precision(result: Result, score: Score) -> Interpretation:
    """Share of generated images inside the training manifold."""
    return Interpretation(
        finding=f"{share(result.value)} of the generated images lie where training images lie.",
        limits="Outliers in the training set increase it.",
    )


def recall(result: Result, score: Score) -> Interpretation:
    """Share of training images inside the generated manifold."""
    return Interpretation(
        finding=f"{share(result.value)} of the training images lie where generated images lie.",
        limits="A low share means a lack of variety. A few outliers among the generated images "
        "increase it.",
    )


def density(result: Result, score: Score) -> Interpretation:
    """How densely training images surround the generated ones; about 1 for equal sets."""
    if result.value > 1.1:
        where = "crowd around typical training images"
    elif result.value >= 0.9:
        where = "lie where training images are as dense as expected"
    else:
        where = "often lie where training images are sparse"
    return Interpretation(
        finding=f"The generated images {where}; about 1 is expected for equal sets.",
        limits="It can exceed 1.",
    )


def coverage(result: Result, score: Score) -> Interpretation:
    """Share of training images that have a generated image nearby."""
    generated, train = result.n.get("generated", 0), result.n.get("train", 0)
    return Interpretation(
        finding=f"{share(result.value)} of the training images have a generated image nearby.",
        limits=f"{generated:,} generated images cannot be near all {train:,} training images."
        if generated < train
        else "",
    )


def realism(result: Result, score: Score) -> Interpretation:
    """Depth of the generated images inside training neighborhoods."""
    inside = float(result.parts["realistic"])
    return Interpretation(
        finding=f"{share(inside)} of the generated images lie inside a neighborhood of typical "
        "training images (realism of at least 1).",
        limits=NO_COPY_CHECK,
    )


def vendi(result: Result, score: Score) -> Interpretation:
    """Effective number of different images."""
    of_train = part(result, "train")
    beside = "" if of_train is None else f"; as many training images are {number(of_train)}"
    return Interpretation(
        finding=f"As varied as {number(result.value)} images with nothing in common{beside}.",
        limits="It grows with the number of images, and says nothing of their quality.",
    )
