"""Scores for people: an HTML page, plain-language readings, a terminal table. Computes nothing."""

from genmem.report.score.interpretation import readings
from genmem.report.score.page import write_report
from genmem.report.score.terminal import score_table

__all__ = ["readings", "score_table", "write_report"]
