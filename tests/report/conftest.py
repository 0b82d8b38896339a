"""Scores like those of `genmem.score`, with real CIFAR images in the gallery if available."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser

from genmem.results import InputSummary, Interval, Pair, Result, Score
from genmem.scoring.verdict_evidence import judge

from .browser import chromium

ROOT = Path(__file__).parents[2]
N = {"generated": 10_000, "train": 50_000}


def data_folder() -> Path:
    return ROOT / os.environ.get("GENMEM_TEST_DATA", "../shared/data")


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def pictures(count: int) -> list[bytes]:
    """Real 32 × 32 images if the data is available, otherwise smooth color ramps."""
    archive = data_folder() / "cifar10" / "test.zip"
    if archive.exists():
        with zipfile.ZipFile(archive) as zipped:
            names = [name for name in zipped.namelist() if name.endswith(".jpg")]
            step = len(names) // count
            opened = (Image.open(io.BytesIO(zipped.read(name))) for name in names[::step][:count])
            return [png(np.asarray(image.convert("RGB"))) for image in opened]
    ramp = np.linspace(0, 255, 32, dtype=np.uint8)
    return [
        png(np.stack([np.tile(np.roll(ramp, shift), (32, 1))] * 3, axis=2))
        for shift in range(count)
    ]


def build_pairs(count: int) -> tuple[Pair, ...]:
    images = pictures(count)
    rng = np.random.default_rng(0)
    pairs = []
    for rank, image in enumerate(images):
        pixels = np.asarray(Image.open(io.BytesIO(image))).astype(float)
        noisy = np.clip(pixels + rng.normal(0, 6, pixels.shape), 0, 255).astype(np.uint8)
        pairs.append(
            Pair(
                generated_id=f"samples/{rank:05d}.png",
                train_id=f"automobile/{4000 + rank:04d}.jpg",
                distance=0.003 + 0.002 * rank,
                generated_png=png(noisy),
                train_png=image,
            )
        )
    return tuple(pairs)


def copied(value: float, *, low: float, high: float, images: int = 10_000, **parts) -> Result:
    """A copied fraction with its interval."""
    return Result(
        name="copied_fraction",
        value=value,
        n={"generated": images, "train": 50_000, "test": images},
        interval=Interval(low=low, high=high, level=0.95, method="exact: beta-binomial inversion"),
        parts={"threshold": 0.1, "below": round(high * images), "p_value": 1e-9, **parts},
    )


def results(names: Mapping[str, Result] | None = None) -> dict[str, Result]:
    listed = [
        Result(
            name="fd",
            value=12.345678,
            n=N,
            interval=Interval(low=11.9, high=12.8, level=0.95, method="bootstrap"),
        ),
        Result(name="kd", value=0.0021, n=N, seed=0, parts={"deviation": 0.0003}),
        Result(name="precision", value=0.7342, n=N),
        Result(name="recall", value=0.6123, n=N),
        Result(name="density", value=1.021, n=N),
        Result(name="coverage", value=0.873, n=N),
        Result(name="memorization_distance", value=0.1837, n=N),
        Result(
            name="mifid",
            value=12.345678,
            n=N,
            parts={
                "fd": 12.345678,
                "memorization_distance": 0.1837,
                "penalty": 1.0,
                "tau": 0.1,
            },
        ),
        Result(name="c_t", value=-4.29, n={**N, "test": 10_000}, seed=0),
        copied(0.0496, low=0.0447, high=0.0562),
        Result(
            name="memorization_ratio",
            value=0.0512,
            n=N,
            notes=("36 training images are duplicates.",),
        ),
        Result(name="authpct", value=52.3, n=N),
        Result(
            name="nn_quantiles",
            value=0.2026,
            n={**N, "test": 10_000},
            parts={
                "levels": [0.0, 0.001, 0.005, 0.01, 0.05, 0.25, 0.5, 0.75, 1.0],
                "generated": [0.0004, 0.001, 0.003, 0.005, 0.041, 0.169, 0.2026, 0.236, 0.42],
                "test": [0.086, 0.102, 0.117, 0.125, 0.147, 0.185, 0.2163, 0.25, 0.44],
                "below_test": [0.05, 0.051, 0.053, 0.057, 0.098, 0.31, 0.54, 0.78, 1.0],
            },
        ),
    ]
    return {result.name: result for result in listed} | dict(names or {})


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="session")
def make_score() -> Callable[..., Score]:
    """A factory: a score with 5 % copies, changed by `replace`-style keywords."""
    return build_score


@pytest.fixture(scope="session")
def make_copied() -> Callable[..., Result]:
    """A factory: a copied fraction with its interval."""
    return copied


def build_score(**changes: object) -> Score:
    base = _base_score()
    own = {name: dict(getattr(base, name)) for name in ("metrics", "inputs", "nearest")}
    score = replace(base, **own | changes)  # type: ignore[arg-type]
    return score if "verdict" in changes else replace(score, verdict=judge(score))


@cache
def _base_score() -> Score:
    rng = np.random.default_rng(1)
    test = rng.gamma(22, 0.01, 10_000)
    generated = np.concatenate([rng.gamma(21, 0.01, 9_500), rng.gamma(2, 0.012, 500)])
    return Score(
        metrics=results(),
        inputs={
            "generated": InputSummary(
                source="samples.zip",
                kind="images",
                count=10_000,
                digest="9f2c" * 8,
                skipped=("samples/00017.png", "samples/00018.png"),
            ),
            "train": InputSummary(
                source="train.zip", kind="images", count=50_000, digest="a41b" * 8
            ),
            "test": InputSummary(source="test.zip", kind="images", count=10_000, digest="07de" * 8),
        },
        backbone={
            "name": "efficientnet-lite0",
            "dimension": 1280,
            "preprocessing": "bicubic 256, centre 224, mean = std = 0.5, v1",
            "weights_sha256": "c0ffee" * 10,
            "engine": "onnxruntime 1.23",
        },
        provenance={
            "genmem": "0.1.0",
            "python": "3.11.7",
            "numpy": "2.4.6",
            "torch": "2.15.0",
            "seed": 0,
            "date": "2026-11-22T15:47:00Z",
        },
        seconds={"features": 581.2, "neighbors": 24.4, "metrics": 11.03, "total": 616.6},
        nearest={"generated": generated, "test": test},
        closest=build_pairs(24),
    )
