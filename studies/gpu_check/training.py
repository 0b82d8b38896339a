"""Trainings of a few steps, stopped and resumed, and workers of a study, in processes of their own.

`python -m studies.gpu_check.training DEVICE PRECISION FOLDER` trains every model in one precision
(one process trains in one precision) and prints a JSON line for each.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, cast

import torch
from PIL import Image

from genmem.errors import GenmemError
from genmem.training.common.config import Device, Precision
from genmem.training.common.dataset import load_training_images
from genmem.training.common.run_log import read_log
from genmem.training.diffusion.config import DiffusionConfig, UNetConfig
from genmem.training.diffusion.train import train as train_diffusion
from genmem.training.gan.config import GanConfig
from genmem.training.gan.train import train as train_gan
from genmem.training.sweep.local_backend import LocalBackend, visible_gpus
from genmem.training.sweep.run_spec import RunSpec
from studies.gpu_check.checks import CPU_SIZES, GPU_SIZES, Row, Sizes, random_images

GANS = ("dcgan", "sagan", "biggan")
DIFFUSION = ("ddpm++", "ncsn++")
PRECISIONS: tuple[Precision, ...] = ("full", "bf16", "fp16")

_IMAGES = "images"
_DEADLINE = 240.0


def check_training(device: Device, precision: Precision, folder: Path) -> list[Row]:
    """Every model trains some steps in a precision, stops, and is resumed."""
    if precision == "fp16" and device == "cpu":
        return []
    command = [sys.executable, "-m", __spec__.name, device, precision, str(folder)]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=_DEADLINE)
    except subprocess.TimeoutExpired:
        return [Row(f"training in {precision}", False, f"not done after {_DEADLINE:.0f} s")]
    rows = [Row(**json.loads(line)) for line in run.stdout.splitlines() if line.startswith("{")]
    if run.returncode:
        last = run.stderr.strip().splitlines()[-1:] or [f"exit code {run.returncode}"]
        rows.append(Row(f"training in {precision}", False, last[0]))
    return rows


def train_all(device: Device, precision: Precision, folder: Path) -> None:
    """Train every model and print a row for each."""
    sizes = CPU_SIZES if device == "cpu" else GPU_SIZES
    folder.mkdir(parents=True, exist_ok=True)
    _write_images(folder / _IMAGES, max(64, sizes.images))
    for model in (*GANS, *DIFFUSION):
        started = time.perf_counter()
        train = _train_gan if model in GANS else _train_diffusion
        try:
            losses = train(model, device, precision, sizes, folder)
            passed = bool(losses) and all(map(math.isfinite, losses))
            seconds = time.perf_counter() - started
            detail = f"{sizes.steps} steps, stopped and resumed; {seconds:.3g} s"
        except (GenmemError, RuntimeError) as error:
            passed, detail = False, " ".join(str(error).split())[:120]
        row = Row(f"{model} in {precision}", passed, detail)
        print(json.dumps(row.__dict__), flush=True)


def _write_images(folder: Path, count: int) -> None:
    """PNG files in two classes, half of them in each."""
    for number, image in enumerate(random_images(count)):
        path = folder / f"class-{number % 2}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)


def _train_gan(
    model: str, device: Device, precision: Precision, sizes: Sizes, folder: Path
) -> list[float]:
    narrow: dict[str, Any] = {} if sizes.wide else {"width": 8, "batch_size": 4}
    config = GanConfig(
        model=cast(Any, model),
        train=str(folder / _IMAGES),
        steps=sizes.steps,
        precision=precision,
        tau=1e-3,
        backbone="pixels",
        log_every=1,
        discriminator_steps=1,
        sample_every=0,
        evaluate_every=0,
        **narrow,
    )
    out, half = folder / f"{model}-{precision}", sizes.steps // 2
    train_gan(config, out, device=device, stop=lambda step: step == half)
    if train_gan(config, out, device=device, resume=True).step != sizes.steps:
        return []
    return [line["generator_loss"] for line in read_log(out / "log.jsonl")]


def _train_diffusion(
    model: str, device: Device, precision: Precision, sizes: Sizes, folder: Path
) -> list[float]:
    narrow: dict[str, Any] = {}
    if not sizes.wide:
        narrow = {"channels": 8, "multipliers": (1, 2), "blocks": 1, "attention": (16,)}
    config = DiffusionConfig(
        network=UNetConfig(model=cast(Any, model), image_size=32, **narrow),
        steps=sizes.steps,
        batch_size=64 if sizes.wide else 4,
        precision=precision,
        snapshots=1,
        samples=0,
    )
    data = load_training_images(str(folder / _IMAGES))
    out = folder / f"{model}-{precision}"
    train_diffusion(data, out, config, device=device, stop_after=sizes.steps // 2)
    if train_diffusion(data, out, config, device=device, resume=True).step != sizes.steps:
        return []
    return [line["loss"] for line in read_log(out / "log.jsonl") if "loss" in line]


def check_workers(device: Device, folder: Path) -> Row:
    """Two workers of a study see one GPU each: the last one, which `CUDA_VISIBLE_DEVICES` names."""
    count = 0 if device == "cpu" else torch.cuda.device_count()
    expected = str(count - 1) if count else ""
    environment = os.environ.get("CUDA_VISIBLE_DEVICES")
    os.environ["CUDA_VISIBLE_DEVICES"] = expected
    try:
        gpus = visible_gpus()[: 1 if count else 0]
        seen = _workers_see(gpus, folder)
    finally:
        os.environ.pop("CUDA_VISIBLE_DEVICES")
        if environment is not None:
            os.environ["CUDA_VISIBLE_DEVICES"] = environment
    return Row(
        f"two workers under CUDA_VISIBLE_DEVICES={expected}",
        seen == [[expected, min(1, count)]] * 2,
        f"they see {seen[0][1]} and {seen[1][1]} GPUs",
    )


def _workers_see(gpus: list[str], folder: Path) -> list[list[Any]]:
    backend = LocalBackend(2, gpus=gpus)
    specs = [
        RunSpec(kind=f"{__spec__.name}:report_gpu", config={}, folder=folder / f"worker-{number}")
        for number in range(2)
    ]
    try:
        for spec in specs:
            backend.start(spec)
        for _ in specs:
            backend.wait()
    finally:
        backend.stop()
    return [json.loads((spec.folder / "gpu.json").read_text()) for spec in specs]


def report_gpu(spec: RunSpec, *, progress: Any = None, on_stop: Any = None) -> bool:
    """Of a worker: write down which GPUs it sees."""
    del progress, on_stop
    seen = [os.environ.get("CUDA_VISIBLE_DEVICES", ""), torch.cuda.device_count()]
    (spec.folder / "gpu.json").write_text(json.dumps(seen))
    return True


if __name__ == "__main__":
    train_all(cast(Device, sys.argv[1]), cast(Precision, sys.argv[2]), Path(sys.argv[3]))
