"""Nearest neighbours on feature arrays: exact, blocked, mergeable. Arrays in, arrays out."""

from genmem.neighbors._rows import METRICS, Metric
from genmem.neighbors.balls import count_balls
from genmem.neighbors.exact import Nearest, NearestNeighbors, nearest

__all__ = ["METRICS", "Metric", "Nearest", "NearestNeighbors", "count_balls", "nearest"]
