"""`genmem demo`: an honest and a copying generator side by side, without a download."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

GENERATORS = ("honest", "copying")
SETS = ("train", "test", *GENERATORS)
METRICS = (
    "fd",
    "precision",
    "recall",
    "density",
    "coverage",
    "memorization_distance",
    "c_t",
    "copied_fraction",
    "memorization_ratio",
    "authpct",
    "nn_quantiles",
)
"""Those that say something about 400 digits within the minute; `genmem score` computes more."""

AUDIT = "copying-audit"

MARKER = "made-by-genmem-demo.txt"


def demo(
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where images and reports go.")
    ] = Path("demo-output"),
    backbone: Annotated[
        str, typer.Option(help="What turns images into features; `pixels` takes seconds.")
    ] = "efficientnet-lite0",
) -> None:
    """Score and audit an honest and a copying generator of handwritten digits."""
    folder = _fresh_folder(out)

    from genmem.cli.console import print_notes, print_table
    from genmem.cli.outputs import write_json
    from genmem.cli.progress import progress_on_stderr
    from genmem.demo.digits import demo_images, save_images
    from genmem.report import write_report
    from genmem.scoring import score

    images = demo_images(seed=0)
    for name in SETS:
        save_images(getattr(images, name), folder / name)
    for name in GENERATORS:
        with progress_on_stderr() as progress:
            found = score(
                generated=folder / name,
                train=folder / "train",
                test=folder / "test",
                backbone=backbone,
                metrics=METRICS,
                progress=progress,
            )
        write_report(found, folder / f"{name}.html")
        write_json(found.to_dict(), str(folder / f"{name}.json"))
        print(f"\nThe {name} generator")
        print_table(found)
        print_notes(found)
        sys.stdout.flush()
    _audit(folder, backbone)
    print("\nOpen these in a browser:")
    for name in GENERATORS:
        print(f"  {folder / name}.html")
    print(f"  {folder / AUDIT / 'audit.html'}")


def _audit(folder: Path, backbone: str) -> None:
    """Name the copying generator's copies, in features and in pixels."""
    from genmem.auditing import audit
    from genmem.cli.console import print_audit
    from genmem.cli.progress import progress_on_stderr
    from genmem.report.audit.page import write_audit

    with progress_on_stderr() as progress:
        found = audit(
            generated=folder / "copying",
            train=folder / "train",
            test=folder / "test",
            backbones=list(dict.fromkeys([backbone, "pixels"])),
            progress=progress,
        )
    with found:
        write_audit(found, folder / AUDIT)
    print("\nThe copying generator's images, one by one")
    print_audit(found)
    sys.stdout.flush()


def _fresh_folder(folder: Path) -> Path:
    """`folder`, empty of an earlier demo's files; nothing of anyone else's is touched.

    Raises:
        UsageError: there is something else in it, or it cannot be made.
    """
    from genmem.errors import UsageError

    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()) and not (folder / MARKER).is_file():
            raise UsageError(f"{folder} holds other files; name another folder with --out")
        (folder / MARKER).write_text("`genmem demo` replaces the files of this folder.\n")
        for name in (*SETS, AUDIT):
            if (folder / name).is_dir():
                shutil.rmtree(folder / name)
    except OSError as error:
        raise UsageError(f"cannot use {folder} for the demo: {error.strerror}") from error
    return folder
