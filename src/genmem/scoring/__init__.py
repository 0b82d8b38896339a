"""From sets of images or features to a `Score`: extraction and metrics, put together once."""

from genmem.scoring.running import RunningScore
from genmem.scoring.score import score

__all__ = ["RunningScore", "score"]
