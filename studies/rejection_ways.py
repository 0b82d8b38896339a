"""Ways to reject, cheap and dear, side by side: what each costs a step and what it does to copying.

    python -m studies.rejection_ways --data FOLDER --out DIR [--seeds 3] [--processes 2]

FOLDER/cifar10/train.zip and test.zip hold CIFAR-10 as images, a folder a class. A DCGAN learns the
first 20 training images (two a class, 16 × 16) by heart, without rejection and with it in every way
of `WAYS`, for each seed; samples are measured against 1,000 held-out images in pixels, in which
hardly any way rejects, and in efficientnet-lite0 at its full size. Interrupted, the same command
goes on. What a step costs is timed last, from the first seed's finished runs, when nothing trains
any more: keep the machine idle then, or give the command again. Prints Markdown.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from genmem.cli.progress import progress_on_stderr
from genmem.results import Json
from genmem.training.common.checkpoint import CHECKPOINT_FILE
from genmem.training.common.dataset import in_classes_of, load_shared_images
from genmem.training.common.distributed import build_accelerator
from genmem.training.gan.build import build_rejection, training_images
from genmem.training.gan.config import GanConfig
from genmem.training.gan.trainer import GanTrainer, load_gan
from genmem.training.rejection_study.aggregate import (
    Found,
    mean_over_seeds,
    paired_difference,
    training_log,
)
from genmem.training.rejection_study.feature_spaces import Sets, open_space
from genmem.training.rejection_study.grid import RUNS, Case
from genmem.training.rejection_study.study import measure_all
from genmem.training.sweep.runner import is_finished, run_all

COMMON: dict[str, Json] = {
    "model": "dcgan",
    "size": 16,
    "limit": 20,
    "width": 48,
    "discriminator_width": 96,
    "batch_size": 32,
    "discriminator_steps": 2,
    "learning_rate": 1e-3,
    "beta1": 0.0,
    "flips": False,
    "ema_decay": 0.99,
    "ema_start": 200,
    "steps": 4_000,
    "warm_up": 500,
    "backbone": "efficientnet-lite0@32",
    "log_every": 100,
    "sample_every": 0,
    "evaluate_every": 0,
}
WITHOUT = "without"
WAYS: dict[str, dict[str, Json]] = {
    WITHOUT: {"tau": None},
    "lite0@32, τ = 0.38": {"tau": 0.38},
    "lite0@32, τ = auto": {"tau": "auto"},
    "lite0@32, τ = 0.38, resample": {"tau": 0.38, "mode": "resample"},
    "lite0@64 in half precision, τ = auto": {
        "tau": "auto",
        "backbone": "efficientnet-lite0@64",
        "half": True,
    },
    "pixels, τ = auto": {"tau": "auto", "backbone": "pixels"},
}
"""Settings over `COMMON`, by the name of the table's row."""

SPACES = ("pixels", "efficientnet-lite0")
HELD_OUT = IMAGES = 1_000
COLUMNS = {
    "c_t": ("C_T", "{:.1f}"),
    "copied_fraction": ("copied", "{:.0%}"),
    "fd_test": ("FD to held-out", "{:,.0f}"),
}
TIMED = 20
"""Steps of each way that are timed, after two that are not."""


def cases(folder: Path, data: Path, seeds: int) -> list[Case]:
    """Every way's runs; all ways of a seed before the next seed."""
    source = str((data / "cifar10" / "train.zip").absolute())
    return [
        Case(
            model="dcgan",
            tau=settings["tau"] or 0,
            seed=seed,
            settings=GanConfig(**COMMON | settings | {"train": source, "seed": seed}),
            folder=folder / RUNS / f"{number}-seed-{seed}",
        )
        for seed in range(seeds)
        for number, settings in enumerate(WAYS.values())
    ]


def of_way(every: Sequence[Case], number: int) -> dict[int, Case]:
    """By seed."""
    return {case.seed: case for case in every if case.folder.name.startswith(f"{number}-")}


