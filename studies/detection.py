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

from genmem.auditing.augment_option import UNCHANGED, build_families
from genmem.auditing.feature_spaces import search_space
from genmem.auditing.search import Queries
from genmem.auditing.statistics import distance_statistic
from genmem.calibration.null_distribution import combined_p_values, null_distribution
from genmem.calibration.q_values import q_values
from genmem.images import Progress, decode, open_images
from genmem.metrics.authpct import authpct
from genmem.metrics.c_t import c_t_from_distances
from genmem.metrics.copied_fraction import copied_fraction_from
from genmem.metrics.memorization_ratio import memorization_ratio
from genmem.progress import progress_on_stderr
from genmem.scoring.feature_sets import ExtractOptions, FeatureSets, load_feature_sets
from studies.disguises import DISGUISES, disguised

Floats = NDArray[np.float64]

SPACES = ("efficientnet-lite0", "pixels")
COPIES = 500
"""Training images that are copied, the same in every disguise."""

IMAGES = 5_000
LEVEL = 0.05
DRAWS = 100


@dataclass(frozen=True, kw_only=True)
class SearchResults:
    """The statistics of all images in one space.

    Attributes:
        copies: by family of forms and disguise, float64 [COPIES].
        honest: of the held-out images, by family, float64 [m].
        nearest_is_source: by disguise, the share whose nearest training image is their source.
    """

    copies: Mapping[str, Mapping[str, Floats]]
    honest: Mapping[str, Floats]
    nearest_is_source: Mapping[str, float]


