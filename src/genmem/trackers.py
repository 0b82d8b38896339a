"""Numbers to the trackers of experiments that people use: TensorBoard, W&B, MLflow, trackio."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from genmem.errors import UsageError

_KINDS = (
    "a SummaryWriter of TensorBoard, a run of wandb, the module mlflow or trackio, a logger of "
    "Lightning, or a function of (values, step)"
)


def log_values(values: Mapping[str, float], tracker: Any, *, step: int | None = None) -> None:
    """Send numbers to a tracker; those that are not finite are left out.

    Each tracker has one way to take scalars, by which it is known:

        add_scalar(name, value, step)      TensorBoard's SummaryWriter, tensorboardX
        log_metrics(values, step=step)     the module mlflow, Lightning's loggers
        log(values, step=step)             a run of wandb, the modules wandb and trackio
        tracker(values, step)              any function

    Args:
        values: by name; characters that MLflow does not take in names ("@") become "-".
        tracker: one of these.
        step: the step of the training; None where there is none.

    Raises:
        UsageError: the tracker is none of these.
    """
    finite = {
        re.sub(r"[^\w./ -]", "-", name): float(value)
        for name, value in values.items()
        if math.isfinite(value)
    }
    if isinstance(tracker, str) or tracker is None:
        raise UsageError(f"tracker: expected {_KINDS}, got {tracker!r}.")
    if hasattr(tracker, "add_scalar"):
        for name, value in finite.items():
            tracker.add_scalar(name, value, step)
    elif hasattr(tracker, "log_metrics"):
        tracker.log_metrics(finite, step=step)
    elif hasattr(tracker, "log"):
        tracker.log(finite, step=step)
    elif callable(tracker):
        tracker(finite, step)
    else:
        raise UsageError(f"tracker: expected {_KINDS}, got {type(tracker).__name__}.")
