"""Which metric catches which cheat: all methods, an honest GAN and held-out CIFAR-10 images.

    python -m studies.cheats DATA --out docs/cheats.md

DATA is a folder with `train.zip` and `test.zip`. Sets, the GAN's checkpoint and features are
cached, so that a second run only evaluates. The tables replace everything above the line `READING`
of the file; a picture is written beside it.
"""

from __future__ import annotations

import argparse
import datetime
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genmem.auditing import audit
from genmem.calibration import Calibration, Labels
from genmem.calibration.from_images import calibrate_sets
from genmem.cheats.mixing import draw_members
from genmem.features.cache import default_cache
from genmem.images import Progress
from genmem.io.atomic import atomic_write, check_writable
from genmem.progress import progress_on_stderr
from genmem.results import Score
from genmem.scoring import score
from genmem.scoring.feature_sets import ExtractOptions, load_feature_sets
from studies.cheat_dilution import dilution_table
from studies.cheat_sets import CHEATS, HONEST, SEED, Sizes, build_sets, draw_nearest, subsample

SPACES = ("efficientnet-lite0", "pixels")
FURTHER = ("efficientnet-lite1", "efficientnet-lite2")
COPYING = ("memorization_distance", "c_t", "memorization_ratio", "copied_fraction")
AUGMENT = ("flip", "pixels:crops")
READING = "## Reading"
"""First line of the hand-written part of the page, which is kept."""

SHOWN = 8
"""Training images in the picture; every cheat copied them."""

CLEAR_C_T = -3.0
NEAR_COPIES = 0.01
FLAGGED = 0.01


@dataclass(frozen=True, kw_only=True)
class SetResult:
    """All scores of one set.

    Attributes:
        scores: by feature space.
        flagged: the share that the audit flags, without and with augmentations.
    """

    scores: Mapping[str, Score]
    flagged: tuple[float, float]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the study and write its page."""
    parser = argparse.ArgumentParser(prog="python -m studies.cheats", description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--train-images", type=int, default=2_000)
    parser.add_argument("--images", type=int, default=1_000)
    parser.add_argument("--few", type=int, default=250)
    parser.add_argument("--steps", type=int, default=2_000)
    parser.add_argument("--width", type=int, default=24)
    parser.add_argument("--crops-in-features", action="store_true")
    options = parser.parse_args(arguments)
    check_writable(options.out)
    sizes = Sizes(
        train=options.train_images,
        test=options.images,
        images=options.images,
        few=options.few,
        steps=options.steps,
        width=options.width,
    )
    name = f"cheats-{sizes.train}-{sizes.images}-{sizes.steps}-{sizes.width}"
    with progress_on_stderr() as progress:
        paths = build_sets(options.data, default_cache() / "studies" / name, sizes, progress)
        picture = options.out.with_suffix(".png")
        features = extract_features(paths, progress)
        used = np.sort(draw_members(sizes.images, sizes.train, np.random.default_rng(SEED)))
        rows = used[np.linspace(0, len(used), SHOWN, endpoint=False).astype(int)]
        draw_nearest(paths, features, picture, rows=rows.tolist())
        margins = calibrations(paths, SPACES, None, progress)
        taus = {margin.space: margin.tau for margin in margins}
        augment = ("flip", "crops") if options.crops_in_features else AUGMENT
        results = {
            name: evaluate(name, paths, taus, augment, progress) for name in (*HONEST, *CHEATS)
        }
        tables = [
            numbers_table(results, augment),
            verdicts_table(results, margins, augment),
            dilution_table(features),
        ]
        write_page(options.out, sizes, [*tables, margins_table(margins, sizes)])
        margins += calibrations(paths, FURTHER, sizes.few, progress)
    write_page(options.out, sizes, [*tables, margins_table(margins, sizes)])


def extract_features(
    paths: Mapping[str, Path], progress: Progress
) -> dict[str, NDArray[np.float32]]:
    """The sets' features in the first space, float32 [n, d]."""
    with ExitStack() as stack:
        inputs = load_feature_sets(
            paths, stack=stack, backbone=SPACES[0], options=ExtractOptions(progress=progress)
        )
        return {name: np.array(rows.array) for name, rows in inputs.by_role.items()}


