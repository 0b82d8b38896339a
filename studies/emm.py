"""What moves memorization, at a size that a laptop can train: docs/emm.md.

`python -m studies.emm --data FOLDER --out DIR` with CIFAR-10 as JPEGs, a folder a class
(FOLDER/cifar10/train.zip). Every part is a study of `genmem emm`; all share DIR, so what one part
trained the next one takes. Interrupted, the same command goes on; the tables are printed as far as
the trainings are done.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

from genmem.training.sweep.pool import InProcess, StoppedError

from genmem.io.atomic import atomic_write
from genmem.report.emm.page import write_emm_page
from genmem.report.emm.text import bracket_words, emm_words, ratio_words, span
from genmem.results import Json
from genmem.training.diffusion.config import DiffusionConfig, UNetConfig
from genmem.training.emm.dataset import look_at
from genmem.training.emm.factors import Configuration
from genmem.training.emm.results import findings, t_interval, within
from genmem.training.emm.study import Request, Study

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
BASE = Configuration(training=TRAINING, classes=4)

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
"""By name: what differs from the base, in the order in which it is trained."""


def main() -> int:
    """Train what is not trained yet, then write pages and print tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with cifar10/train.zip")
    parser.add_argument("--out", type=Path, required=True, help="folder of the trainings")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of a training")
    parser.add_argument("--parts", default=",".join(PARTS), help="names, of PARTS")
    parser.add_argument("--tables", action="store_true", help="train nothing; print what there is")
    given = parser.parse_args()
    source = look_at(str((given.data / "cifar10" / "train.zip").absolute()))
    common = Request(
        source=source,
        base=BASE,
        sizes=SIZES,
        every_size=True,
        seeds=3,
        drop_duplicates=True,
    )
    for name in given.parts.split(","):
        study = Study(replace(common, **PARTS[name]), given.out, threads=given.threads)
        if not given.tables:
            try:
                study.go(InProcess(device="cpu", progress=_progress))
            except StoppedError:
                return 130
        found = findings(study)
        write_emm_page(found, given.out / f"{name}.html")
        with atomic_write(given.out / f"{name}.json") as file:
            file.write((json.dumps(found, allow_nan=False) + "\n").encode())
        print(table(name, found), flush=True)
    return 0


def table(name: str, found: Json) -> str:
    """A part's ratios, its EMM and its differences, seed by seed, as Markdown."""
    lines = [f"\n### {name} ({found['trainings']} trainings)\n"]
    columns = [curve["value"] for curve in found["curves"]]
    lines.append(f"| images | {' | '.join(columns)} |")
    lines.append("|---" * (len(columns) + 1) + "|")
    for size in found["sizes"]:
        cells = [ratio_words(curve, size) or "not measured" for curve in found["curves"]]
        lines.append(f"| {size} | {' | '.join(cells)} |")
    if not found["every_size"]:
        brackets = [", ".join(map(bracket_words, curve["searches"])) for curve in found["curves"]]
        emms = [emm_words(curve["emm"]) for curve in found["curves"]]
        lines += [f"| EMM | {' | '.join(emms)} |", f"| brackets | {' | '.join(brackets)} |"]
    return "\n".join([*lines, *differences(found)])


def differences(found: Json) -> list[str]:
    """Between every two curves at one size, and every two sizes of one curve."""
    places = [(curve, size) for curve in found["curves"] for size in found["sizes"]]
    lines = []
    for number, (curve, size) in enumerate(places):
        for other, another in places[number + 1 :]:
            if (other is curve) == (another == size):
                continue
            one, two = ratios_of(curve, size), ratios_of(other, another)
            paired = [two[seed] - one[seed] for seed in sorted(one.keys() & two.keys())]
            if len(paired) < 2:
                continue
            interval = t_interval(paired)
            told = "all the same"
            if interval is not None:
                told = span(within(interval, -1.0, 1.0).to_dict())
            lines.append(
                f"\n{other['value']} at {another} − {curve['value']} at {size}: "
                f"{100 * fmean(paired):+.0f} points ({told}), {len(paired)} seeds"
            )
    return lines


def ratios_of(curve: Json, size: int) -> dict[int, float]:
    """By seed."""
    return {one["seed"]: one["ratio"] for one in curve["trainings"] if one["size"] == size}


def _progress(stage: str, done: int, total: int | None) -> None:
    if done == total or done % 200 == 0:
        print(f"{stage}: {done} of {total}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
