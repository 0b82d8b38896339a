"""Whether two images show the same picture: their details agree, or they share a large region."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from genmem.auditing.local.keypoints import Keypoints, detect_keypoints, mirrored
from genmem.auditing.local.verification import NO_MATCH, Verification, verify
from genmem.auditing.same_picture import Details, agreement, picture_details
from genmem.deduplication.candidates import RowPair
from genmem.deduplication.results import Kind, Match
from genmem.images.prefetch import map_in_order, usable_cores

SIDE = 64
"""Side at which the details of pictures are compared, in pixels."""

CERTAIN_AGREEMENT = 0.97
"""Details that agree better are those of one picture, whatever else."""

AGREEMENT_ALONE = 0.9
"""The same where shared regions are not looked for. Different pictures of stripes, or with the same
black corners, reach 0.96 (`docs/duplicates.md`)."""

LEAST_AGREEMENT = 0.7
"""Details that agree better are those of one picture if the two share a region too."""

SHARED_LAYOUT = 0.5
"""Where random pairs agree better in the median, the images share a layout: a frame, a caption, a
form. It says nothing of the pictures in it. Random pairs of photographs reach 0.2."""

RANDOM_PAIRS = 60
FEWEST_FOR_LAYOUT = 20
"""Random pairs that are compared, and images without which none are."""

LEAST_EVIDENCE = 6.0
"""A shared region counts from here on: −log₁₀ of the number of false alarms."""

MOST_OF_IT = 0.5
"""A region that covers this share of both images makes them the same picture; of one of them, that
one is a part of the other."""

_KEPT_IN_MEMORY = 512

Pixels = Callable[[int], NDArray[np.uint8]]


@dataclass(frozen=True)
class Verifier:
    """Compares pairs of images, whose details it keeps in memory as long as they are needed.

    Attributes:
        details: of a row.
        keypoints: of a row; None where shared regions are not looked for.
        layout: how well random pairs agree if the images share a layout; else 0.
    """

    details: Callable[[int], Details]
    keypoints: Callable[[int], Keypoints] | None
    layout: float = 0.0

    @property
    def certain(self) -> float:
        """Details that agree better are those of one picture, whatever else."""
        least = CERTAIN_AGREEMENT if self.keypoints else AGREEMENT_ALONE
        return max(least, 1 - (1 - self.layout) / 10) if self.layout else least

    def match(self, pair: RowPair) -> Match | None:
        """How the images of a pair repeat each other; None if they do not."""
        first, second = pair
        agree = agreement(self.details(first), self.details(second))
        if agree > self.certain:
            return Match(first=first, second=second, kind="same", agreement=agree)
        if self.keypoints is None or self.layout:
            return None
        region, share = _shared(self.keypoints(first), self.keypoints(second))
        is_same = agree > LEAST_AGREEMENT or min(share) >= MOST_OF_IT
        kind: Kind = "same" if is_same else "part"
        if region.evidence < LEAST_EVIDENCE or not (is_same or max(share) >= MOST_OF_IT):
            return None
        return Match(
            first=first,
            second=second,
            kind=kind,
            agreement=agree,
            evidence=region.evidence,
            share=share,
        )


def verifier(pixels: Pixels, *, rows: int, local: bool) -> Verifier:
    """A `Verifier` of the images that `pixels` decodes.

    Args:
        pixels: uint8 [H, W, 3] of a row. Thread-safe.
        rows: number of images.
        local: look for shared regions too.
    """

    @lru_cache(_KEPT_IN_MEMORY)
    def details(row: int) -> Details:
        return picture_details(pixels(row), SIDE)

    @lru_cache(_KEPT_IN_MEMORY)
    def keypoints(row: int) -> Keypoints:
        return detect_keypoints(pixels(row))

    return Verifier(details, keypoints if local else None, _shared_layout(details, rows))


def _shared_layout(details: Callable[[int], Details], rows: int) -> float:
    """The median agreement of random pairs where it shows a layout that the images share; else 0.

    Most pairs of a set are of different pictures, unless it repeats one picture more than all
    others: then few pairs are called the same, which errs on the safe side.
    """
    if rows < FEWEST_FOR_LAYOUT:
        return 0.0
    pairs = np.random.default_rng(0).integers(rows, size=(RANDOM_PAIRS, 2))
    reached = [agreement(details(a), details(b)) for a, b in pairs.tolist() if a != b]
    median = float(np.median(reached))
    return median if median > SHARED_LAYOUT else 0.0


def find_matches(
    verifier: Verifier, pairs: Sequence[RowPair], *, progress: Callable[[int], None]
) -> Iterable[Match]:
    """The matches among some pairs, in their order; the result does not depend on threads.

    Args:
        verifier: of the images.
        pairs: ascending, so that the images of neighbors are still in memory.
        progress: told how many pairs are done.
    """
    workers = usable_cores()
    matches = map_in_order(verifier.match, pairs, workers=workers, ahead=16 * workers)
    for number, match in enumerate(matches, 1):
        if number % 256 == 0 or number == len(pairs):
            progress(number)
        if match is not None:
            yield match


def _shared(first: Keypoints, second: Keypoints) -> tuple[Verification, tuple[float, float]]:
    """The region that two images share, and its share of either, straight or mirrored."""
    best = NO_MATCH
    for query in (first, mirrored(first)):
        result = verify(query, second, _background(query, second))
        if result.evidence > best.evidence:
            best = result
        if best.evidence >= LEAST_EVIDENCE:
            break
    return best, (
        _hull_share(best.points, first),
        _hull_share(best.train_points, second),
    )


def _background(query: Keypoints, other: Keypoints) -> NDArray[np.float32]:
    """The distance of each descriptor to the second nearest one: what a chance match looks like.

    Lowe's ratio test. An index of all images, as an audit has it, would call copies of copies
    background.

    Returns:
        float32 [p], squared.
    """
    if len(other.points) < 2 or not len(query.points):
        return np.full(len(query.points), np.inf, np.float32)
    first, second = (k.descriptors.astype(np.float32) for k in (query, other))
    squared = (first**2).sum(axis=1)[:, None] + (second**2).sum(axis=1) - 2 * first @ second.T
    return np.partition(squared, 1, axis=1)[:, 1].astype(np.float32)


def _hull_share(points: NDArray[np.float64], image: Keypoints) -> float:
    """The area of the points' convex hull as a share of the image's."""
    from scipy.spatial import ConvexHull, QhullError

    if len(points) < 3:
        return 0.0
    try:
        area = float(ConvexHull(points).volume)
    except QhullError:
        return 0.0
    return area / (image.width * image.height)
