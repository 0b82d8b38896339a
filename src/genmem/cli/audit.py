"""`genmem audit`: which generated images are copies, of which training images."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

import typer

from genmem.cli.score import LARGEST_SEED, SOURCE

FAMILIES = ("flip", "crops")
"""For the help, which loads no image library."""


def audit(
    generated: Annotated[
        str, typer.Argument(metavar="GENERATED", help=f"The generated images: a {SOURCE}.")
    ],
    train: Annotated[str, typer.Option(help="The images the generator was trained on.")],
    out: Annotated[str, typer.Option(metavar="DIR", help="Where page, tables and pictures go.")],
    test: Annotated[
        str | None,
        typer.Option(
            help="Held-out images of the same kind: what honest images look like. "
            "[default: training images, each left out in turn]"
        ),
    ] = None,
    backbone: Annotated[
        str,
        typer.Option(
            metavar="A,B",
            help="Feature spaces to look in, several at once; see `genmem backbones`.",
        ),
    ] = "inception,pixels",
    augment: Annotated[
        str | None,
        typer.Option(
            metavar="A,B",
            help=f"Compare with transformed training images too: {', '.join(FAMILIES)}; "
            "pixels:crops in that space alone.",
        ),
    ] = None,
    neighbors: Annotated[
        int, typer.Option(min=1, help="Nearest training images to list for each image.")
    ] = 5,
    level: Annotated[
        float,
        typer.Option(help="False-discovery rate: the share of flagged images that may be honest."),
    ] = 0.05,
    classes: Annotated[
        bool,
        typer.Option("--classes", help="Training images lie in a folder a class: tell by class."),
    ] = False,
    drop_duplicates: Annotated[
        bool,
        typer.Option(
            "--drop-duplicates",
            help="Count near-duplicate training images as one; leave such held-out images out.",
        ),
    ] = False,
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SEED, help="Seed of everything random.")
    ] = 0,
    weights: Annotated[
        str | None, typer.Option(metavar="FILE", help="The weights file of a single backbone.")
    ] = None,
    device: Annotated[
        Literal["auto", "cpu", "cuda", "mps"], typer.Option(help="Where the networks run.")
    ] = "auto",
    skip_broken: Annotated[
        bool, typer.Option("--skip-broken", help="Leave out unreadable images and list them.")
    ] = False,
) -> None:
    """Name the images of GENERATED that are copies, and the training images they copy.

    What the work will cost is said before it starts.
    """
    from pathlib import Path

    from genmem.cli.outputs import check_folder
    from genmem.cli.parsing import split_names
    from genmem.cli.progress import progress_on_stderr

    check_folder(
        out,
        inputs={"GENERATED": generated, "--train": train, "--test": test, "--weights": weights},
    )
    from genmem.auditing import audit as compute
    from genmem.cli.console import print_audit
    from genmem.report.audit.page import PAGE, check_audit_folder, write_audit

    check_audit_folder(out)
    with progress_on_stderr() as progress:
        found = compute(
            generated=generated,
            train=train,
            test=test,
            backbones=split_names(backbone),
            augment=split_names(augment) if augment is not None else (),
            neighbors=neighbors,
            level=level,
            drop_duplicates=drop_duplicates,
            categories=classes,
            seed=seed,
            weights=weights,
            device=device,
            skip_broken=skip_broken,
            announce=lambda sentence: print("cost:", sentence, file=sys.stderr, flush=True),
            progress=progress,
        )
    with found:
        write_audit(found, out)
    print_audit(found)
    print(f"audit: {Path(out) / PAGE}", file=sys.stderr)