Comparison = Mapping[str, Sequence[str]]
"""The families of augmentations that are compared in each space."""


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Means over the draws, of one comparison and one disguise."""

    recall: float
    false: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the study and print its tables as Markdown."""
    parser = argparse.ArgumentParser(prog="python -m studies.detection", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--train-images", type=int, default=50_000)
    parser.add_argument("--crops-in-features", action="store_true")
    options = parser.parse_args(arguments)
    with ExitStack() as stack, progress_on_stderr() as progress:
        train = stack.enter_context(open_images(options.data / "train.zip"))
        test = stack.enter_context(open_images(options.data / "test.zip"))
        rows = np.linspace(0, len(train), options.train_images, endpoint=False).astype(np.int64)
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
        in_features = ("flip", "crops") if options.crops_in_features else ("flip",)
        families = {SPACES[0]: in_features, SPACES[1]: ("flip", "crops")}
        spaces = {
            space: load_feature_sets(
                {"generated": copies, "train": chosen, "test": test},
                stack=stack,
                backbone=space,
                options=ExtractOptions(progress=progress),
            )
            for space in SPACES
        }
        searches = {s: search_all(spaces[s], families[s], copied, progress) for s in SPACES}
    print(f"Training images: {len(rows):,}. Augmentations: {families}.\n")
    print_flags(searches)
    print_copied_fraction(searches[SPACES[0]])
    print_others(spaces, searches[SPACES[0]])


def search_all(
    inputs: FeatureSets, families: Sequence[str], copied: NDArray[np.int64], progress: Progress
) -> SearchResults:
    """Search copies and held-out images in all augmentations of the training images."""
    count = int(inputs.by_role["train"].array.shape[0])
    results = search_space(
        inputs,
        families=build_families(families),
        honest=Queries(array=inputs.by_role["test"].array),
        train_rows=np.arange(count),
        k=1,
        options=ExtractOptions(progress=progress),
    )
    copies = {
        family: distance_statistic(matches, results.metric)[0].reshape(len(DISGUISES), -1)
        for family, matches in results.generated.items()
    }
    nearest = results.generated[UNCHANGED].train[:, 0].reshape(len(DISGUISES), -1)
    return SearchResults(
        copies={
            family: dict(zip(DISGUISES, values, strict=True)) for family, values in copies.items()
        },
        honest={
            family: distance_statistic(matches, results.metric)[0]
            for family, matches in results.honest.items()
        },
        nearest_is_source=dict(
            zip(DISGUISES, (nearest == copied).mean(axis=1).tolist(), strict=True)
        ),
    )


def comparisons(searches: Mapping[str, SearchResults]) -> dict[str, Comparison]:
    """The feature spaces and augmentations that are compared."""
    return {
        "features": {SPACES[0]: (UNCHANGED,)},
        "pixels": {SPACES[1]: (UNCHANGED,)},
        "both": dict.fromkeys(SPACES, (UNCHANGED,)),
        "both, augmented": {space: tuple(searches[space].honest) for space in SPACES},
    }


def draw(
    searches: Mapping[str, SearchResults],
    comparison: Comparison,
    disguise: str,
    copies: int,
    seed: int,
) -> Floats:
    """The q-values of one generated set, the copies first."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(searches[SPACES[0]].honest[UNCHANGED]))
    honest, null = order[: IMAGES - copies], order[IMAGES : 2 * IMAGES]
    which = rng.choice(COPIES, copies, replace=False)
    tests, own = [], []
    for space, families in comparison.items():
        results = searches[space]
        for family in families:
            distribution = null_distribution(results.honest[family][null])
            values = [results.copies[family][disguise][which], results.honest[family][honest]]
            tests.append(distribution.scores(np.concatenate(values)))
            own.append(distribution.leave_one_out_scores(results.honest[family][null]))
    return q_values(*combined_p_values(np.stack(tests), np.stack(own)))


def rates(
    searches: Mapping[str, SearchResults],
    comparison: Comparison,
    disguise: str,
    *,
    copies: int,
    draws: int,
) -> Rates:
    """The share of copies that are flagged, and the realized false-discovery rate."""
    recall, false = [], []
    for seed in range(draws):
        flagged = draw(searches, comparison, disguise, copies, seed) <= LEVEL
        recall.append(flagged[:copies].mean())
        false.append(flagged[copies:].sum() / max(1, flagged.sum()))
    return Rates(recall=float(np.mean(recall)), false=float(np.mean(false)))


def print_flags(searches: Mapping[str, SearchResults]) -> None:
    """The share of copies flagged, by disguise and comparison."""
    compared = comparisons(searches)
    print(f"Flags at q ≤ {LEVEL}: 5 % of {IMAGES:,} images replaced, {DRAWS} draws.\n")
    print(f"| disguise | source is nearest: features, pixels | {' | '.join(compared)} | false |")
    print(f"|---|---|{'---|' * (len(compared) + 1)}")
    last = comparisons(searches)["both, augmented"]
    for disguise in DISGUISES:
        nearest = ", ".join(
            f"{searches[space].nearest_is_source[disguise]:.2f}" for space in SPACES
        )
        by_comparison = [
            rates(searches, comparison, disguise, copies=IMAGES // 20, draws=DRAWS)
            for comparison in compared.values()
        ]
        cells = " | ".join(f"{means.recall:.2f}" for means in by_comparison)
        print(f"| {disguise} | {nearest} | {cells} | {by_comparison[-1].false:.3f} |", flush=True)
    for share in (100, 500):
        few = rates(searches, last, "JPEG 90", copies=IMAGES // share, draws=DRAWS)
        print(
            f"\n{IMAGES // share} copies (JPEG 90), both augmented: found {few.recall:.2f}, "
            f"false {few.false:.3f}."
        )
    for name, comparison in compared.items():
        none = [
            (draw(searches, comparison, "flip", 0, seed) <= LEVEL).any() for seed in range(DRAWS)
        ]
        print(f"\nNo copies, {name}: something is flagged in {sum(none)} of {DRAWS} draws.")
    print()


def print_copied_fraction(searches: SearchResults) -> None:
    """How often the interval excludes 0, and holds the true share."""
    honest, saved = searches.honest[UNCHANGED], searches.copies[UNCHANGED]["JPEG 90"]
    print("`copied_fraction` in features, JPEG 90.\n")
    print("| copies | interval excludes 0 | interval holds the share | mean interval |")
    print("|---|---|---|---|")
    for share in (0.0, 0.005, 0.01, 0.02, 0.05):
        copies = round(IMAGES * share)
        intervals = []
        for seed in range(DRAWS):
            rng = np.random.default_rng(1_000 + seed)
            order = rng.permutation(len(honest))
            which = rng.choice(COPIES, copies, replace=False)
            values = [saved[which], honest[order[: IMAGES - copies]]]
            interval = copied_fraction_from(
                generated=np.concatenate(values),
                test=honest[order[IMAGES : 2 * IMAGES]],
                train_rows=50_000,
            ).interval
            assert interval is not None
            intervals.append((interval.low, interval.high))
        low, high = np.array(intervals).T
        holds = ((low <= share) & (share <= high)).sum()
        print(
            f"| {100 * share:.1f} % | {(low > 0).sum()} of {DRAWS} | {holds} of {DRAWS} "
            f"| {100 * low.mean():.2f} to {100 * high.mean():.2f} % |",
            flush=True,
        )
    print()


def print_others(spaces: Mapping[str, FeatureSets], searches: SearchResults) -> None:
    """What other metrics say of a set with 5 % copies."""
    print(f"Other metrics, {IMAGES:,} images of which 5 % are copies, one draw.\n")
    print("| set | memorization distance s | C_T | AuthPct | 1/3 ratio (pixels) |")
    print("|---|---|---|---|---|")
    features = {role: features.array for role, features in spaces[SPACES[0]].by_role.items()}
    pixels = {role: features.array for role, features in spaces[SPACES[1]].by_role.items()}
    honest_authentic = float(authpct(generated=features["test"], train=features["train"]))
    honest_ratio = float(memorization_ratio(generated=pixels["test"], train=pixels["train"]))
    held_out = searches.honest[UNCHANGED]
    order = np.random.default_rng(0).permutation(len(held_out))
    honest, null = held_out[order[:IMAGES]], held_out[order[IMAGES : 2 * IMAGES]]
    c_t = float(c_t_from_distances(generated=honest, test=null))
    print(
        f"| no copies | {honest.mean():.4f} | {c_t:.2f} | {honest_authentic:.1f} "
        f"| {100 * honest_ratio:.2f} % |"
    )
    count = IMAGES // 20
    for place, disguise in enumerate(DISGUISES):
        rows = slice(place * COPIES, (place + 1) * COPIES)
        values = np.concatenate([searches.copies[UNCHANGED][disguise][:count], honest[count:]])
        authentic = float(authpct(generated=features["generated"][rows], train=features["train"]))
        ratio = float(
            memorization_ratio(generated=pixels["generated"][rows], train=pixels["train"])
        )
        print(
            f"| 5 % {disguise} | {values.mean():.4f} "
            f"| {float(c_t_from_distances(generated=values, test=null)):.2f} "
            f"| {0.95 * honest_authentic + 0.05 * authentic:.1f} "
            f"| {95 * honest_ratio + 5 * ratio:.2f} % |",
            flush=True,
        )
    print()


if __name__ == "__main__":
    main(sys.argv[1:])
