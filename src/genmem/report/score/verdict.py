"""The verdict above the metrics, as `genmem.scoring.verdict_evidence` computed it."""

from __future__ import annotations

from genmem.report.common.verdict import Banner, render_verdict
from genmem.results import Score


def verdict(score: Score) -> Banner:
    """The verdict of a score with its style and heading."""
    return render_verdict(score.verdict)
