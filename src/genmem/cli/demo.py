"""`genmem demo`: an honest and a copying generator side by side, without a download."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from genmem.cli.options import Backbone, out_option

if TYPE_CHECKING:
    from genmem.auditing import Audit
    from genmem.results import Score

GENERATORS = ("honest", "copying")
SETS = ("train", "test", *GENERATORS)
SHOWN = (
    "fd",
    "precision",
    "recall",
    "memorization_distance",
    "c_t",
    "copied_fraction",
    "authpct",
)
"""Metrics of the table; others need a τ, class logits, or more than 400 images."""

AUDITS = {name: f"{name}-audit" for name in GENERATORS}

MARKER = "made-by-genmem-demo.txt"


def demo(
    out: Annotated[
        Path, out_option("DIR", "Output directory. An earlier demo in it is replaced.")
    ] = Path("demo-output"),
    backbone: Backbone = "efficientnet-lite0@64",
) -> None:
    """Score and audit an honest and a copying digit generator, side by side.

    Takes less than a minute, and downloads nothing.
    """
    _prepare_folder(out)

    from genmem.demo.digits import save_demo_images

    save_demo_images(out)
    print(
        f"600 handwritten digits to train on, and two generators of 400 each, in {out}/.\n"
        "One draws new digits. The other disguises training images by noise and JPEG. Which is it?"
    )
    sys.stdout.flush()
    scores, audits = {}, {}
    for name in GENERATORS:
        scores[name] = _score(out, name, backbone)
        audits[name] = _audit(out, name, backbone)
    _print_story(scores, audits)
    for audit in audits.values():
        audit.close()
    print("\nOpen these in a browser:")
    for name in GENERATORS:
        print(f"  {out / AUDITS[name] / 'audit.html'}  and  {out / name}.html")
    print(
        "Your own images:\n"
        "  genmem score generated/ --train train/ --test heldout/ --backbone efficientnet-lite0"
    )


def _score(folder: Path, name: str, backbone: str) -> Score:
    """Score a generator, and write its page and JSON."""
    from genmem.cli.outputs import write_json
    from genmem.progress import progress_on_stderr
    from genmem.report import write_report
    from genmem.scoring import score

    with progress_on_stderr() as progress:
        result = score(
            generated=folder / name,
            train=folder / "train",
            test=folder / "test",
            backbone=backbone,
            metrics=[*SHOWN, "density", "coverage", "memorization_ratio", "nn_quantiles"],
            progress=progress,
        )
    write_report(result, folder / f"{name}.html")
    write_json(result.to_dict(), str(folder / f"{name}.json"))
    return result


def _audit(folder: Path, name: str, backbone: str) -> Audit:
    """Look for the copies of a generator, in features and in pixels, and write the page."""
    from genmem.auditing import audit
    from genmem.progress import progress_on_stderr
    from genmem.report.audit.page import write_audit

    with progress_on_stderr() as progress:
        result = audit(
            generated=folder / name,
            train=folder / "train",
            test=folder / "test",
            backbone=list(dict.fromkeys([backbone, "pixels"])),
            progress=progress,
        )
    write_audit(result, folder / AUDITS[name])
    return result


def _print_story(scores: Mapping[str, Score], audits: Mapping[str, Audit]) -> None:
    """Print both generators in one table, what is said of each, and pictures of copies."""
    from genmem.cli.console import print_table
    from genmem.formatting import number
    from genmem.report.common.terminal import new_table
    from genmem.report.common.verdict import render_verdict

    table = new_table("", *GENERATORS, numbers=GENERATORS)
    for metric in SHOWN:
        values = (number(float(scores[name][metric])) for name in GENERATORS)
        table.add_row(metric, *values)
    table.add_row("flagged by the audit", *(f"{audits[name].flagged.sum()}" for name in GENERATORS))
    for judge, results in (("score", scores), ("audit", audits)):
        words = (render_verdict(results[name].verdict).word.lower() for name in GENERATORS)
        table.add_row(f"verdict of the {judge}", *words)
    print()
    print_table(table)
    better = min(GENERATORS, key=lambda name: float(scores[name]["fd"]))
    print(f"\nBy FD alone the {better} generator is better. And copying?")
    for name in GENERATORS:
        print(f"The {name} generator: {render_verdict(audits[name].verdict).sentence}")
    if sys.stdout.isatty():
        _print_pictures(audits["copying"])


def _print_pictures(audit: Audit) -> None:
    """Flagged images over the training images that they copy, in half blocks of color."""
    from rich.console import Console

    from genmem.demo.terminal_pictures import as_blocks

    flagged = audit.flagged.nonzero()[0][: Console().width // 17]
    if len(flagged) and audit.thumbnails is not None:
        print("Generated images, and below them the training images that they copy:")
        for pictures in (
            [audit.thumbnails.generated(row) for row in flagged],
            [audit.thumbnails.train(audit.nearest(row)[1]) for row in flagged],
        ):
            Console().print(as_blocks([picture for picture in pictures if picture], side=16))


def _prepare_folder(folder: Path) -> None:
    """Make `folder`, or remove an earlier demo's images from it; other files are not touched.

    Raises:
        UsageError: the folder holds other files, or cannot be created.
    """
    from genmem.errors import UsageError

    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()) and not (folder / MARKER).is_file():
            raise UsageError(f"--out {folder} holds other files; name another directory.")
        (folder / MARKER).write_text(
            "`genmem demo` replaces the files of this folder.\n", encoding="utf-8"
        )
        for name in (*SETS, *AUDITS.values()):
            if (folder / name).is_dir():
                shutil.rmtree(folder / name)
    except OSError as error:
        raise UsageError(f"cannot use {folder} for the demo: {error.strerror}") from error
