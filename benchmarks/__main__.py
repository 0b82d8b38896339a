"""`python -m benchmarks`: measure, print the table, and write it down if asked to."""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console

from benchmarks import machine, sizes
from benchmarks.cases import distance, frechet, inception, optimal, pipeline, quality, scale
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
}


def main() -> None:
    """Read the command line and run the cases asked for."""
    arguments = _parse()
    chosen = sizes.quick() if arguments.quick else sizes.full(scale=arguments.scale)
    if arguments.quick:
        preload_everything()
    notes = Console(stderr=True)
    described = machine.describe()
    started = time.perf_counter()
    found: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="genmem-benchmarks-") as name:
        folder = Path(name)
        # Exported networks stay out of the user's cache. Set before the first worker starts.
        os.environ["GENMEM_CACHE"] = str(folder / "cache")
        for case in arguments.only or CASES:
            for row in CASES[case](folder, chosen):
                found.append(row)
                spent = f"{time.perf_counter() - started:5.0f} s"
                notes.print(
                    f"{spent}  {row.case} · {row.against}: {row.ratio}",
                    highlight=False,
                    soft_wrap=True,
                )
    minutes = (time.perf_counter() - started) / 60
    title = "genmem beside its peers" + ("" if chosen.judged else " (quick: not a result)")
    Console(width=None if Console().is_terminal else 200).print(to_terminal(found, title=title))
    print("\n".join(f"{heading}: {text}" for heading, text in described.items()))
    print(summary(found))
    if arguments.write:
        arguments.write.write_text(
            to_document(found, machine=described, sizes=chosen, minutes=minutes), encoding="utf-8"
        )


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="tiny sizes, to see that it runs; judges nothing"
    )
    parser.add_argument(
        "--scale",
        action="store_true",
        help="a million training rows in the scale case (5 GB on disk, about 10 minutes more)",
    )
    parser.add_argument(
        "--only", action="append", choices=list(CASES), help="this case; may be repeated"
    )
    parser.add_argument("--write", type=Path, metavar="FILE", help="write a Markdown page too")
    return parser.parse_args()


if __name__ == "__main__":
    main()