def calibrations(
    paths: Mapping[str, Path], spaces: Sequence[str], few: int | None, progress: Progress
) -> list[Calibration]:
    """A calibration for each backbone, from all images of each set or from a few."""
    sets = {}
    for name in (*HONEST, *CHEATS):
        path = paths[name] if few is None else subsample(paths[name], few)
        sets[str(path)] = "honest" if name in HONEST else "cheating"
    calibrated, _ = calibrate_sets(
        sets,
        train=str(paths["train"]),
        labels=Labels(),
        backbone=spaces,
        options=ExtractOptions(progress=progress),
    )
    return calibrated


def evaluate(
    name: str,
    paths: Mapping[str, Path],
    taus: Mapping[str, float],
    augment: Sequence[str],
    progress: Progress,
) -> SetResult:
    """Score and audit one set."""

    def report(stage: str, done: int, total: int | None) -> None:
        progress(f"{name}: {stage}", done, total)

    scores = {
        space: score(
            generated=paths[name],
            train=paths["train"],
            test=paths["test"],
            backbone=space,
            metrics=("fd", "mifid", *COPYING) if space == SPACES[0] else COPYING,
            tau=taus[space] if space == SPACES[0] else None,
            progress=report,
        )
        for space in SPACES
    }
    flagged = []
    for families in ((), augment):
        with audit(
            generated=paths[name],
            train=paths["train"],
            test=paths["test"],
            backbone=SPACES,
            augment=families,
            progress=report,
        ) as result:
            flagged.append(float(result.flagged.mean()))
    return SetResult(scores=scores, flagged=(flagged[0], flagged[1]))


def write_page(path: Path, sizes: Sizes, tables: Sequence[str]) -> None:
    """Write the tables above the hand-written part."""
    parts = [
        heading(sizes),
        f"![The nearest images]({path.with_suffix('.png').name})",
        *tables,
    ]
    if path.exists():
        _, mark, reading = path.read_text(encoding="utf-8").partition(READING)
        parts += [(mark + reading).rstrip()] if mark else []
    with atomic_write(path) as file:
        file.write(("\n\n".join(parts) + "\n").encode())


def heading(sizes: Sizes) -> str:
    """The title of the page, and how and when it was made."""
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    return (
        "# The four cheats, and which metric catches them\n\n"
        f"`python -m studies.cheats DATA`, {today}: {sizes.train:,} CIFAR-10 training images, "
        f"{sizes.images:,} images of each set, {sizes.test:,} other held-out images as the "
        "reference of C_T, copied_fraction and the audit. The honest GAN is a DCGAN "
        f"({sizes.width} channels, DiffAugment) after {sizes.steps:,} steps on the same training "
        "images. Each row of the picture shows a training image and the nearest image of each set "
        f"in `{SPACES[0]}`."
    )


