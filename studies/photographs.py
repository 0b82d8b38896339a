"""An audit of photographs: what it finds of disguised copies, and whether it accuses the honest.

    python -m studies.photographs [--data FOLDER_OR_ZIP …] [--cut N] [--write docs/photographs.md]

The photographs are in the folders or archives that are named; nothing is downloaded. First-level
folders are groups. Pictures are cut into N × N patches and reduced. Without --data scenes are
rendered. Features are kept in the cache.
"""

from __future__ import annotations

import argparse
import datetime
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from genmem.images import Progress
from genmem.images.disguises import DISGUISES
from genmem.io.atomic import atomic_write
from genmem.progress import progress_on_stderr
from studies.draw_store import DrawStore
from studies.feature_scenarios import feature_table
from studies.feature_store import FeatureStore
from studies.photograph_recall import FEATURES, Recall, RecallSets, Searcher, Way, measure_recall
from studies.photograph_scenarios import (
    SCENARIOS,
    Outcome,
    Scenario,
    build_material,
    run_draw,
)
from studies.photograph_sets import Photograph, read_photographs, render_scenes, set_apart

TRAIN, HELD_OUT, GENERATED, COPIES = 500, 250, 250, 22
POOL = 24
"""Training images that copies are drawn from."""

PIXELS = "pixels@64"
WAYS = (
    Way(name="features", spaces=(FEATURES,)),
    Way(name="+ pixels", spaces=(FEATURES, PIXELS)),
    Way(name="+ local evidence", spaces=(FEATURES, PIXELS), local=True),
    Way(name="+ augmentations", spaces=(FEATURES, PIXELS), local=True, augment=("all",)),
)
GOAL, GOAL_FALSE, GOAL_HARD = 0.95, 0.06, 0.9
GOAL_ACCUSED, GOAL_WARNED = 0.05, 0.9
READING = "## Reading"
"""First line of the hand-written part of the page, which is kept."""

HARD = ("crop 40 %", "half and half", "cut-out", "pasted at 50 %", "rotate 90")


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How many images of each kind; 2 : 1 : 1 of fewer where there are not 1,000."""

    train: int
    held_out: int
    generated: int


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the study and print its tables as Markdown."""
    parser = argparse.ArgumentParser(prog="python -m studies.photographs", description=__doc__)
    parser.add_argument("--data", nargs="+", default=[])
    parser.add_argument("--cut", type=int, default=1, help="cut pictures into N × N patches")
    parser.add_argument("--side", type=int, default=400, help="longer side of a patch")
    parser.add_argument(
        "--apart",
        type=float,
        default=0.0,
        help="leave out patches nearer than this to another one, in features",
    )
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--ways", nargs="*", choices=[way.name for way in WAYS])
    parser.add_argument("--scenarios", type=int, default=20, help="draws of each; 0: leave out")
    parser.add_argument("--other", nargs="+", default=[], help="images of another domain")
    parser.add_argument("--no-local", dest="local", action="store_false", default=None)
    parser.add_argument("--resume", type=Path, help="file of the scenarios' finished draws")
    parser.add_argument("--write", type=Path)
    options = parser.parse_args(arguments)
    if options.data:
        photographs = read_photographs(options.data, cut=options.cut, side=options.side)
    else:
        photographs = render_scenes(TRAIN + HELD_OUT + GENERATED + POOL, seed=0)
    ways = [way for way in WAYS if options.ways is None or way.name in options.ways]
    with ExitStack() as stack, progress_on_stderr() as progress:
        if options.apart:
            photographs = set_apart(photographs, FEATURES, options.apart, progress)
        sets, sizes = draw_sets(photographs)
        searcher = Searcher(sets, stack, progress)
        results = {}
        for way in ways:
            results[way.name] = measure_recall(
                searcher,
                way,
                sizes=(sizes.generated, sizes.held_out, COPIES),
                sources=POOL,
                draws=options.draws,
            )
            alone = {way.name: results[way.name]}
            lines = [*recall_table(alone), *goals(alone)]
            print("\n".join(lines), file=sys.stderr, flush=True)
        lines = [describe(photographs, sizes, options.draws), ""]
        if results:
            lines += [*recall_table(results), "", *goals(results), ""]
            print("\n".join(lines), flush=True)
        if options.scenarios:
            rows = tell_scenarios(photographs, sizes, options, progress)
            rows += ["", *feature_table(options.scenarios)]
            print("\n".join(rows), flush=True)
            lines += rows
    if options.write:
        write_page(options.write, lines)


def tell_scenarios(
    photographs: Sequence[Photograph],
    sizes: Sizes,
    options: argparse.Namespace,
    progress: Progress,
) -> list[str]:
    """Run the honest scenarios, and tell them as a table with goals."""
    if options.other:
        other = read_photographs(options.other, cut=1, side=options.side)
    else:
        other = render_scenes(HELD_OUT, seed=1)
    spaces = (FEATURES, PIXELS)
    store = FeatureStore(spaces, progress=progress)
    numbers = (sizes.train, sizes.held_out, sizes.generated)
    material = build_material(photographs, other, store, sizes=numbers, space=FEATURES)
    scenarios = [scenario for scenario in SCENARIOS if material.has_scenes or not scenario.scenes]
    outcomes: dict[Scenario, list[Outcome]] = {scenario: [] for scenario in scenarios}
    with DrawStore(options.resume) as done:
        for seed in range(options.scenarios):
            for scenario in scenarios:
                outcome = done.get(scenario.name, seed)
                if outcome is None:
                    outcome = run_draw(
                        scenario, material, store, spaces=spaces, local=options.local, seed=seed
                    )
                    done.put(scenario.name, seed, outcome)
                outcomes[scenario].append(outcome)
    return scenario_table(outcomes)


