"""Nearest neighbors on feature arrays: exact, blocked, mergeable. Arrays in, arrays out.

Small arrays are searched without torch, whose import takes longer than the search.

exact.py           the k nearest references of each query; leave-one-out distances
distances.py       the distances, and float64 distances of pairs
balls.py           which rows of two sets lie in the balls of the other set
float32_bound.py   the float32 bound that makes the search exact
equal_rows.py      groups of equal rows, which are searched once
_state.py          the neighbors of a search so far
_small.py          searches of small sets, in NumPy
_blocked.py        searches of large sets, in torch, by blocks
_blocks.py         float32 blocks of rows and their scores
_block_search.py   candidates of a block of queries, by their float32 scores
_rounding.py       whether this machine multiplies bfloat16 rows faster
_ball_pairs.py     balls, and whether a row lies in one
_ball_blocks.py    balls of large sets, in torch, by blocks
"""

from genmem.neighbors.balls import BallOverlap, ball_overlap, count_balls
from genmem.neighbors.distances import METRICS, Metric
from genmem.neighbors.equal_rows import group_equal_rows
from genmem.neighbors.exact import (
    Candidates,
    Nearest,
    NearestNeighbors,
    nearest,
    nearest_other,
    update_together,
)

__all__ = [
    "METRICS",
    "BallOverlap",
    "Candidates",
    "Metric",
    "Nearest",
    "NearestNeighbors",
    "ball_overlap",
    "count_balls",
    "group_equal_rows",
    "nearest",
    "nearest_other",
    "update_together",
]
