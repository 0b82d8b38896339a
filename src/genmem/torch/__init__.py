"""Metrics in torchmetrics' manner: `update(images, real=…)`, `compute`, `reset`.

    from genmem.torch import FrechetDistance as FrechetInceptionDistance  # the one changed line

They are `torchmetrics.Metric`s (extra `torchmetrics`), so Lightning's `log` takes them and the
ranks of `torch.distributed` are joined by `compute`. For all metrics at once, with intervals and a
verdict, use `genmem.RunningScore`.

    states.py    the base: images to features, kept as rows or as moments, joined over ranks
    metrics.py   the metrics
"""

from genmem.torch.metrics import (
    FrechetDistance,
    KernelDistance,
    MemorizationDistance,
    MiFID,
    PrecisionRecallDensityCoverage,
)

__all__ = [
    "FrechetDistance",
    "KernelDistance",
    "MemorizationDistance",
    "MiFID",
    "PrecisionRecallDensityCoverage",
]
