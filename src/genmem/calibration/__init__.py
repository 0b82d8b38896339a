"""Thresholds and margins from labelled distances, and the analysis of a competition's table.

calibrate.py          a feature space's threshold and margins; the ranking of several spaces
thresholds.py         τ* by false-penalty rate, error or balanced error
margins.py            AUC, d′ and gap: how well a feature space separates honest from cheating
from_images.py        the same from labelled sets of images; loads torch, so import it by name
labels.py             which labels are honest, which cheating, which not reviewed
tables.py             results tables as CSV, checked row by row
analyze.py            a results table → everything `genmem analyze` shows
competition.py        penalized scores and ranks, agreement of leaderboards, work of reviewers
null_distribution.py  p-values against honest images
q_values.py           false-discovery rates (Benjamini–Hochberg), and how many copies they need
results.py            the results, frozen
"""

from genmem.calibration.analyze import PUBLIC_TABLE, Board, analyze
from genmem.calibration.calibrate import calibrate, calibrate_table, rank_spaces
from genmem.calibration.competition import (
    agreement,
    correlation,
    penalized_score,
    ranked_score,
    review,
    sweep,
)
from genmem.calibration.labels import Labels
from genmem.calibration.margins import auc, d_prime, dispersion, margins
from genmem.calibration.results import (
    CRITERIA,
    Agreement,
    Analysis,
    BoardResult,
    Calibration,
    Correlation,
    Criterion,
    Dispersion,
    Margins,
    Review,
    Sweep,
    Threshold,
    ThresholdReview,
)
from genmem.calibration.tables import Table, read_table
from genmem.calibration.thresholds import choose_threshold, evaluate_threshold

__all__ = [
    "CRITERIA",
    "PUBLIC_TABLE",
    "Agreement",
    "Analysis",
    "Board",
    "BoardResult",
    "Calibration",
    "Correlation",
    "Criterion",
    "Dispersion",
    "Labels",
    "Margins",
    "Review",
    "Sweep",
    "Table",
    "Threshold",
    "ThresholdReview",
    "agreement",
    "analyze",
    "auc",
    "calibrate",
    "calibrate_table",
    "choose_threshold",
    "correlation",
    "d_prime",
    "dispersion",
    "evaluate_threshold",
    "margins",
    "penalized_score",
    "rank_spaces",
    "ranked_score",
    "read_table",
    "review",
    "sweep",
]
