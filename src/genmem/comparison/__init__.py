"""`genmem.compare`: several generators against one training set, with differences and ranks.

results.py      what a comparison returns
compare.py      scores each model against the same train and test
differences.py  differences of two models with intervals
ranks.py        ranks with ties, from the differences
"""

from genmem.comparison.compare import compare
from genmem.comparison.results import Comparison, Difference, Rank

__all__ = ["Comparison", "Difference", "Rank", "compare"]
