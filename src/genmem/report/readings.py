"""Plain-language readings of a score: careful sentences that claim no more than the numbers do."""

from __future__ import annotations

import math
from collections.abc import Callable

from genmem.report import _copying, _quality
from genmem.report._reading import Reading, same_set
from genmem.results import Result, Score

_READERS: dict[str, Callable[[Result, Score], Reading]] = {
    "fd": _quality.fd,
    "fid": _quality.fd,
    "fd_infinity": _quality.fd_infinity,
    "kd": _quality.kd,
    "inception_score": _quality.inception_score,
    "precision": _quality.precision,
    "recall": _quality.recall,
    "density": _quality.density,
    "coverage": _quality.coverage,
    "c_t": _copying.c_t,
    "copied_fraction": _copying.copied_fraction,
    "memorization_distance": _copying.memorization_distance,
    "mifid": _copying.mifid,
    "memorization_ratio": _copying.memorization_ratio,
    "authpct": _copying.authpct,
    "nn_quantiles": _copying.nn_quantiles,
}


def readings(score: Score) -> dict[str, str]:
    """What each metric of `score` says and what it cannot, by metric name."""
    return {name: str(reading) for name, reading in read(score).items()}


def read(score: Score) -> dict[str, Reading]:
    """The readings with finding, limits and sign apart, in the score's order."""
    return {name: _read(name, result, score) for name, result in score.metrics.items()}


def _read(name: str, result: Result, score: Score) -> Reading:
    if not math.isfinite(result.value):
        return Reading(finding="No number came out; the notes say why.")
    if name not in _READERS:
        return Reading(finding="This version of the report has no words for this metric.")
    reading = _READERS[name](result, score)
    if same_set(score, "generated", "train"):
        return Reading(
            finding=reading.finding,
            limits="Both sets are the same images, so this says nothing about a generator.",
        )
    return reading
