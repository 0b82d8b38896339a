"""`genmem query`: which training images a few images are nearest to, and how near that is."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from genmem.cli.options import (
    Device,
    Json,
    Neighbors,
    Report,
    SkipBroken,
    Train,
    Weights,
    option,
)

Images = Annotated[
    list[str],
    typer.Argument(
        metavar="IMAGE…", help="Image files; or one folder, archive or other set, of few images."
    ),
]
Spaces = Annotated[
    str | None, option("--backbone", metavar="NAME,…", show_default="all of the reference")
]


def query(
    images: Images,
    train: Train,
    backbone: Spaces = None,
    neighbors: Neighbors = 5,
    json: Json = None,
    report: Report = None,
    weights: Weights = None,
    device: Device = "auto",
    skip_broken: SkipBroken = False,
) -> None:
    """List the training images nearest to a few images, and say how near that is.

    `--train` is a reference (`genmem reference`). Its held-out images say how close honest images
    come.
    """
    from genmem.cli.outputs import STDOUT, check_outputs, write_json
    from genmem.cli.parsing import parse_names
    from genmem.io.atomic import check_writable
    from genmem.progress import progress_on_stderr

    if report is not None:
        check_writable(report, suffixes=(".html", ".htm"))
    inputs = {f"IMAGE {place}": image for place, image in enumerate(images, 1)}
    check_outputs(
        {"--json": json, "--report": report},
        inputs={**inputs, "--train": train, "--weights": weights},
    )
    from genmem.cli.console import print_notes, print_table
    from genmem.formatting import printable
    from genmem.querying import query as ask
    from genmem.report.query.page import write_query
    from genmem.report.query.text import finding, neighbor_table

    with progress_on_stderr() as progress:
        result = ask(
            images,
            train=train,
            backbone=None if backbone is None else parse_names(backbone, option="--backbone"),
            neighbors=neighbors,
            weights=weights,
            device=device,
            skip_broken=skip_broken,
            progress=progress,
        )
    if report is not None:
        write_query(result, report)
    if json is not None:
        write_json(result.to_dict(), json)
    if json != STDOUT:
        for image in result.images:
            print(printable(image.id), finding(image))
        print_table(neighbor_table(result.images))
    print_notes(result.notes)
    if report is not None:
        print(f"report: {report}", file=sys.stderr)