def scenario_table(outcomes: Mapping[Scenario, Sequence[Outcome]]) -> list[str]:
    """A row per scenario, and what was said."""
    columns = ("scenario", "audit says", "score says", "draws with flags", "right warning", "goal")
    lines = [f"| {' | '.join(columns)} |", "|---|---|---|---|---|---|"]
    lines += [scenario_row(scenario, draws) for scenario, draws in outcomes.items()]
    lines += ["", "An audit's words for each label, of its first draw:", ""]
    for scenario, draws in outcomes.items():
        examples = {draw.labels[0]: draw.said[0] for draw in reversed(draws)}
        lines += [f"- {scenario.name}: {sentence}" for sentence in examples.values()]
    return lines


def scenario_row(scenario: Scenario, draws: Sequence[Outcome]) -> str:
    """One row of the table."""
    count = len(draws)
    warned = sum(draw.warns(scenario) for draw in draws)
    met = warned >= GOAL_WARNED * count
    if scenario.honest:
        met = met and sum(draw.accuses for draw in draws) <= GOAL_ACCUSED * count
    cells = (
        scenario.name,
        _counts([draw.labels[0] for draw in draws]),
        _counts([draw.labels[1] for draw in draws]),
        f"{sum(draw.flags > 0 for draw in draws)} of {count}",
        f"{warned} of {count}",
        _met(met),
    )
    return f"| {' | '.join(cells)} |"


def _counts(labels: Sequence[str]) -> str:
    return ", ".join(f"{label} {number}" for label, number in Counter(labels).most_common())


def write_page(path: Path, lines: Sequence[str]) -> None:
    """Replace everything above the line `READING` of a page; what is below it is kept."""
    page = path.read_text(encoding="utf-8") if path.is_file() else ""
    _, heading, reading = page.partition(READING)
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    head = ["# Audits of photographs", "", f"`python -m studies.photographs`, {today}.", ""]
    with atomic_write(path) as file:
        file.write("\n".join([*head, *lines, "", heading + reading]).encode())


def draw_sets(photographs: Sequence[Photograph]) -> tuple[RecallSets, Sizes]:
    """A random training set and honest images; the rest, if any, is combined with copies."""
    needed = TRAIN + HELD_OUT + GENERATED
    scale = min(1.0, len(photographs) / needed)
    sizes = Sizes(
        train=int(TRAIN * scale),
        held_out=int(HELD_OUT * scale),
        generated=int(GENERATED * scale),
    )
    order = np.random.default_rng(0).permutation(len(photographs))
    pixels = [photographs[row].pixels for row in order.tolist()]
    honest = sizes.held_out + sizes.generated
    others = pixels[sizes.train + honest :]
    if len(others) < POOL:
        others = pixels[sizes.train : sizes.train + honest]
    sets = RecallSets(
        train=pixels[: sizes.train],
        honest=pixels[sizes.train : sizes.train + honest],
        sources=np.arange(POOL),
        others=others,
    )
    return sets, sizes


def describe(photographs: Sequence[Photograph], sizes: Sizes, draws: int) -> str:
    """The data and sizes, in a sentence or two."""
    groups = len({photograph.group for photograph in photographs})
    return (
        f"{len(photographs):,} patches of {groups:,} groups; {sizes.train} training images, "
        f"m = {sizes.held_out} held-out and n = {sizes.generated} generated images, of which "
        f"{COPIES} are copies in one disguise; means of {draws} draws."
    )


def recall_table(results: dict[str, Recall]) -> list[str]:
    """Recall at q ≤ .05 by disguise and way, with the false-discovery rate of each way."""
    lines = [f"| disguise | {' | '.join(f'{name} | false' for name in results)} |"]
    lines.append(f"|---|{'---|' * 2 * len(results)}")
    for disguise in DISGUISES:
        cells = [
            f"{result.recall[disguise]:.2f} | {result.false[disguise]:.3f}"
            for result in results.values()
        ]
        lines.append(f"| {disguise} | {' | '.join(cells)} |")
    cells = [
        f"**{result.mean:.3f}** | {max(result.false.values()):.3f} (largest)"
        for result in results.values()
    ]
    lines.append(f"| **mean** | {' | '.join(cells)} |")
    cells = [f"{result.alarms:.2f} |" for result in results.values()]
    lines.append(f"| no copies: draws with a flag | {' | '.join(cells)} |")
    return lines


def goals(results: dict[str, Recall]) -> list[str]:
    """Each goal, met or not."""
    lines = []
    for name, result in results.items():
        worst = max(result.false.values())
        hard = {disguise: result.recall[disguise] for disguise in HARD}
        low = [f"{disguise} {value:.2f}" for disguise, value in hard.items() if value < GOAL_HARD]
        lines += [
            f"- {name}: mean recall {result.mean:.3f} (goal {GOAL}): {_met(result.mean >= GOAL)}",
            f"- {name}: largest false-discovery rate {worst:.3f} (goal at most {GOAL_FALSE}): "
            f"{_met(worst <= GOAL_FALSE)}",
            f"- {name}: {', '.join(HARD)} at least {GOAL_HARD}: {_met(not low)}"
            + (f" ({', '.join(low)})" if low else ""),
        ]
    return lines


def _met(condition: bool) -> str:
    return "met" if condition else "NOT met"


if __name__ == "__main__":
    main()
