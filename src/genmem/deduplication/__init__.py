"""`genmem.duplicates`: which images of a set repeat others, which to keep and which to delete.

duplicates.py   the whole way, in one call
results.py      `DuplicateSearch`, `Match` and `Cluster`, frozen
candidates.py   pairs worth a look: near in a feature space, or equal files
verify.py       whether the two images of a pair show the same picture
clusters.py     pairs → clusters, and the image of each that is kept
"""

from genmem.deduplication.duplicates import duplicates
from genmem.deduplication.results import Cluster, DuplicateSearch, Match

__all__ = ["Cluster", "DuplicateSearch", "Match", "duplicates"]
