"""Plain-language readings of a score: careful sentences that claim no more than the numbers do."""

from __future__ import annotations

import math
import re

from genmem.metrics.registry import resolve
from genmem.report.score.interpretation_types import Reading, same_set
from genmem.report.score.tables import metric_of, value_text
from genmem.results import Result, Score

_REFERENCE = re.compile(r"[\w.]+:\w+")
"""A function as "module:function"; every other interpretation is a sentence."""


def readings(score: Score) -> dict[str, str]:
    """What each metric of `score` says and what it cannot, by metric name."""
    return {name: str(reading) for name, reading in read(score).items()}


def read(score: Score) -> dict[str, Reading]:
    """The readings with finding, limits and sign apart, in the score's order."""
    return {name: _read(name, result, score) for name, result in score.metrics.items()}


def _read(name: str, result: Result, score: Score) -> Reading:
    if not math.isfinite(result.value):
        return Reading(finding="No number came out; the notes say why.")
    metric = metric_of(name)
    if metric is None:
        return Reading(finding="This metric is not installed here, so it is not interpreted.")
    if _REFERENCE.fullmatch(metric.interpretation):
        reading = resolve(metric.interpretation)(result, score)
    else:
        value = value_text(name, result.value)
        reading = Reading(finding=metric.interpretation.replace("{value}", value))
    if same_set(score, "generated", "train"):
        return Reading(
            finding=reading.finding,
            limits="Both sets are the same images, so this says nothing about a generator.",
        )
    return reading
