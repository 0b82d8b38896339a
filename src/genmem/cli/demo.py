"""`genmem demo`: an honest and a copying generator side by side, without a download."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Annotated

from genmem.cli.options import Backbone, out_option
from genmem.metrics.registry import BUILT_IN

GENERATORS = ("honest", "copying")
SETS = ("train", "test", *GENERATORS)
NOT_SHOWN = ("mifid", "fd_infinity", "kd", "inception_score")
"""Metrics that need a τ, class logits, or more than 400 images."""

AUDIT = "copying-audit"

MARKER = "made-by-genmem-demo.txt"


def demo(
    out: Annotated[
        Path, out_option("DIR", "Output directory. An earlier demo in it is replaced.")
    ] = Path("demo-output"),
    backbone: Backbone = "efficientnet-lite0",
) -> None:
    """Score and audit an honest and a copying digit generator.

    Takes about a minute, or a few seconds with `--backbone pixels`.
    """
    _prepare_folder(out)

    from genmem.cli.console import print_score, print_score_notes
    from genmem.cli.outputs import write_json
    from genmem.demo.digits import demo_images, save_images
    from genmem.progress import progress_on_stderr
    from genmem.report import write_report
    from genmem.scoring import score

    images = demo_images(seed=0)
    for name in SETS:
        save_images(getattr(images, name), out / name)
    for name in GENERATORS:
        with progress_on_stderr() as progress:
            result = score(
                generated=out / name,
                train=out / "train",
                test=out / "test",
                backbone=backbone,
                metrics=[name for name in BUILT_IN if name not in NOT_SHOWN],
                progress=progress,
            )
        write_report(result, out / f"{name}.html")
        write_json(result.to_dict(), str(out / f"{name}.json"))
        print(f"\nThe {name} generator")
        print_score(result)
        print_score_notes(result)
        sys.stdout.flush()
    _audit(out, backbone)
    print("\nOpen these in a browser:")
    for name in GENERATORS:
        print(f"  {out / name}.html")
    print(f"  {out / AUDIT / 'audit.html'}")


def _audit(folder: Path, backbone: str) -> None:
    """Find the copies of the copying generator, in features and in pixels."""
    from genmem.auditing import audit
    from genmem.cli.console import print_audit
    from genmem.progress import progress_on_stderr
    from genmem.report.audit.page import write_audit

    with progress_on_stderr() as progress:
        result = audit(
            generated=folder / "copying",
            train=folder / "train",
            test=folder / "test",
            backbone=list(dict.fromkeys([backbone, "pixels"])),
            progress=progress,
        )
    with result:
        write_audit(result, folder / AUDIT)
    print("\nThe images of the copying generator, one by one")
    print_audit(result)
    sys.stdout.flush()


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
        for name in (*SETS, AUDIT):
            if (folder / name).is_dir():
                shutil.rmtree(folder / name)
    except OSError as error:
        raise UsageError(f"cannot use {folder} for the demo: {error.strerror}") from error
