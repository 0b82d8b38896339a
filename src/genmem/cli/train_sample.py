"""`genmem train sample`: images from the generator of a GAN run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from genmem.cli.options import OutZip, Samples, Seed


def sample(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a GAN run.")],
    out: OutZip,
    samples: Samples = 10_000,
    seed: Seed = 0,
) -> None:
    """Generate images with a trained GAN, balanced over its classes, one folder per class.

    No samples are rejected here; rejection only acts during training.
    """
    from genmem.io.atomic import check_writable

    check_writable(out, suffixes=(".zip",))
    from genmem.training.gan.sampling import write_zip

    write_zip(run, samples, out, seed=seed)
    print(f"images: {out}", file=sys.stderr)
