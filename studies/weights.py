"""What further comparisons cost and find in an audit, by the weight that they are given.

    python -m studies.weights --data FOLDER_OR_ZIP … [--cut N] [--backbone NAME] [--limit N]

Images and copies as in `studies.photographs`. All are searched once, in features and in pixels and
under every family of augmentations; each way combines the same scores with weights of its own.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from genmem.auditing.augment_option import UNCHANGED
from genmem.auditing.feature_spaces import SpaceSearch
from genmem.auditing.groups import HonestUnits
from genmem.auditing.space_tests import compute_tests
from genmem.auditing.statistics import AUGMENTED_WEIGHT, RATIO_WEIGHT, space_statistics
from genmem.calibration.null_distribution import combined_p_values
from genmem.calibration.q_values import q_values
from genmem.images.disguises import DISGUISES
from genmem.progress import progress_on_stderr
from studies.photograph_recall import LEVEL, Searcher, Way, divide_search
from studies.photograph_sets import read_photographs
from studies.photographs import COPIES, PIXELS, POOL, draw_sets

Floats = NDArray[np.float64]
Scheme = Mapping[str, float]
"""The weights of "distance" (1), "d1/d2", and "augmented"; a comparison of weight 0 is left out."""

SCHEMES: dict[str, Scheme] = {
    "distances": {"d1/d2": 0, "augmented": 0},
    "+ d1/d2, weight 1": {"d1/d2": 1, "augmented": 0},
    f"+ d1/d2, weight {RATIO_WEIGHT:g}": {"d1/d2": RATIO_WEIGHT, "augmented": 0},
    "+ all augmentations, weights 1": {"d1/d2": 1, "augmented": 1},
    f"+ all augmentations, weights {RATIO_WEIGHT:g} and {AUGMENTED_WEIGHT:g}": {
        "d1/d2": RATIO_WEIGHT,
        "augmented": AUGMENTED_WEIGHT,
    },
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the study and print its table as Markdown."""
    parser = argparse.ArgumentParser(prog="python -m studies.weights", description=__doc__)
    parser.add_argument("--data", nargs="+", required=True)
    parser.add_argument("--cut", type=int, default=1, help="cut pictures into N × N patches")
    parser.add_argument("--backbone", default="efficientnet-lite0")
    parser.add_argument("--limit", type=int, help="use only so many images")
    parser.add_argument("--draws", type=int, default=40)
    options = parser.parse_args(arguments)
    photographs = read_photographs(options.data, cut=options.cut, side=400)
    order = np.random.default_rng(0).permutation(len(photographs))[: options.limit]
    way = Way(name="", spaces=(options.backbone, PIXELS), augment=("all",))
    with ExitStack() as stack, progress_on_stderr() as progress:
        sets, sizes = draw_sets([photographs[place] for place in order])
        searcher = Searcher(sets, stack, progress)
        _, searches = searcher.search(way)
    images, held_out = sizes.generated, sizes.held_out
    results: dict[str, list[NDArray[np.float64]]] = {name: [] for name in SCHEMES}
    for seed in range(options.draws):
        drawn = draw_scores(searches, images=images, held_out=held_out, seed=seed)
        for name, scheme in SCHEMES.items():
            results[name].append(rates(*drawn, scheme, images=images, seed=seed))
    print_table({name: np.mean(values, axis=0) for name, values in results.items()})


def draw_scores(
    searches: Sequence[SpaceSearch], *, images: int, held_out: int, seed: int
) -> tuple[list[str], Floats, Floats]:
    """Kinds and unweighted scores of all comparisons, [T, copies + honest generated] and [T, m]."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(searches[0].honest[UNCHANGED].distances))
    null, honest = order[:held_out], order[held_out : held_out + images]
    units = HonestUnits(source="test", kept=np.ones(len(null), dtype=bool))
    kinds, scores, own = [], [], []
    for search in searches:
        part = divide_search(search, null=null, honest=honest)
        for statistic in space_statistics(part, units):
            test = compute_tests([replace(statistic, weight=1.0)])
            kinds.append(f"{statistic.name} {statistic.family}")
            scores.append(test.scores[0])
            own.append(test.honest_scores[0])
    return kinds, np.stack(scores), np.stack(own)


def rates(
    kinds: Sequence[str],
    scores: Floats,
    own: Floats,
    scheme: Scheme,
    *,
    images: int,
    seed: int,
) -> Floats:
    """Recall and realized false-discovery rate by disguise, and any flag without copies, [D, 3]."""
    weights = np.array(
        [
            (scheme["d1/d2"] if kind.startswith("d1/d2") else 1)
            * (1 if kind.endswith(UNCHANGED) else scheme["augmented"])
            for kind in kinds
        ]
    )
    used = weights > 0
    column = weights[used][:, None]
    p_values, honest = combined_p_values(scores[used] / column, own[used] / column)
    p_copies, p_honest = np.split(p_values, [len(p_values) - images])
    p_copies = p_copies.reshape(len(DISGUISES), POOL)
    rng = np.random.default_rng(seed)
    alarm = float((q_values(p_honest, honest) <= LEVEL).any())
    rows = []
    for own_p in p_copies:
        chosen = own_p[rng.choice(POOL, COPIES, replace=False)]
        p = np.concatenate([chosen, p_honest[: images - COPIES]])
        flagged = q_values(p, honest) <= LEVEL
        false = flagged[COPIES:].sum() / max(1, flagged.sum())
        rows.append((flagged[:COPIES].mean(), false, alarm))
    return np.array(rows)


def print_table(results: Mapping[str, Floats]) -> None:
    """A row per disguise that any way finds, and the means."""
    print(f"| disguise | {' | '.join(results)} |\n|---|{'---|' * len(results)}")
    for number, name in enumerate(DISGUISES):
        recall = [values[number, 0] for values in results.values()]
        if max(recall) >= 0.05:
            print(f"| {name} | {' | '.join(f'{value:.2f}' for value in recall)} |")
    first = next(iter(results.values()))[:, 0]
    for title, summary in {
        "mean recall": lambda values: values[:, 0].mean(),
        "largest loss against the first": lambda values: (first - values[:, 0]).max(),
        "largest realized false-discovery rate": lambda values: values[:, 1].max(),
        "draws without copies with a flag": lambda values: values[:, 2].mean(),
    }.items():
        cells = " | ".join(f"{summary(values):.3f}" for values in results.values())
        print(f"| {title} | {cells} |")


if __name__ == "__main__":
    main()
