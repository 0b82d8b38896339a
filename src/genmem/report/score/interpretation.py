"""Plain-language readings of a score: careful sentences that claim no more than the numbers do."""

from __future__ import annotations

import math
from collections.abc import Callable

from genmem.report.score import interpret_copying, interpret_quality
from genmem.report.score.interpretation_types import Reading, same_set
from genmem.results import Result, Score

_READERS: dict[str, Callable[[Result, Score], Reading]] = {
    "fd": interpret_quality.fd,
    "fid": interpret_quality.fd,
    "fd_infinity": interpret_quality.fd_infinity,
    "kd": interpret_quality.kd,
    "inception_score": interpret_quality.inception_score,
    "precision": interpret_quality.precision,
    "recall": interpret_quality.recall,
    "density": interpret_quality.density,
    "coverage": interpret_quality.coverage,
    "c_t": interpret_copying.c_t,
    "copied_fraction": interpret_copying.copied_fraction,
    "memorization_distance": interpret_copying.memorization_distance,
    "mifid": interpret_copying.mifid,
    "memorization_ratio": interpret_copying.memorization_ratio,
    "authpct": interpret_copying.authpct,
    "nn_quantiles": interpret_copying.nn_quantiles,
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