def numbers_table(results: Mapping[str, SetResult], augment: Sequence[str]) -> str:
    """The table of numbers; two numbers in a cell are in features and in pixels."""
    lines = [
        "## Numbers",
        f"FD, s and MiFID are in `{SPACES[0]}`; two numbers are of that space and of pixels. "
        "Brackets: 95 % intervals. Audit: share flagged at a false-discovery rate of 5 % in both "
        f"spaces, without augmentations and with `--augment {','.join(augment)}`.\n",
        "| set | FD | s | MiFID | C_T | 1/3 ratio | copied_fraction, features "
        "| copied_fraction, pixels | audit | with augmentations |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, scored in results.items():
        features, pixels = (scored.scores[space].metrics for space in SPACES)
        shares = []
        for metrics in (features, pixels):
            result = metrics["copied_fraction"]
            inside = ""
            if result.interval:
                inside = f" [{result.interval.low:.3f}, {result.interval.high:.3f}]"
            shares.append(f"{result.value:.3f}{inside}")
        cells = [
            name,
            f"{features['fd'].value:.1f}",
            f"{features['memorization_distance'].value:.4f}",
            f"{features['mifid'].value:,.1f}",
            f"{features['c_t'].value:.1f}, {pixels['c_t'].value:.1f}",
            ", ".join(
                f"{metrics['memorization_ratio'].value:.3f}" for metrics in (features, pixels)
            ),
            *shares,
            *(f"{share:.3f}" for share in scored.flagged),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def verdicts_table(
    results: Mapping[str, SetResult], margins: Sequence[Calibration], augment: Sequence[str]
) -> str:
    """The table of verdicts, with the rule of each."""
    taus = {margin.space: margin.tau for margin in margins}
    lines = [
        "## Which rule catches which cheat",
        f"Rules: **MiFID** s < τ, the largest τ that penalizes no honest set here "
        f"({', '.join(f'{space} {taus[space]:.4f}' for space in SPACES)}; chosen on these very "
        f"sets); **C_T** ≤ {CLEAR_C_T:g}; **ratio** the interval of the share of images with "
        f"d1/d2 < 1/3 lies above {NEAR_COPIES:.0%}; **copied** the interval of copied_fraction "
        f"lies above 0; **audit** more than {FLAGGED:.0%} flagged. F: by features, P: by pixels; "
        f"audit A: without augmentations, +: with {','.join(augment)}.\n".replace("%", " %"),
        "| set | MiFID | C_T | ratio | copied | audit |",
        "|---|---|---|---|---|---|",
    ]
    for name, scored in results.items():
        rows: list[list[str]] = [[], [], [], []]
        for space, letter in zip(SPACES, "FP", strict=True):
            metrics = scored.scores[space].metrics
            ratio, copied = metrics["memorization_ratio"], metrics["copied_fraction"]
            verdicts = (
                metrics["memorization_distance"].value < taus[space],
                metrics["c_t"].value <= CLEAR_C_T,
                ratio.interval is not None and ratio.interval.low > NEAR_COPIES,
                copied.interval is not None and copied.interval.low > 0,
            )
            for row, verdict in zip(rows, verdicts, strict=True):
                row += [letter] if verdict else []
        rows.append(
            [word for word, share in zip("A+", scored.flagged, strict=True) if share > FLAGGED]
        )
        lines.append(f"| {name} | {' | '.join(' '.join(row) or '–' for row in rows)} |")
    return "\n".join(lines)


def margins_table(margins: Sequence[Calibration], sizes: Sizes) -> str:
    """The table of margins by backbone."""
    lines = [
        "## Memorization margins",
        f"`genmem calibrate` with {len(HONEST)} honest and {len(CHEATS)} cheating sets; the last "
        "columns compare single images, honest against cheating. "
        f"{' and '.join(FURTHER)} from {sizes.few} images of each set.\n",
        "| backbone | τ* | cheats below τ* | gap/σ of sets | AUC of images | d′ of images "
        "| d(M), relative |",
        "|---|---|---|---|---|---|---|",
    ]
    for calibration in sorted(
        margins,
        key=lambda calibration: -calibration.image_margins.auc if calibration.image_margins else 0,
    ):
        images, chosen = calibration.image_margins, calibration.thresholds[calibration.chosen]
        assert images is not None
        inside = images.auc_interval
        between = f" [{inside.low:.3f}, {inside.high:.3f}]" if inside else ""
        lines.append(
            f"| {calibration.space} | {calibration.tau:.4f} | {chosen.caught} of {chosen.cheating} "
            f"| {calibration.margins.normalized_gap:.2f} | {images.auc:.3f}{between} "
            f"| {images.d_prime:.2f} | {calibration.margins.dispersion.relative_variance:.2f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main(sys.argv[1:])
