"""`python -m studies.gpu_check [--device cuda|cpu]`: a table of checks.

Exit code 0: all passed; 1: some failed; 2: there is no GPU.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from genmem.training.common.config import Device, Precision
from studies.gpu_check.checks import (
    BACKBONES,
    CPU_SIZES,
    GPU_SIZES,
    Row,
    check_device,
    check_features,
    check_nearest,
    check_score,
)
from studies.gpu_check.training import PRECISIONS, check_training, check_workers


def rows(device: Device, folder: Path) -> Iterator[Row]:
    """The results of all checks; one that raises has failed, and the others go on."""
    sizes = CPU_SIZES if device == "cpu" else GPU_SIZES
    for name, check in (
        ("device", lambda: [check_device(device)]),
        *(
            (f"features of {name}", lambda name=name: [check_features(name, device, sizes)])
            for name in BACKBONES
        ),
        ("nearest", lambda: [check_nearest(device, sizes)]),
        ("score", lambda: [check_score(device, sizes)]),
        *((f"training in {one}", _training(device, one, folder)) for one in PRECISIONS),
        ("workers", lambda: [check_workers(device, folder)]),
    ):
        yield from _results(name, check)


def _training(device: Device, precision: Precision, folder: Path) -> Callable[[], list[Row]]:
    return lambda: check_training(device, precision, folder / precision)


def _results(name: str, check: Callable[[], list[Row]]) -> list[Row]:
    try:
        return check()
    except Exception as error:  # whatever a machine does that no one has seen yet
        return [Row(name, False, f"{type(error).__name__}: {' '.join(str(error).split())[:150]}")]


def main() -> int:
    """Do all checks, print the table, and return the exit code."""
    parser = argparse.ArgumentParser(prog="gpu-check", description="Check genmem on this GPU.")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    device: Device = parser.parse_args().device
    if device == "cuda" and not torch.cuda.is_available():
        print("gpu-check: there is no CUDA GPU here; --device cpu tries the checks.")
        return 2
    started, failed = time.perf_counter(), 0
    with tempfile.TemporaryDirectory(prefix="genmem-gpu-check-") as folder:
        for row in rows(device, Path(folder)):
            failed += not row.passed
            state = "ok" if row.passed else "FAILED"
            print(f"{state:6}  {row.check:44}  {row.detail}", flush=True)
    seconds = time.perf_counter() - started
    print(f"{failed} of the checks failed; {seconds:.0f} s on {device}.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
