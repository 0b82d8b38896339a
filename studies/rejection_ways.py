"""Ways to reject, cheap and expensive: what each costs per step and how it changes copying.

    python -m studies.rejection_ways --data FOLDER --out DIR [--seeds 3] [--processes 2]

FOLDER/cifar10/train.zip and test.zip hold CIFAR-10 as images, a folder a class. A DCGAN learns the
first 20 training images (two per class, 16 × 16) by heart, without rejection and with every way of
`WAYS`, for each seed. Samples are evaluated against 1,000 held-out images in pixels, in which only
one way rejects, and in efficientnet-lite0 at its full size. An interrupted study is resumed by the
same command. Steps are timed last, on the first seed's finished runs, when nothing trains any more:
keep the machine idle then, or give the command again. Prints Markdown.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from genmem.progress import progress_on_stderr
from genmem.results import Json
from genmem.study_results.rejection import SeedMean
from genmem.training.common.checkpoint import CHECKPOINT_FILE
from genmem.training.common.dataset import in_classes_of, load_shared_images
from genmem.training.common.distributed import build_accelerator
from genmem.training.gan.build import build_rejection, training_images
from genmem.training.gan.config import GanConfig
from genmem.training.gan.trainer import GanTrainer, load_gan
from genmem.training.rejection_study.aggregate import (
    Evaluations,
    mean_over_seeds,
    paired_difference,
    summarize_log,
)
from genmem.training.rejection_study.feature_spaces import ImageSets, build_feature_space
from genmem.training.rejection_study.grid import RUNS, GridRun
from genmem.training.rejection_study.runs import is_finished, train_runs
from genmem.training.rejection_study.study import evaluate_runs
from genmem.training.sweep.local_backend import LocalBackend
from genmem.training.sweep.runner import StoppedError

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
"""Values that replace those of `COMMON`, by the name of the table's row."""

SPACES = ("pixels", "efficientnet-lite0")
HELD_OUT = IMAGES = 1_000
COLUMNS = {
    "c_t": ("C_T", "{:.1f}"),
    "copied_fraction": ("copied", "{:.0%}"),
    "fd_test": ("FD to held-out", "{:,.0f}"),
}
TIMED = 20
"""Steps of each way that are timed, after two that are not."""


def build_runs(folder: Path, data: Path, seeds: int) -> list[GridRun]:
    """The runs of every way; all ways of a seed before the next seed."""
    source = str((data / "cifar10" / "train.zip").absolute())
    return [
        GridRun(
            model="dcgan",
            tau=values["tau"] or 0,
            seed=seed,
            config=GanConfig(**COMMON | values | {"train": source, "seed": seed}),
            folder=folder / RUNS / f"{number}-seed-{seed}",
        )
        for seed in range(seeds)
        for number, values in enumerate(WAYS.values())
    ]


def runs_of_way(runs: Sequence[GridRun], number: int) -> dict[int, GridRun]:
    """By seed."""
    return {run.seed: run for run in runs if run.name.startswith(f"{number}-")}


def step_ratios(runs: Sequence[GridRun]) -> dict[int, float]:
    """Median step time of each way, relative to no rejection, by the number of the way.

    A way whose first run ended early has none. The networks are those at the end of the run, so
    that as many images are accepted as there. Ways take turns, so that a busy moment of the machine
    affects all of them.
    """
    trainers: dict[int, GanTrainer] = {}
    for number in range(len(WAYS)):
        run = runs_of_way(runs, number)[0]
        if not is_finished(run):
            continue
        accelerator = build_accelerator(
            device="cpu", precision="full", batch_size=run.config.batch_size
        )
        images = training_images(run.config)
        trainer = GanTrainer(run.config, images, accelerator, None)
        trainer.load(load_gan(run.folder / CHECKPOINT_FILE))
        trainer.set_rejection(build_rejection(run.config, images, accelerator, None))
        trainers[number] = trainer
    seconds: dict[int, list[float]] = {number: [] for number in trainers}
    for turn in range(TIMED + 2):
        for number, trainer in trainers.items():
            start = time.perf_counter()
            trainer.step()
            if turn >= 2:
                seconds[number].append(time.perf_counter() - start)
    medians = {number: statistics.median(times) for number, times in seconds.items()}
    return {number: median / medians[0] for number, median in medians.items()}


