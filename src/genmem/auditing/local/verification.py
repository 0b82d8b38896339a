"""Geometric verification: whether two images share a region, and how surprising that is.

Descriptors of two images are matched, and each match alone says how one image would have to be
moved, rotated and scaled onto the other, since keypoints have a scale and an orientation; pairs
of matches say how it would have to be stretched. The hypothesis that most other matches agree with
is refined to an affine map. So no random samples are drawn, and the result is the same on every
run.

The evidence is −log₁₀ of the number of false alarms: the expected number of hypotheses that as many
matches of a random position would agree with as closely (Moisan and Stival 2004, "A Probabilistic
Criterion to Detect Rigid Point Matches Between Two Images"):

    NFA = min over k of  (n − s) · C(n, k) · C(k, s) · p(e_k)^(k − s),   p(e) = π e² / A,

for n matches, of which the k closest lie within e_k of where the model puts them, A the area of the
training image, and s the number of matches that decide the model. No threshold on distances is
chosen: a model that fits few matches exactly competes with one that fits many roughly. The number
orders pairs; its p-value comes from honest images, not from this model of chance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from genmem.auditing.local.keypoints import SHORT_SIDE, Keypoints

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

RATIO = 0.85
"""A match is nearer than its background by this factor at least."""

MAX_ERROR = 0.03
"""Matches farther from where the model puts them than this share of the short side never agree."""

SMALLEST_ERROR = 1.0
"""In pixels of an image of `SHORT_SIDE`; keypoints are located no better."""

_MOST_ANGLE = np.pi / 6
_MOST_LOG_SCALE = np.log(1.6)
_MOST_HYPOTHESES = 100
_MOST_IN_PAIRS = 40
_MOST_LOG_STRETCH = np.log(3)
_SMALLEST_STEP = 12.0
_ENOUGH = 50.0
_REFINEMENTS = 3
_SIMILARITY, _STRETCH, _AFFINE = 1, 2, 3


@dataclass(frozen=True)
class Verification:
    """What two images share.

    Attributes:
        evidence: −log₁₀ of the number of false alarms, at least 0.
        inliers: number of matches that agree, each at a place of its own in both images.
        points: float64 [i, 2], their x and y in pixels of the first image.
        train_points: float64 [i, 2], in pixels of the training image.
        transform: float64 [2, 3], affine map from the first image's pixels to the training image's.
    """

    evidence: float
    inliers: int
    points: Floats
    train_points: Floats
    transform: Floats


NO_MATCH = Verification(0.0, 0, np.empty((0, 2)), np.empty((0, 2)), np.eye(2, 3))


def match_descriptors(
    query: Keypoints, train: Keypoints, background: NDArray[np.float32]
) -> tuple[Ints, Ints]:
    """Mutually nearest descriptors that are nearer than the background, each at its own place.

    Args:
        query: keypoints of the first image.
        train: keypoints of the training image.
        background: float32 [p], as in `Votes`.

    Returns:
        int64 [m] each: numbers of the query's and of the training image's keypoints, the clearest
        matches first.
    """
    if not len(query.points) or not len(train.points):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    first, second = (k.descriptors.astype(np.float32) for k in (query, train))
    squared = (first**2).sum(axis=1)[:, None] + (second**2).sum(axis=1) - 2 * first @ second.T
    nearest = squared.argmin(axis=1)
    rows = np.arange(len(first))
    distance = squared[rows, nearest]
    clear = distance <= RATIO**2 * background
    clear &= squared.argmin(axis=0)[nearest] == rows
    rows = rows[clear]
    rows = rows[np.argsort(distance[rows] / np.maximum(background[rows], 1), kind="stable")]
    columns = nearest[rows]
    chosen = _at_own_places(query, rows)
    rows, columns = rows[chosen], columns[chosen]
    chosen = _at_own_places(train, columns)
    return rows[chosen], columns[chosen]


def _at_own_places(keypoints: Keypoints, numbers: Ints) -> Ints:
    """Positions of the first of the numbered keypoints at each place, ascending."""
    places = np.rint(keypoints.points[numbers, :2] / _unit(keypoints)).astype(np.int64)
    return np.sort(np.unique(places, axis=0, return_index=True)[1])


def _unit(keypoints: Keypoints) -> float:
    """The pixels of the image that are one pixel of its reduced form."""
    return min(keypoints.width, keypoints.height) / SHORT_SIDE


def verify(query: Keypoints, train: Keypoints, background: NDArray[np.float32]) -> Verification:
    """The region that two images share.

    Args:
        query: keypoints of the first image, mirrored or not.
        train: keypoints of the training image.
        background: float32 [p], as in `Votes`.
    """
    rows, columns = match_descriptors(query, train, background)
    if len(rows) < _AFFINE + 1:
        return NO_MATCH
    unit = _unit(train)
    x, y = query.points[rows].astype(np.float64), train.points[columns].astype(np.float64)
    area = train.width * train.height / unit**2
    best = _best_hypothesis(*_similarities(x, y), x, y, area=area, unit=unit, sample=_SIMILARITY)
    if best.evidence < _ENOUGH:
        models, agree = _stretches(x, y, smallest=_SMALLEST_STEP * unit)
        if len(models):
            other = _best_hypothesis(models, agree, x, y, area=area, unit=unit, sample=_STRETCH)
            best = max(best, other, key=lambda hypothesis: hypothesis.evidence)
    best = _refine(best, x, y, area=area, unit=unit)
    if best.evidence <= 0:
        return NO_MATCH
    members = best.members
    return Verification(
        best.evidence, int(members.sum()), x[members, :2], y[members, :2], best.model
    )


@dataclass(frozen=True)
class _Hypothesis:
    """A model, the matches that may agree with it, those that do, and their evidence."""

    model: Floats
    agree: Bools
    members: Bools
    evidence: float


def _best_hypothesis(
    models: Floats, agree: Bools, x: Floats, y: Floats, *, area: float, unit: float, sample: int
) -> _Hypothesis:
    errors = np.where(agree, _errors(models, x, y) / unit, np.inf)
    evidence, members = _evidence(errors, area, sample)
    best = int(evidence.argmax())
    return _Hypothesis(models[best], agree[best], members[best], float(evidence[best]))


def _refine(best: _Hypothesis, x: Floats, y: Floats, *, area: float, unit: float) -> _Hypothesis:
    """The affine least-squares fit to the members, again and again while the evidence grows."""
    for _ in range(_REFINEMENTS):
        if best.members.sum() <= _AFFINE:
            break
        model = _fit_affine(x[best.members, :2], y[best.members, :2])
        if model is None:
            break
        refined = _best_hypothesis(
            model[None], best.agree[None], x, y, area=area, unit=unit, sample=_AFFINE
        )
        if refined.evidence <= best.evidence:
            break
        best = refined
    return best


def _similarities(x: Floats, y: Floats) -> tuple[Floats, Bools]:
    """A similarity transform from each match, and which matches agree with it in scale and angle.

    Args:
        x: float64 [m, 4], the first image's keypoint of each match.
        y: float64 [m, 4], the training image's.

    Returns:
        float64 [h, 2, 3] and bool [h, m].
    """
    angle, log_scale = y[:, 3] - x[:, 3], np.log(y[:, 2] / x[:, 2])
    chosen = slice(_MOST_HYPOTHESES)
    scale = np.exp(log_scale[chosen])
    cos, sin = scale * np.cos(angle[chosen]), scale * np.sin(angle[chosen])
    models = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], axis=1)
    shift = y[chosen, :2] - np.einsum("hij,hj->hi", models, x[chosen, :2])
    turn = (angle - angle[chosen, None] + np.pi) % (2 * np.pi) - np.pi
    agree = np.abs(turn) <= _MOST_ANGLE
    agree &= np.abs(log_scale - log_scale[chosen, None]) <= _MOST_LOG_SCALE
    return np.concatenate([models, shift[:, :, None]], axis=2), agree


def _stretches(x: Floats, y: Floats, *, smallest: float) -> tuple[Floats, Bools]:
    """Axis-aligned stretches from pairs of upright matches: collages and banners squeeze images.

    Args:
        x: float64 [m, 4], the first image's keypoint of each match.
        y: float64 [m, 4], the training image's.
        smallest: distance along both axes that a pair must have, in pixels.

    Returns:
        float64 [h, 2, 3] and bool [h, m].
    """
    turn = (y[:, 3] - x[:, 3] + np.pi) % (2 * np.pi) - np.pi
    is_upright = np.abs(turn) <= _MOST_ANGLE
    first, second = np.triu_indices(min(len(x), _MOST_IN_PAIRS), k=1)
    steps, train_steps = (k[second, :2] - k[first, :2] for k in (x, y))
    usable = is_upright[first] & is_upright[second]
    usable &= (np.minimum(np.abs(steps), np.abs(train_steps)) >= smallest).all(axis=1)
    first, steps, train_steps = first[usable], steps[usable], train_steps[usable]
    scales = train_steps / steps
    usable = (scales > 0).all(axis=1)
    usable &= np.abs(np.log(np.abs(scales[:, 0] / scales[:, 1]))) <= _MOST_LOG_STRETCH
    first, scales = first[usable], scales[usable]
    models = np.zeros((len(first), 2, 3))
    models[:, [0, 1], [0, 1]] = scales
    models[:, :, 2] = y[first, :2] - scales * x[first, :2]
    log_scale = np.log(y[:, 2] / x[:, 2])
    expected = np.log(scales).mean(axis=1)
    agree = is_upright & (np.abs(log_scale - expected[:, None]) <= _MOST_LOG_SCALE)
    return models, agree


def _errors(models: Floats, x: Floats, y: Floats) -> Floats:
    """Distances in the training image, float64 [h, m]."""
    mapped = np.einsum("hij,mj->hmi", models[:, :, :2], x[:, :2]) + models[:, None, :, 2]
    return np.sqrt(((mapped - y[:, :2]) ** 2).sum(axis=2))


def _evidence(errors: Floats, area: float, sample: int) -> tuple[Floats, Bools]:
    """−log₁₀ NFA of each model, at least 0, and its inliers.

    Args:
        errors: float64 [h, m], in pixels of the reduced training image; infinite for matches that
            cannot agree.
        area: of that image.
        sample: matches that decide the model.
    """
    matches = errors.shape[1]
    limit = MAX_ERROR * SHORT_SIDE
    ordered = np.maximum(np.sort(errors, axis=1), SMALLEST_ERROR)
    k = np.arange(1, matches + 1)
    combinations = np.full(matches, np.inf)
    valid = k > sample
    combinations[valid] = (
        np.log10(matches - sample)
        + _log10_choose(matches, k[valid])
        + _log10_choose(k[valid], sample)
    )
    log_p = np.log10(np.minimum(np.pi * np.minimum(ordered, limit) ** 2 / area, 1.0))
    evidence = -(combinations + np.maximum(k - sample, 0) * log_p)
    evidence = np.where(ordered <= limit, evidence, -np.inf)
    count = evidence.argmax(axis=1)
    best = evidence[np.arange(len(errors)), count]
    threshold = ordered[np.arange(len(errors)), count]
    return np.maximum(best, 0.0), np.maximum(errors, SMALLEST_ERROR) <= threshold[:, None]


def _log10_choose(n: Ints | int, k: Ints | int) -> Floats:
    total, chosen = np.asarray(n, np.float64), np.asarray(k, np.float64)
    return (gammaln(total + 1) - gammaln(chosen + 1) - gammaln(total - chosen + 1)) / np.log(10)


def _fit_affine(x: Floats, y: Floats) -> Floats | None:
    """The least-squares affine map, float64 [2, 3]; None where the points lie on a line."""
    design = np.column_stack([x, np.ones(len(x))])
    solution, _, rank, _ = np.linalg.lstsq(design - [*x.mean(axis=0), 0], y, rcond=1e-6)
    if rank < _AFFINE:
        return None
    matrix = solution[:2].T
    columns = np.column_stack([matrix, solution[2] - matrix @ x.mean(axis=0)])
    return columns.astype(np.float64, copy=False)
