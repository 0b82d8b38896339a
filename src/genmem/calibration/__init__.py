"""Thresholds and margins from labelled distances, and the analysis of a competition's table.

`calibration.sets` calibrates from images; it loads torch, so it is imported by its own name.
"""

from genmem.calibration.analyze import PUBLIC_TABLE, Board, analyze
from genmem.calibration.calibrate import calibrate, calibrate_table, ranked
from genmem.calibration.competition import (
    agreement,
    correlation,
    penalised_score,
    review,
    sweep,
)
from genmem.calibration.labels import Labels
from genmem.calibration.margins import auc, d_prime, dispersion, margins
from genmem.calibration.results import (
    CRITERIA,
    Agreement,
    Analysis,
    BoardFinding,
    Calibration,
    Correlation,
    Criterion,
    Dispersion,
    Margins,
    Review,
    ReviewCase,
    Sweep,
    Threshold,
)
from genmem.calibration.tables import Table, read_table
from genmem.calibration.thresholds import effect, threshold

__all__ = [
    "CRITERIA",
    "PUBLIC_TABLE",
    "Agreement",
    "Analysis",
    "Board",
    "BoardFinding",
    "Calibration",
    "Correlation",
    "Criterion",
    "Dispersion",
    "Labels",
    "Margins",
    "Review",
    "ReviewCase",
    "Sweep",
    "Table",
    "Threshold",
    "agreement",
    "analyze",
    "auc",
    "calibrate",
    "calibrate_table",
    "correlation",
    "d_prime",
    "dispersion",
    "effect",
    "margins",
    "penalised_score",
    "ranked",
    "read_table",
    "review",
    "sweep",
    "threshold",
]