def step_ratios(every: Sequence[Case]) -> dict[int, float]:
    """Median time of a step in each way over that of one without rejection, by the way's number.

    Ways whose first run ended early have none.

    The networks are those that the run ended with, so that as many images pass as they did there.
    Ways take turns, so that a busy moment of the machine meets all of them.
    """
    trainings: dict[int, GanTrainer] = {}
    for number in range(len(WAYS)):
        case = of_way(every, number)[0]
        if not is_finished(case):
            continue
        accelerator = build_accelerator(
            device="cpu", precision="full", batch_size=case.settings.batch_size
        )
        images = training_images(case.settings)
        training = GanTrainer(case.settings, images, accelerator, None)
        training.load(load_gan(case.folder / CHECKPOINT_FILE))
        training.set_rejection(build_rejection(case.settings, images, accelerator, None))
        trainings[number] = training
    seconds: dict[int, list[float]] = {number: [] for number in trainings}
    for turn in range(TIMED + 2):
        for number, training in trainings.items():
            began = time.perf_counter()
            training.step()
            if turn >= 2:
                seconds[number].append(time.perf_counter() - began)
    medians = {number: statistics.median(some) for number, some in seconds.items()}
    return {number: median / medians[0] for number, median in medians.items()}


def cell(values: dict[str, Any], form: str) -> str:
    """A mean and its interval."""
    if values["mean"] is None:
        return "–"
    low, high = values["low"], values["high"]
    if low is not None and form.endswith("%}"):  # Student's t knows no bounds
        low, high = max(low, 0.0), min(high, 1.0)
    interval = "" if low is None else f" ({form.format(low)} to {form.format(high)})"
    return form.format(values["mean"]) + interval


def table(every: Sequence[Case], found: Found, space: str, ratios: Mapping[int, float]) -> str:
    """Cost, acceptance and what it does in one space; bold where the change leaves 0 out."""
    titles = [title for title, _ in COLUMNS.values()]
    lines = [
        f"\n### Measured in {space}\n",
        f"| way | a step | accepted | {' | '.join(titles)} |",
        "|---" * (3 + len(titles)) + "|",
    ]
    finished = [case for case in every if (case.name, space) in found]
    base = of_way(finished, 0)
    for number, name in enumerate(WAYS):
        own = of_way(finished, number)
        if not own:
            lines.append(f"| {name} | ended early |" + " |" * (1 + len(titles)))
            continue
        accepted = [training_log(case)["acceptance"] for case in own.values()]
        known = mean_over_seeds([value for value in accepted if value is not None])
        cells = [f"{ratios[number]:.2f}×" if number in ratios else "–", cell(known, "{:.0%}")]
        for metric, (_, form) in COLUMNS.items():
            values = {seed: found[case.name, space].values[metric] for seed, case in own.items()}
            others = {seed: found[case.name, space].values[metric] for seed, case in base.items()}
            change = paired_difference(values, others)
            sure = number and change["low"] is not None and change["low"] * change["high"] > 0
            defined = [value for value in values.values() if value is not None]
            text = cell(mean_over_seeds(defined), form)
            cells.append(f"**{text}**" if sure else text)
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> int:
    """Train what is not trained yet, measure, time, print."""
    parser = argparse.ArgumentParser(description="Ways to reject, side by side.")
    parser.add_argument("--data", type=Path, required=True, help="folder with cifar10/*.zip")
    parser.add_argument("--out", type=Path, required=True, help="folder of the trainings")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--processes", type=int, default=1)
    given = parser.parse_args()
    every = cases(given.out, given.data, given.seeds)
    held_out = given.data / "cifar10" / "test.zip"
    with progress_on_stderr() as progress:
        if not run_all(every, processes=given.processes, device="cpu", progress=progress):
            return 130
        train = training_images(every[0].settings, progress)
        test = load_shared_images(held_out, size=train.pixels.shape[-1], limit=HELD_OUT)
        sets = Sets(train=train, test=in_classes_of(test, train), references={})
        spaces = [open_space(name, sets, device="cpu", progress=progress) for name in SPACES]
        found = measure_all(every, sets, spaces, images=IMAGES, progress=progress)
    ratios = step_ratios(every)
    for space in SPACES:
        print(table(every, found, space, ratios), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
