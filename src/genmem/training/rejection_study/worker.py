"""Trains one run of a study after the other: `python -m genmem.training.rejection_study.worker`.

A JSON line of stdin is a run: {"settings": …, "folder": …, "device": …}; the end of stdin ends the
process. Its own JSON lines on stdout are `["progress", done, total]`, about once a second, and
`["over", code, reason]` when the run is: with 0 it is finished, with 2 it failed, with 4 it came to
an end of its own (τ rejects everything, a loss is no number), with 130 it was stopped and saved.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from genmem.training.common.signals import INTERRUPTED

FINISHED, FAILED, ENDED = 0, 2, 4


def train_one(asked: dict[str, Any]) -> tuple[int, str]:
    """Train a run, from its checkpoint where it has one; the code and why it is over."""
    from genmem.errors import GenmemError
    from genmem.training.common.checkpoint import CHECKPOINT_FILE
    from genmem.training.gan.config import GanConfig
    from genmem.training.gan.train import DivergedError, train
    from genmem.training.rejection.rejection import RejectsEverythingError

    folder = Path(asked["folder"])
    told = 0.0

    def progress(stage: str, done: int, total: int | None) -> None:
        nonlocal told
        now = time.monotonic()
        if stage.startswith("training ") and (done == total or now - told > 1):
            told = now
            say("progress", done, total)

    try:
        ending = train(
            GanConfig(**asked["settings"]),
            folder,
            resume=(folder / CHECKPOINT_FILE).is_file(),
            device=asked["device"],
            progress=progress,
        )
    except (RejectsEverythingError, DivergedError) as error:
        return ENDED, str(error)
    except GenmemError as error:
        return FAILED, str(error)
    return (INTERRUPTED, "stopped") if ending.interrupted else (FINISHED, "")


def say(*line: Any) -> None:
    """One line on stdout, at once."""
    print(json.dumps(line), flush=True)


def main() -> int:
    """Train what comes on stdin; the exit code."""
    for line in sys.stdin:
        code, reason = train_one(json.loads(line))
        say("over", code, reason)
        if code == INTERRUPTED:
            return INTERRUPTED
    return 0


if __name__ == "__main__":
    try:
        code = main()
    except KeyboardInterrupt:
        code = INTERRUPTED
    sys.exit(code)
