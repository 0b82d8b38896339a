"""`genmem cheat`: images as the competition's cheats would have submitted them."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from genmem.cli.options import OutZip, Samples, Seed, SkipBroken, Train, option


def cheat(
    method: Annotated[
        str,
        typer.Argument(
            metavar="METHOD",
            help="mgan: a generator against a classifier of training images. mgan-store: a "
            "generator against a store of training images. sup: a learnt mapping from codes to "
            "training images. ae: reconstructions by an autoencoder. aug: crops, flips, morphs and "
            "noise. Or the name of a plugin.",
            show_default=False,
        ),
    ],
    train: Train,
    out: OutZip,
    samples: Samples = 10_000,
    size: Annotated[
        int | None, option("--size", metavar="SIDE", min=8, max=4_096, show_default="unchanged")
    ] = None,
    mix: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Share of the first of the two images that mgan-store and sup mix, from 0.5 to 1.",
            show_default="mgan-store 0.999, sup 0.99",
        ),
    ] = None,
    augmentation: Annotated[
        str | None,
        typer.Option(
            metavar="crops|flips|morphs|noise|mixture",
            help="How aug changes an image. mixture draws one for each image.",
            show_default="mixture",
        ),
    ] = None,
    seed: Seed = 0,
    skip_broken: SkipBroken = False,
) -> None:
    """Generate images from training images by one of the cheats seen in a competition.

    Use them to calibrate thresholds (`genmem calibrate out.zip=cheating …`) and to test defences.
    """
    from genmem.cli.outputs import check_outputs
    from genmem.cli.progress import progress_on_stderr
    from genmem.io.atomic import check_writable

    check_writable(out, suffixes=(".zip",))
    check_outputs({"--out": str(out)}, inputs={"--train": train})

    from genmem.cheats import CheatOptions, generate_images, load_training_images, write_images
    from genmem.cheats.registry import check_options

    options = CheatOptions(mix=mix, augmentation=augmentation)
    check_options(method, count=samples, seed=seed, options=options)
    with progress_on_stderr() as progress:
        images = load_training_images(train, size=size, skip_broken=skip_broken, progress=progress)
        generated = generate_images(
            method, images, count=samples, seed=seed, options=options, progress=progress
        )
        write_images(generated, out, progress=progress)
    print(f"images: {out}", file=sys.stderr)
