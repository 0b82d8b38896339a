"""Checks in this process: the device, features, searches and scores against those of the CPU."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

import genmem
from genmem.images import ArraySource
from genmem.torch_settings import default_torch_settings
from genmem.training.common.config import Device

BACKBONES = ("efficientnet-lite0", "pixels@32")
"""They need no download."""

LIKE_TIME = 2.0
"""The largest ratio of the times of two searches that take the same work."""


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes:
        check: what was checked.
        passed: whether it held.
        detail: the numbers.
    """

    check: str
    passed: bool
    detail: str


@dataclass(frozen=True)
class Sizes:
    """How much is computed.

    Attributes:
        images: for features and trainings.
        queries, references, dimension: of the search.
        rows: of each set of a score.
        steps: of each training.
        wide: whether networks have their usual widths.
    """

    images: int
    queries: int
    references: int
    dimension: int
    rows: int
    steps: int
    wide: bool


GPU_SIZES = Sizes(
    images=2_000,
    queries=10_000,
    references=50_000,
    dimension=2_048,
    rows=5_000,
    steps=50,
    wide=True,
)
CPU_SIZES = Sizes(
    images=16, queries=200, references=800, dimension=64, rows=300, steps=4, wide=False
)


def random_images(count: int, *, side: int = 32) -> np.ndarray:
    """Smooth random images, uint8 [count, side, side, 3], the same at every call."""
    rng = np.random.default_rng(0)
    coarse = torch.from_numpy(rng.normal(128, 60, (count, 3, 8, 8)).astype(np.float32))
    smooth = torch.nn.functional.interpolate(coarse, (side, side), mode="bilinear")
    return smooth.clamp(0, 255).round().byte().permute(0, 2, 3, 1).contiguous().numpy()


def check_device(device: Device) -> Row:
    """cuDNN stays on while networks run."""
    with default_torch_settings():
        enabled = torch.backends.cudnn.enabled
        older = torch.backends.cudnn.allow_tf32 or torch.backends.cuda.matmul.allow_tf32
    passed, name = enabled and not older, "the CPU"
    if device == "cuda":
        passed = passed and torch.backends.cudnn.is_available()
        name = f"{torch.cuda.get_device_name()}, cuDNN {torch.backends.cudnn.version()}"
    return Row("cuDNN on, TF32 off", passed, f"{name}, torch {torch.__version__}")


def check_features(name: str, device: Device, sizes: Sizes) -> Row:
    """Rows of a backbone equal those of the CPU to 1e-5."""
    images = random_images(sizes.images)
    few = images[:64]
    on_cpu = _rows(few, name, "cpu")[0]
    rows, seconds = _rows(images, name, device)
    gap = np.abs(rows[: len(few)] - on_cpu).max() / np.abs(on_cpu).max()
    return Row(
        f"features of {name}",
        bool(gap <= 1e-5),
        f"differ by {gap:.1e} from the CPU's; {len(images) / seconds:,.0f} images/s",
    )


def _rows(images: np.ndarray, name: str, device: Device) -> tuple[np.ndarray, float]:
    extractor = genmem.load_backbone(name, device=device)
    with ArraySource(images, name="images", where="images") as source:
        genmem.extract(source, extractor=extractor, cache=None)  # warms up
        started = time.perf_counter()
        rows = genmem.extract(source, extractor=extractor, cache=None).array
    return np.asarray(rows), time.perf_counter() - started


def check_nearest(device: Device, sizes: Sizes) -> Row:
    """A search is the same, in like time, whatever precision the program allows."""
    rng = np.random.default_rng(0)
    queries, references = (
        torch.from_numpy(rng.normal(size=(rows, sizes.dimension)).astype(np.float32)).to(device)
        for rows in (sizes.queries, sizes.references)
    )
    before = torch.get_float32_matmul_precision()
    times, results = {}, {}
    try:
        for precision in ("highest", "high"):
            torch.set_float32_matmul_precision(precision)
            search = lambda: genmem.nearest(queries, references, k=3)  # noqa: E731
            results[precision] = search()
            times[precision] = min(_seconds(search, device) for _ in range(3))
    finally:
        torch.set_float32_matmul_precision(before)
    some = slice(0, 200)
    on_cpu = genmem.nearest(queries[some].cpu(), references.cpu(), k=3)
    same = all(
        torch.equal(result.indices, results["highest"].indices) for result in results.values()
    ) and torch.equal(results["highest"].indices[some].cpu(), on_cpu.indices)
    ratio = max(times.values()) / min(times.values())
    return Row(
        "nearest at precision highest and high",
        same and (device == "cpu" or ratio <= LIKE_TIME),
        f"{'equal' if same else 'NOT equal'}; {times['highest']:.3g} s and {times['high']:.3g} s",
    )


def _seconds(work: Callable[[], Any], device: Device) -> float:
    started = time.perf_counter()
    work()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def check_score(device: Device, sizes: Sizes) -> Row:
    """A score of tensors on the device equals that of arrays on the CPU to 1e-9."""
    rng = np.random.default_rng(0)
    sets: dict[str, Any] = {
        role: rng.normal(size=(sizes.rows, 64)).astype(np.float32)
        for role in ("generated", "train", "test")
    }
    sets["generated"][:20] = sets["train"][:20] * np.float32(1.0001)
    expected = genmem.score(**sets, device="cpu")
    on_device: dict[str, Any] = {
        role: torch.from_numpy(rows).to(device) for role, rows in sets.items()
    }
    started = time.perf_counter()
    score = genmem.score(**on_device, device=device)
    seconds = time.perf_counter() - started
    gaps = {name: abs(float(score[name]) - float(one)) for name, one in expected.metrics.items()}
    worst = max(gaps, key=lambda name: gaps[name])
    return Row(
        f"score of {len(gaps)} metrics",
        gaps[worst] <= 1e-9,
        f"differs by {gaps[worst]:.1e} at most ({worst}); {seconds:.3g} s",
    )
