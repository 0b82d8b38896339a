"""What moves memorization, at a size that a laptop can train: docs/emm.md.

`python -m studies.emm --data FOLDER --out DIR` with CIFAR-10 as JPEGs, a folder a class
(FOLDER/cifar10/train.zip). Every part is a study of `genmem study emm`. All parts share DIR, and so
their trials. The same command resumes an interrupted study; tables show the finished trials.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

from genmem.report.emm.page import write_emm_page
from genmem.report.emm.text import format_bracket, format_emm, format_range, format_ratio
from genmem.study_results.emm import Curve, EmmResults
from genmem.training.diffusion.config import DiffusionConfig, UNetConfig
from genmem.training.emm.dataset import inspect_source
from genmem.training.emm.factors import TrialConfig
from genmem.training.emm.results import clip_interval, summarize_study, t_interval
from genmem.training.emm.study import EmmStudy, StudyConfig
from genmem.training.sweep.local_backend import InProcess
from genmem.training.sweep.runner import StoppedError

NETWORK = UNetConfig(
    image_size=8, channels=32, multipliers=(1, 1), blocks=1, attention=(), dropout=0.0
)
TRAINING = DiffusionConfig(
    network=NETWORK,
    parametrization="edm",
    batch_size=16,
    learning_rate=2e-3 * 512 / 16,
    steps=800,
    warm_up_epochs=0,
    ema_decay=0.99,
    snapshots=2,
    samples=100,
)
BASE = TrialConfig(training=TRAINING, classes=4)

SIZES = (4, 8, 16, 32)

PARTS: dict[str, dict[str, Any]] = {
    "skips": {"sizes": (16,), "factors": (("skips", ("all", "8", "4")),)},
    "size": {"sizes": (16, 32), "factors": (("dimension", ("8",)),)},
    "labels": {
        "sizes": (32,),
        "factors": (("labels", ("none", "true", "random:4", "random:16", "unique")),),
        "seeds": 12,
    },
    "dimension": {"sizes": (16,), "factors": (("dimension", ("8", "16")),)},
    "emm": {
        "sizes": SIZES,
        "factors": (("dimension", ("8", "16")),),
        "every_size": False,
        "seeds": 6,
    },
    "sizes": {"sizes": SIZES, "factors": (("dimension", ("8",)),)},
}
"""By name: what differs from the base, in the order of training."""


def main() -> int:
    """Train what is not trained yet, then write pages and print tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with cifar10/train.zip")
    parser.add_argument("--out", type=Path, required=True, help="folder of the trainings")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of a training")
    parser.add_argument("--parts", default=",".join(PARTS), help="names, of PARTS")
    parser.add_argument("--tables", action="store_true", help="train nothing; print what there is")
    arguments = parser.parse_args()
    source = inspect_source(str((arguments.data / "cifar10" / "train.zip").absolute()))
    common = StudyConfig(
        source=source,
        base=BASE,
        sizes=SIZES,
        every_size=True,
        seeds=3,
        drop_duplicates=True,
    )
    for name in arguments.parts.split(","):
        study = EmmStudy(replace(common, **PARTS[name]), arguments.out, threads=arguments.threads)
        if not arguments.tables:
            try:
                study.run(InProcess(progress=_progress), device="cpu")
            except StoppedError:
                return 130
        results = summarize_study(study)
        write_emm_page(results, arguments.out / f"{name}.html")
        results.save(arguments.out / f"{name}.json")
        print(table(name, results), flush=True)
    return 0


def table(name: str, results: EmmResults) -> str:
    """A part's ratios, its EMM and its differences, seed by seed, as Markdown."""
    lines = [f"\n### {name} ({results.trials} trials)\n"]
    columns = [curve.value for curve in results.curves]
    lines.append(f"| images | {' | '.join(columns)} |")
    lines.append("|---" * (len(columns) + 1) + "|")
    for size in results.sizes:
        cells = [format_ratio(curve, size) or "not measured" for curve in results.curves]
        lines.append(f"| {size} | {' | '.join(cells)} |")
    if not results.every_size:
        brackets = [", ".join(map(format_bracket, curve.searches)) for curve in results.curves]
        emms = [format_emm(curve.emm) for curve in results.curves]
        lines += [f"| EMM | {' | '.join(emms)} |", f"| brackets | {' | '.join(brackets)} |"]
    return "\n".join([*lines, *differences(results)])


def differences(results: EmmResults) -> list[str]:
    """Between every two curves at one size, and every two sizes of one curve."""
    places = [(curve, size) for curve in results.curves for size in results.sizes]
    lines = []
    for number, (curve, size) in enumerate(places):
        for other, another in places[number + 1 :]:
            if (other is curve) == (another == size):
                continue
            first, second = ratios_of(curve, size), ratios_of(other, another)
            paired = [second[seed] - first[seed] for seed in sorted(first.keys() & second.keys())]
            if len(paired) < 2:
                continue
            interval = clip_interval(t_interval(paired), -1.0, 1.0)
            spread = "all the same" if interval is None else format_range(interval)
            lines.append(
                f"\n{other.value} at {another} − {curve.value} at {size}: "
                f"{100 * fmean(paired):+.0f} points ({spread}), {len(paired)} seeds"
            )
    return lines


def ratios_of(curve: Curve, size: int) -> dict[int, float]:
    """By seed."""
    return {trial.seed: trial.result.ratio for trial in curve.trials if trial.size == size}


def _progress(stage: str, done: int, total: int | None) -> None:
    if done == total or done % 200 == 0:
        print(f"{stage}: {done} of {total}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
