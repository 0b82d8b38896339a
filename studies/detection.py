"""What an audit finds and what it does not: disguised copies among held-out CIFAR-10 images.

    python -m studies.detection --data FOLDER [--train-images N] [--crops-in-features]

FOLDER holds `train.zip` and `test.zip`. Held-out images stand for an honest generator: one random
half of them is the generated set, with some replaced by disguised copies of training images, the
other half is the null. Every number is from repeated random draws. The first run makes features of
60,000 images and more (25 minutes on two cores); they are kept in the cache.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genmem.auditing.search import Queries
from genmem.auditing.spaces import search_space, statistic_of
from genmem.calibration.null import combined_p_values, null_distribution, q_values
from genmem.cli.progress import progress_on_stderr
from genmem.images import Progress, decode, open_images, transformations
from genmem.metrics.authpct import authpct
from genmem.metrics.c_t import c_t_from_distances
from genmem.metrics.copied_fraction import copied_fraction_from
from genmem.metrics.memorization_ratio import memorization_ratio
from genmem.scoring.inputs import Inputs, prepare
from studies.disguises import DISGUISES, disguised

Floats = NDArray[np.float64]

SPACES = ("efficientnet-lite0", "pixels")
COPIES = 500
"""Training images that are copied, the same in every disguise."""

IMAGES = 5_000
LEVEL = 0.05
DRAWS = 100


@dataclass(frozen=True, kw_only=True)
class Looked:
    """The statistics of all images in one space with one set of forms.

    Attributes:
        copies: by disguise, float64 [COPIES].
        honest: of the held-out images, float64 [m].
        nearest_is_source: by disguise, the share whose nearest training image is their source.
    """

    copies: Mapping[str, Floats]
    honest: Floats
    nearest_is_source: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Of one way of looking at one disguise, means over the draws."""

    found: float
    false: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the study and print its tables as Markdown."""
    parser = argparse.ArgumentParser(prog="python -m studies.detection", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--train-images", type=int, default=50_000)
    parser.add_argument("--crops-in-features", action="store_true")
    given = parser.parse_args(arguments)
    with ExitStack() as stack, progress_on_stderr() as progress:
        train = stack.enter_context(open_images(given.data / "train.zip"))
        test = stack.enter_context(open_images(given.data / "test.zip"))
        rows = np.linspace(0, len(train), given.train_images, endpoint=False).astype(np.int64)
        chosen = train
        if len(rows) < len(train):
            chosen = stack.enter_context(open_images([train.content(int(row)) for row in rows]))
        copied = np.sort(np.random.default_rng(0).choice(len(rows), COPIES, replace=False))
        originals = np.stack(
            [decode(chosen.content(int(row)), name=chosen.id(int(row))) for row in copied]
        )
        copies = np.concatenate(
            [
                disguised(name, originals, np.roll(originals, 1, axis=0), seed=1)
                for name in DISGUISES
            ]
        )
        families = {
            SPACES[0]: ("flip", "crops") if given.crops_in_features else ("flip",),
            SPACES[1]: ("flip", "crops"),
        }
        spaces = {
            space: prepare(
                {"generated": copies, "train": chosen, "test": test},
                stack=stack,
                backbone=space,
                progress=progress,
            )
            for space in SPACES
        }
        plain = {s: look(spaces[s], (), copied, progress) for s in SPACES}
        augmented = {s: look(spaces[s], families[s], copied, progress) for s in SPACES}
    ways = {
        "features": {"features": plain[SPACES[0]]},
        "pixels": {"pixels": plain[SPACES[1]]},
        "both": plain,
        "both, augmented": augmented,
    }
    print(f"Training images: {len(rows):,}. Forms: {families}.\n")
    print_flags(ways, plain)
    print_copied_fraction(plain[SPACES[0]])
    print_others(spaces, plain[SPACES[0]])


def look(
    inputs: Inputs, families: Sequence[str], copied: NDArray[np.int64], progress: Progress
) -> Looked:
    """Search copies and held-out images in the forms of the training images."""
    count = int(inputs.rows["train"].array.shape[0])
    found = search_space(
        inputs,
        transformations=transformations(families),
        honest=Queries(array=inputs.rows["test"].array),
        kept=np.arange(count),
        k=1,
        skip_broken=False,
        progress=progress,
    )
    values, _ = statistic_of(found.generated, found.metric)
    honest, _ = statistic_of(found.honest, found.metric)
    is_source = found.generated.train[:, 0].reshape(len(DISGUISES), -1) == copied
    return Looked(
        copies=dict(zip(DISGUISES, values.reshape(len(DISGUISES), -1), strict=True)),
        honest=honest,
        nearest_is_source=dict(zip(DISGUISES, is_source.mean(axis=1).tolist(), strict=True)),
    )


def draw(way: Mapping[str, Looked], disguise: str, copies: int, seed: int) -> tuple[Floats, int]:
    """The q-values of one generated set, the copies first; and how many these are."""
    rng = np.random.default_rng(seed)
    held_out = len(next(iter(way.values())).honest)
    order = rng.permutation(held_out)
    honest, null = order[: IMAGES - copies], order[IMAGES : 2 * IMAGES]
    which = rng.choice(COPIES, copies, replace=False)
    p = []
    for one in way.values():
        values = np.concatenate([one.copies[disguise][which], one.honest[honest]])
        p.append(null_distribution(one.honest[null]).p_values(values))
    return q_values(combined_p_values(np.stack(p))), copies


def rates(way: Mapping[str, Looked], disguise: str, *, copies: int, draws: int) -> Rates:
    """The share of copies that are flagged, and the realised false-discovery rate."""
    found, false = [], []
    for seed in range(draws):
        q, count = draw(way, disguise, copies, seed)
        flagged = q <= LEVEL
        found.append(flagged[:count].mean())
        false.append(flagged[count:].sum() / max(1, flagged.sum()))
    return Rates(found=float(np.mean(found)), false=float(np.mean(false)))


def print_flags(ways: Mapping[str, Mapping[str, Looked]], plain: Mapping[str, Looked]) -> None:
    """The share of copies flagged, by disguise and way of looking."""
    print(f"Flags at q ≤ {LEVEL}: 5 % of {IMAGES:,} images replaced, {DRAWS} draws.\n")
    print(f"| disguise | source is nearest: features, pixels | {' | '.join(ways)} | false |")
    print(f"|---|---|{'---|' * (len(ways) + 1)}")
    for disguise in DISGUISES:
        nearest = ", ".join(f"{plain[space].nearest_is_source[disguise]:.2f}" for space in SPACES)
        cells, last = [], Rates(found=0.0, false=0.0)
        for way in ways.values():
            last = rates(way, disguise, copies=IMAGES // 20, draws=DRAWS)
            cells.append(f"{last.found:.2f}")
        print(f"| {disguise} | {nearest} | {' | '.join(cells)} | {last.false:.3f} |", flush=True)
    last = rates(ways["both, augmented"], "JPEG 90", copies=IMAGES // 100, draws=DRAWS)
    print(f"\n1 % JPEG 90, both augmented: found {last.found:.2f}, false {last.false:.3f}.")
    none = [(draw(ways["both, augmented"], "flip", 0, s)[0] <= LEVEL).any() for s in range(DRAWS)]
    print(f"No copies, both augmented: something flagged in {sum(none)} of {DRAWS} draws.\n")


def print_copied_fraction(looked: Looked) -> None:
    """How often the interval excludes 0, and holds the true share."""
    print("`copied_fraction` in features, JPEG 90.\n")
    print("| copies | interval excludes 0 | interval holds the share | mean interval |")
    print("|---|---|---|---|")
    for share in (0.0, 0.005, 0.01, 0.02, 0.05):
        copies = round(IMAGES * share)
        intervals = []
        for seed in range(DRAWS):
            rng = np.random.default_rng(1_000 + seed)
            order = rng.permutation(len(looked.honest))
            which = rng.choice(COPIES, copies, replace=False)
            values = [looked.copies["JPEG 90"][which], looked.honest[order[: IMAGES - copies]]]
            found = copied_fraction_from(
                generated=np.concatenate(values),
                test=looked.honest[order[IMAGES : 2 * IMAGES]],
                train_rows=50_000,
            ).interval
            assert found is not None
            intervals.append((found.low, found.high))
        low, high = np.array(intervals).T
        holds = ((low <= share) & (share <= high)).sum()
        print(
            f"| {share:.1%} | {(low > 0).sum()} of {DRAWS} | {holds} of {DRAWS} "
            f"| {low.mean():.2%} to {high.mean():.2%} |",
            flush=True,
        )
    print()


def print_others(spaces: Mapping[str, Inputs], looked: Looked) -> None:
    """What other metrics say of a set with 5 % copies."""
    print(f"Other metrics, {IMAGES:,} images of which 5 % are copies, one draw.\n")
    print("| set | memorization distance s | C_T | AuthPct | 1/3 ratio (pixels) |")
    print("|---|---|---|---|---|")
    features = {role: one.array for role, one in spaces[SPACES[0]].rows.items()}
    pixels = {role: one.array for role, one in spaces[SPACES[1]].rows.items()}
    honest_authentic = float(authpct(generated=features["test"], train=features["train"]))
    honest_ratio = float(memorization_ratio(generated=pixels["test"], train=pixels["train"]))
    order = np.random.default_rng(0).permutation(len(looked.honest))
    honest, null = looked.honest[order[:IMAGES]], looked.honest[order[IMAGES : 2 * IMAGES]]
    c_t = float(c_t_from_distances(generated=honest, test=null))
    print(
        f"| no copies | {honest.mean():.4f} | {c_t:.2f} | {honest_authentic:.1f} "
        f"| {honest_ratio:.2%} |"
    )
    count = IMAGES // 20
    for place, disguise in enumerate(DISGUISES):
        rows = slice(place * COPIES, (place + 1) * COPIES)
        values = np.concatenate([looked.copies[disguise][:count], honest[count:]])
        authentic = float(authpct(generated=features["generated"][rows], train=features["train"]))
        ratio = float(
            memorization_ratio(generated=pixels["generated"][rows], train=pixels["train"])
        )
        print(
            f"| 5 % {disguise} | {values.mean():.4f} "
            f"| {float(c_t_from_distances(generated=values, test=null)):.2f} "
            f"| {0.95 * honest_authentic + 0.05 * authentic:.1f} "
            f"| {0.95 * honest_ratio + 0.05 * ratio:.2%} |",
            flush=True,
        )
    print()


if __name__ == "__main__":
    main(sys.argv[1:])