def format_mean(mean: SeedMean, form: str) -> str:
    """A mean and its interval."""
    if mean.mean is None:
        return "–"
    if mean.low is None or mean.high is None:
        return form.format(mean.mean).replace("%", " %")
    low, high = mean.low, mean.high
    if form.endswith("%}"):  # Student's t knows no bounds
        low, high = max(low, 0.0), min(high, 1.0)
    text = f"{form.format(mean.mean)} ({form.format(low)} to {form.format(high)})"
    return text.replace("%", " %")


def table(
    runs: Sequence[GridRun], evaluations: Evaluations, space: str, ratios: Mapping[int, float]
) -> str:
    """Cost, acceptance and metrics in one feature space; bold if the change excludes 0."""
    titles = [title for title, _ in COLUMNS.values()]
    lines = [
        f"\n### Evaluated in {space}\n",
        f"| way | a step | accepted | {' | '.join(titles)} |",
        "|---" * (3 + len(titles)) + "|",
    ]
    finished = [run for run in runs if (run.name, space) in evaluations]
    base = runs_of_way(finished, 0)
    for number, name in enumerate(WAYS):
        own = runs_of_way(finished, number)
        if not own:
            lines.append(f"| {name} | ended early |" + " |" * (1 + len(titles)))
            continue
        acceptances = [summarize_log(run).acceptance for run in own.values()]
        acceptance = mean_over_seeds([value for value in acceptances if value is not None])
        cells = [
            f"{ratios[number]:.2f}×" if number in ratios else "–",
            format_mean(acceptance, "{:.0%}"),
        ]
        for metric, (_, form) in COLUMNS.items():
            values, base_values = (
                {
                    seed: getattr(evaluations[run.name, space].metrics, metric)
                    for seed, run in some.items()
                }
                for some in (own, base)
            )
            change = paired_difference(values, base_values)
            low, high = change.low, change.high
            excludes_0 = low is not None and high is not None and low * high > 0
            known = [value for value in values.values() if value is not None]
            text = format_mean(mean_over_seeds(known), form)
            cells.append(f"**{text}**" if number and excludes_0 else text)
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> int:
    """Train what is not trained yet, evaluate, time, print."""
    parser = argparse.ArgumentParser(description="Ways to reject, side by side.")
    parser.add_argument("--data", type=Path, required=True, help="folder with cifar10/*.zip")
    parser.add_argument("--out", type=Path, required=True, help="folder of the trainings")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--processes", type=int, default=1)
    arguments = parser.parse_args()
    runs = build_runs(arguments.out, arguments.data, arguments.seeds)
    held_out = arguments.data / "cifar10" / "test.zip"
    with progress_on_stderr() as progress:
        backend = LocalBackend(arguments.processes, progress=progress)
        try:
            train_runs(runs, backend, folder=arguments.out, device="cpu", progress=progress)
        except (StoppedError, KeyboardInterrupt):
            return 130
        train = training_images(runs[0].config, progress)
        test = load_shared_images(held_out, size=train.pixels.shape[-1], limit=HELD_OUT)
        sets = ImageSets(train=train, test=in_classes_of(test, train), references={})
        spaces = [
            build_feature_space(name, sets, device="cpu", progress=progress) for name in SPACES
        ]
        evaluations = evaluate_runs(runs, sets, spaces, samples=IMAGES, progress=progress)
    ratios = step_ratios(runs)
    for space in SPACES:
        print(table(runs, evaluations, space, ratios), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
