"""`genmem duplicates`: which images of a set repeat others, and which of them to delete."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from genmem.cli.options import (
    SOURCE,
    Device,
    OutDirectory,
    ReferenceBackbones,
    SkipBroken,
    Weights,
)


def duplicates(
    train: Annotated[str, typer.Argument(metavar="TRAIN", help=f"Images: a {SOURCE}.")],
    out: OutDirectory,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="SOURCE",
            help="Other images, such as held-out ones. Images of TRAIN that repeat one of them are "
            "listed for deletion.",
        ),
    ] = None,
    backbone: ReferenceBackbones = None,
    regions: Annotated[
        bool | None,
        typer.Option(
            "--regions/--no-regions",
            help="Also look for shared regions, which finds turned and cropped images. On for "
            "images of 64 pixels or more where the extra `local` is installed.",
        ),
    ] = None,
    weights: Weights = None,
    device: Device = "auto",
    skip_broken: SkipBroken = False,
) -> None:
    """List images that repeat others, which to keep and which to delete.

    Finds the same picture though resized, recompressed, recolored, mirrored, turned or cropped.
    Writes a page, tables and delete.txt; deletes nothing. TRAIN and `--against` may be references
    (`genmem reference`), whose pictures are compared.
    """
    from genmem.cli.outputs import check_folder
    from genmem.cli.parsing import split_names
    from genmem.progress import progress_on_stderr

    check_folder(out, inputs={"TRAIN": train, "--against": against, "--weights": weights})
    from genmem.cli.console import print_notes
    from genmem.deduplication import duplicates as search
    from genmem.io.result_folder import check_result_folder
    from genmem.report.duplicates.page import DUPLICATES, summary, write_duplicates

    check_result_folder(out, DUPLICATES)
    with progress_on_stderr() as progress:
        result = search(
            train,
            against=against,
            backbone=None if backbone is None else split_names(backbone),
            local=regions,
            weights=weights,
            device=device,
            skip_broken=skip_broken,
            progress=progress,
        )
    with result:
        write_duplicates(result, out)
    print(summary(result))
    print_notes(result.notes)
    print(f"duplicates: {out / DUPLICATES.page}", file=sys.stderr)
