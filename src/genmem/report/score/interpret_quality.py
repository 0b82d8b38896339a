"""Readings of the metrics that compare the two sets as wholes; none of them sees copying."""

from __future__ import annotations

from genmem.formatting import number, share
from genmem.report.score.interpretation_types import Reading, part
from genmem.results import Result, Score

USUAL_SAMPLE = 10_000
"""Below this many images a Fréchet distance is noticeably too high; most papers use 50,000."""

BLIND = "Exact copies of the training images would do well here too."


def fd(result: Result, score: Score) -> Reading:
    """Fréchet distance: zero for equal means and covariances, biased upward at small n."""
    few = min(result.n.get("generated", 0), result.n.get("train", 0))
    limits = "Compare it only with values from as many images and the same backbone."
    if few < USUAL_SAMPLE:
        limits = f"With {few:,} images it is biased upward. {limits}"
    if score.backbone.get("name") == "pixels":
        limits += " On raw pixels it follows colours and outlines, not content."
    return Reading(
        finding=f"The two sets' mean features and covariances are {number(result.value)} apart; "
        "0 would be the same.",
        limits=f"{limits} {BLIND}",
    )


def fd_infinity(result: Result, score: Score) -> Reading:
    """Fréchet distance extrapolated to infinitely many images."""
    finding = (
        f"Extrapolated to endlessly many images, the Fréchet distance would be "
        f"about {number(result.value)}."
    )
    if result.value < 0:
        finding += " A value below 0 is noise around 0."
    return Reading(
        finding=finding,
        limits="The straight-line extrapolation is itself uncertain.",
    )


def kd(result: Result, score: Score) -> Reading:
    """Kernel distance: unbiased, so it may fall below zero."""
    deviation = part(result, "deviation")
    if result.value <= 0:
        finding = "No difference between the two sets: unbiased, so it falls on both sides of 0."
    elif deviation is not None and result.value < 2 * deviation:
        finding = (
            f"Hardly told apart from 0: from subset to subset it varies by {number(deviation)}."
        )
    else:
        finding = f"The two sets differ by {number(result.value)}; 0 would be the same."
    return Reading(
        finding=finding,
        limits="Fair at small numbers of images, but noisier.",
    )


def inception_score(result: Result, score: Score) -> Reading:
    """Inception score: confident and varied ImageNet classes, no training images involved."""
    return Reading(
        finding=f"As if the images showed about {number(result.value)} clear, equally frequent "
        "ImageNet classes.",
        limits="It never looks at the training images and means little for other subjects.",
    )


def precision(result: Result, score: Score) -> Reading:
    """Share of generated images inside the training manifold."""
    return Reading(
        finding=f"{share(result.value)} of the generated images lie where training images lie.",
        limits="Outliers in the training set make it generous.",
    )


def recall(result: Result, score: Score) -> Reading:
    """Share of training images inside the generated manifold."""
    return Reading(
        finding=f"{share(result.value)} of the training images lie where generated images lie.",
        limits="A low share means missing variety; a few outliers among the generated images "
        "raise it.",
    )


def density(result: Result, score: Score) -> Reading:
    """How densely training images surround the generated ones; about 1 for equal sets."""
    side = (
        "crowd around typical training images"
        if result.value > 1.1
        else (
            "keep to where training images are about as dense as they should"
            if result.value >= 0.9
            else "often fall where training images are sparse"
        )
    )
    return Reading(
        finding=f"The generated images {side}; about 1 is expected of an equal set.",
        limits="It may pass 1.",
    )


def coverage(result: Result, score: Score) -> Reading:
    """Share of training images that have a generated image nearby."""
    generated, train = result.n.get("generated", 0), result.n.get("train", 0)
    return Reading(
        finding=f"{share(result.value)} of the training images have a generated image nearby.",
        limits=f"{generated:,} generated images can hardly be near all {train:,} training images."
        if generated < train
        else "",
    )
