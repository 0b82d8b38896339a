"""`local_evidence`: the region that each image shares with a training image, honest ones too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genmem.auditing.local.keypoints import Keypoints, KeypointSet, extract_keypoints, mirrored
from genmem.auditing.local.results import UNIT, LocalEvidence, Region
from genmem.auditing.local.retrieval import DescriptorIndex, build_index
from genmem.auditing.local.verification import NO_MATCH, Verification, verify
from genmem.formatting import set_name
from genmem.images import ImageSource, Progress
from genmem.images.prefetch import map_in_order, usable_cores

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

CANDIDATES = 5
"""Training images that local features propose for each image, and for its mirror image."""


@dataclass(frozen=True, kw_only=True)
class HonestImages:
    """The images that stand for an honest generator.

    Attributes:
        source: held-out images; None where they are training images, each left out in turn.
        candidates: int64 [m, k], near training rows in the feature spaces; itself never.
        train_rows: int64 [m], the training rows that they are; None for held-out images.
        train_groups: int64, the group of every training row: where given, no image of its own
            group is compared with a left-out training image.
    """

    source: ImageSource | None
    candidates: Ints
    train_rows: Ints | None = None
    train_groups: Ints | None = None


def local_evidence(
    *,
    generated: ImageSource,
    train: ImageSource,
    honest: HonestImages,
    candidates: Ints,
    train_rows: Ints,
    planted: tuple[ImageSource, Ints] | None = None,
    skip_broken: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
) -> LocalEvidence:
    """The most evidence of a shared region between each image and some training image.

    Generated and honest images go through the same steps: the candidates that feature spaces give
    and those that local features propose are verified, for the image and its mirror image, and the
    largest evidence counts.

    Args:
        generated: the generated images.
        train: all training images.
        honest: the images that generated ones are compared with.
        candidates: int64 [n, k], near training rows of each generated image in the feature spaces.
        train_rows: int64, ascending, the training rows that local features may propose.
        planted: planted copies and their candidates, which are compared like generated images.
        skip_broken: leave out images that cannot be decoded, as in the feature spaces.
        seed: of the index.
        progress: called with (stage, done, total or None).

    Returns:
        A row per generated image, and per honest one.

    Raises:
        InputError: an image cannot be decoded, or changed since it was hashed.
    """
    points = extract_keypoints(train, skip_broken=skip_broken, progress=progress, role="train")
    index = build_index(points, train_rows, seed=seed, progress=progress)
    search = _Search(train=points, index=index)
    queries = extract_keypoints(
        generated, skip_broken=skip_broken, progress=progress, role="generated"
    )
    matches = list(search.run(queries, candidates, progress=progress, role="generated"))
    honest_matches = search.honest(honest, skip_broken=skip_broken, progress=progress)
    planted_statistic = None
    if planted is not None:
        copies = extract_keypoints(planted[0], progress=progress, role="planted")
        found = list(search.run(copies, planted[1], progress=progress, role="planted"))
        planted_statistic = _statistic(found)
    return LocalEvidence(
        statistic=_statistic(matches),
        honest=_statistic(honest_matches),
        train=np.array([match.train for match in matches], np.int64),
        inliers=np.array([match.verification.inliers for match in matches], np.int64),
        honest_inliers=np.array([match.verification.inliers for match in honest_matches], np.int64),
        regions=tuple(
            _region(match, queries.sizes[row], points.sizes[match.train])
            for row, match in enumerate(matches)
        ),
        planted=planted_statistic,
    )


@dataclass(frozen=True)
class _Match:
    """The verification of an image and the training image that it shares most with."""

    verification: Verification
    train: int
    mirrored: bool


@dataclass(frozen=True, kw_only=True)
class _Search:
    """What all images are compared with."""

    train: KeypointSet
    index: DescriptorIndex

    def honest(
        self, honest: HonestImages, *, skip_broken: bool, progress: Progress | None
    ) -> list[_Match]:
        """The matches of the honest images."""
        queries, rows = self.train, honest.train_rows
        if honest.source is not None:
            queries = extract_keypoints(
                honest.source, skip_broken=skip_broken, progress=progress, role="test"
            )
            rows = None
        role = "training images, each left out" if rows is not None else "test"
        matches = self.run(
            queries, honest.candidates, rows=rows, groups=honest.train_groups,
            progress=progress, role=role,
        )  # fmt: skip
        return list(matches)

    def run(
        self,
        queries: KeypointSet,
        candidates: Ints,
        *,
        rows: Ints | None = None,
        groups: Ints | None = None,
        progress: Progress | None,
        role: str,
    ) -> Iterator[_Match]:
        """The best match of each query, in order; the result does not depend on threads.

        Args:
            queries: their keypoints.
            candidates: int64 [q, k], of each query.
            rows: int64 [q], the training rows that the queries are, which leave themselves out.
            groups: int64, the group of every training row, of which a query leaves its own out.
            progress: told how many are done.
            role: the set, for progress.
        """
        count = len(candidates)

        def match(number: int) -> _Match:
            if rows is None:
                own = np.empty(0, np.int64)
                return self.match(queries.image(number), candidates[number], own)
            row = int(rows[number])
            own = np.array([row]) if groups is None else np.flatnonzero(groups == groups[row])
            return self.match(queries.image(row), candidates[number], own)

        workers = usable_cores()
        results = map_in_order(match, range(count), workers=workers, ahead=16 * workers)
        for number, result in enumerate(results, 1):
            if progress and (number % 16 == 0 or number == count):
                progress(f"{set_name(role)}: shared regions", number, count)
            yield result

    def match(self, keypoints: Keypoints, candidates: Ints, own: Ints) -> _Match:
        """The best match of one image among its candidates and those that it votes for."""
        best = _Match(NO_MATCH, int(candidates[0]), False)
        for is_mirrored in (False, True):
            query = mirrored(keypoints) if is_mirrored else keypoints
            votes = self.index.vote(query, most=CANDIDATES, own=own)
            for row in dict.fromkeys([*candidates.tolist(), *votes.images.tolist()]):
                verification = verify(query, self.train.image(row), votes.background)
                if verification.evidence > best.verification.evidence:
                    best = _Match(verification, row, is_mirrored)
        return best


def _statistic(matches: Sequence[_Match]) -> Floats:
    evidence = np.array([match.verification.evidence for match in matches], np.float64)
    return np.exp(-evidence / UNIT)


def _region(match: _Match, size: Ints, train_size: Ints) -> Region | None:
    """The region of a match, in pixels of both images as they are."""
    verification = match.verification
    if not verification.inliers:
        return None
    points, transform = verification.points.copy(), verification.transform.copy()
    (width, height), (train_width, train_height) = size.tolist(), train_size.tolist()
    if match.mirrored:
        points[:, 0] = width - 1 - points[:, 0]
        transform[:, 2] += transform[:, 0] * (width - 1)
        transform[:, 0] *= -1
    corners, area = _hull(points)
    train_corners, train_area = _hull(verification.train_points)
    return Region(
        generated=corners,
        train=train_corners,
        transform=transform,
        mirrored=match.mirrored,
        sizes=((width, height), (train_width, train_height)),
        share=(area / (width * height), train_area / (train_width * train_height)),
    )


def _hull(points: Floats) -> tuple[Floats, float]:
    """Corners and area of the convex hull; the points themselves where they lie on a line."""
    from scipy.spatial import ConvexHull, QhullError

    try:
        hull = ConvexHull(points)
    except QhullError:
        return points, 0.0
    return points[hull.vertices], float(hull.volume)
