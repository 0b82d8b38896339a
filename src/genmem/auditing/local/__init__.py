"""Local evidence: regions that a generated image shares with a training image.

Features of whole images miss copies of a part: crops, collages, cut-outs, pasted pictures. Here the
small distinctive places of two images are matched, and a region counts where one geometric model
places many of them. Needs the extra `local` (OpenCV, faiss).

evidence.py      `local_evidence`: the whole way for all images, honest ones too
results.py       `LocalEvidence` and `Region`, frozen
keypoints.py     SIFT keypoints of images, stored compactly
retrieval.py     candidate training images by votes of single descriptors
verification.py  geometric verification of a pair: inliers, region, number of false alarms
availability.py  whether it can be looked for, and what it costs
"""

from genmem.auditing.local.availability import (
    SMALLEST_SIDE,
    estimate_local,
    reason_without_local,
)
from genmem.auditing.local.evidence import CANDIDATES, HonestImages, local_evidence
from genmem.auditing.local.results import LOCAL, LocalEvidence, Region

__all__ = [
    "CANDIDATES",
    "LOCAL",
    "SMALLEST_SIDE",
    "HonestImages",
    "LocalEvidence",
    "Region",
    "estimate_local",
    "local_evidence",
    "reason_without_local",
]
