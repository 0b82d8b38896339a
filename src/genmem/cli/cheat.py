"""`genmem cheat`: what the competition's cheats would have submitted, to calibrate against."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

import typer

from genmem.cli.options import LARGEST_SEED, SOURCE


def cheat(
    method: Annotated[
        Literal["mgan", "mgan-store", "sup", "ae", "aug"],
        typer.Argument(
            metavar="METHOD",
            help="mgan: a generator against a classifier of training images; mgan-store: against "
            "a store of them; sup: a learnt mapping from codes to them; ae: an autoencoder's "
            "reconstructions; aug: crops, flips, morphs and noise.",
            show_default=False,
        ),
    ],
    data: Annotated[str, typer.Option(help=f"The training images: a {SOURCE}.")],
    out: Annotated[str, typer.Option(metavar="FILE.zip", help="The images, as PNGs in a zip.")],
    n: Annotated[
        int, typer.Option("--n", min=1, max=1_000_000, help="How many images to make.")
    ] = 10_000,
    size: Annotated[
        int | None,
        typer.Option(
            min=8,
            max=4_096,
            help="Side in pixels to which the central squares are resized. [default: as they are]",
        ),
    ] = None,
    mix: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="mgan-store and sup mix two images: the share of the first, from 0.5 to 1. "
            "[default: mgan-store 0.999, sup 0.99]",
        ),
    ] = None,
    transformation: Annotated[
        Literal["crops", "flips", "morphs", "noise", "mixture"] | None,
        typer.Option(help="What aug does to an image; mixture draws one. [default: mixture]"),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SEED, help="Seed of everything random.")
    ] = 0,
    skip_broken: Annotated[
        bool, typer.Option("--skip-broken", help="Leave out images that cannot be read.")
    ] = False,
) -> None:
    """Make images from training images by one of the ways of cheating seen in a competition.

    To calibrate thresholds and to test defences against: `genmem calibrate out.zip=cheating …`.
    """
    from genmem.cli.outputs import check_outputs
    from genmem.cli.progress import progress_on_stderr
    from genmem.io.atomic import check_writable

    check_writable(out, suffixes=(".zip",))
    check_outputs({"--out": out}, inputs={"--data": data})

    from genmem.cheats import check_options, load_training_images, make, write_images

    check_options(method, count=n, seed=seed, mix=mix, transformation=transformation)
    with progress_on_stderr() as progress:
        images = load_training_images(data, size=size, skip_broken=skip_broken, progress=progress)
        made = make(
            method,
            images,
            count=n,
            seed=seed,
            mix=mix,
            transformation=transformation,
            progress=progress,
        )
        write_images(made, out, progress=progress)
    print(f"images: {out}", file=sys.stderr)
