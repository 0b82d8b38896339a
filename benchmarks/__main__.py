"""`python -m benchmarks`: measure, print the table, and optionally write a page."""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console

from benchmarks import machine, sizes
from benchmarks.cases import distance, frechet, inception, optimal, pipeline, quality, scale, ties
from benchmarks.document import to_document
from benchmarks.sizes import Sizes
from benchmarks.table import Row, summary, to_terminal
from benchmarks.worker import preload_everything

CASES: dict[str, Callable[[Path, Sizes], Iterator[Row]]] = {
    "fd-moments": frechet.from_moments,
    "fd-features": frechet.from_features,
    "kd": quality.kernel_distance,
    "inception-score": quality.inception_score,
    "precision-recall": quality.precision_recall,
    "distance": distance.rows,
    "optimal-denoiser": optimal.rows,
    "inception": inception.rows,
    "pipeline": pipeline.rows,
    "scale": scale.rows,
    "ties": ties.rows,
}


def main() -> None:
    """Parse the command line and run the selected cases."""
    arguments = _parse()
    case_sizes = sizes.quick() if arguments.quick else sizes.full(scale=arguments.scale)
    if arguments.quick:
        preload_everything()
    notes = Console(stderr=True)
    machine_facts = machine.describe()
    started = time.perf_counter()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="genmem-benchmarks-") as name:
        folder = Path(name)
        # Exported networks stay out of the user's cache. Set before the first worker starts.
        os.environ["GENMEM_CACHE"] = str(folder / "cache")
        for case in arguments.only or CASES:
            for row in CASES[case](folder, case_sizes):
                rows.append(row)
                spent = f"{time.perf_counter() - started:5.0f} s"
                notes.print(
                    f"{spent}  {row.case} · {row.against}: {row.ratio}",
                    highlight=False,
                    soft_wrap=True,
                )
    minutes = (time.perf_counter() - started) / 60
    title = "genmem and its peers" + ("" if case_sizes.evaluated else " (quick: not a result)")
    Console(width=None if Console().is_terminal else 200).print(to_terminal(rows, title=title))
    print("\n".join(f"{heading}: {text}" for heading, text in machine_facts.items()))
    print(summary(rows))
    if arguments.write:
        arguments.write.write_text(
            to_document(rows, machine=machine_facts, sizes=case_sizes, minutes=minutes),
            encoding="utf-8",
        )


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--quick",
        action="store_true",
        help="tiny sizes, to test that it runs; no target is evaluated",
    )
    parser.add_argument(
        "--scale",
        action="store_true",
        help="use a million training rows in the scale case (5 GB on disk, 10 minutes more)",
    )
    parser.add_argument(
        "--only", action="append", choices=list(CASES), help="run only this case; may be repeated"
    )
    parser.add_argument("--write", type=Path, metavar="FILE", help="also write a Markdown page")
    return parser.parse_args()


if __name__ == "__main__":
    main()
