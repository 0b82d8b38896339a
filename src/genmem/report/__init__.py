"""Scores for people: an HTML page, plain-language readings, a terminal table. Computes nothing."""

from genmem.report.page import write_report
from genmem.report.readings import readings
from genmem.report.terminal import score_table

__all__ = ["readings", "score_table", "write_report"]
