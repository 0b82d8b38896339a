"""`genmem features`: the features of a set of images, saved for later scores."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

import typer


def features(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="The images, as `genmem score` takes them.")
    ],
    out: Annotated[
        str,
        typer.Option(
            metavar="FILE.npy",
            help="Where to save the features, float32 [n, d]; the images' ids go beside it.",
        ),
    ],
    backbone: Annotated[
        str, typer.Option(help="What turns images into features; see `genmem backbones`.")
    ] = "inception",
    weights: Annotated[
        str | None, typer.Option(metavar="FILE", help="The backbone's weights file.")
    ] = None,
    device: Annotated[
        Literal["auto", "cpu", "cuda", "mps"], typer.Option(help="Where the network runs.")
    ] = "auto",
    skip_broken: Annotated[
        bool, typer.Option("--skip-broken", help="Leave out unreadable images and list them.")
    ] = False,
) -> None:
    """Save the features of SOURCE as a .npy file that `genmem score` reads in place of images."""
    from pathlib import Path

    from genmem.cli.outputs import check_outputs, write_json
    from genmem.cli.progress import progress_on_stderr
    from genmem.features.feature_io import IDS_SUFFIX
    from genmem.io.atomic import atomic_write, check_writable

    ids_file = str(Path(out).with_suffix(IDS_SUFFIX))
    check_writable(out, suffixes=(".npy",))
    check_outputs(
        {"--out": out, "the ids file": ids_file}, inputs={"SOURCE": source, "--weights": weights}
    )
    import numpy as np

    from genmem.features import extract, load_backbone
    from genmem.images import open_images

    with progress_on_stderr() as progress, open_images(source) as images:
        extractor = load_backbone(backbone, weights=weights, device=device, progress=progress)
        found = extract(
            images,
            extractor=extractor,
            skip_broken=skip_broken,
            progress=progress,
        )
        with atomic_write(out) as file:
            np.save(file, found.array, allow_pickle=False)
        write_json(
            {
                "source": images.name,
                "digest": found.digest,
                "backbone": extractor.describe(),
                "skipped": list(found.skipped),
                "ids": list(found.ids),
            },
            ids_file,
        )
    rows, dimension = found.array.shape
    print(f"{out}: {rows:,} rows of {dimension:,} features")
    if found.skipped:
        print(f"note: {len(found.skipped):,} broken images left out", file=sys.stderr)
