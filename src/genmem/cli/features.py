"""`genmem features`: extract features once, for later scores."""

from __future__ import annotations

from typing import Annotated

import typer

from genmem.cli.options import (
    SOURCE,
    Backbone,
    Device,
    DryRun,
    OutNpy,
    Preprocess,
    Ray,
    SkipBroken,
    Weights,
    Workers,
)


def features(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help=f"Images: a {SOURCE}.")],
    out: OutNpy,
    backbone: Backbone = "inception",
    weights: Weights = None,
    preprocess: Preprocess = None,
    device: Device = "auto",
    skip_broken: SkipBroken = False,
    ray: Ray = None,
    workers: Workers = 1,
    dry_run: DryRun = False,
) -> None:
    """Extract the features of images into a .npy file.

    Other commands accept the file in place of the images. It holds float32 [n, d]. The images' ids
    are written beside it, to NAME.ids.json.
    """
    from genmem.cli.console import print_notes
    from genmem.cli.outputs import check_outputs, write_json
    from genmem.cli.parsing import parse_backbones
    from genmem.features.feature_io import IDS_SUFFIX
    from genmem.io.atomic import atomic_write, check_writable
    from genmem.progress import progress_on_stderr

    ids_file = str(out.with_suffix(IDS_SUFFIX))
    check_writable(out, suffixes=(".npy",))
    check_outputs(
        {"--out": str(out), "the ids file": ids_file},
        inputs={"SOURCE": source, "--weights": weights},
    )
    import numpy as np

    from genmem.cli.workers import on_workers
    from genmem.features import extract, load_backbone
    from genmem.images import broken_file_notes, open_images, side_file_notes
    from genmem.scoring.feature_sets import ExtractOptions

    [network] = parse_backbones([backbone], preprocess)
    with (
        progress_on_stderr() as progress,
        open_images(source) as images,
        on_workers(
            ray,
            workers,
            dry_run,
            sources={"source": images},
            backbones=[network],
            options=ExtractOptions(weights=weights, device=device, progress=progress),
            progress=progress,
        ),
    ):
        extractor = load_backbone(network, weights=weights, device=device, progress=progress)
        features = extract(images, extractor=extractor, skip_broken=skip_broken, progress=progress)
        with atomic_write(out) as file:
            np.save(file, features.array, allow_pickle=False)
        write_json(
            {
                "source": images.name,
                "digest": features.digest,
                "backbone": extractor.describe(),
                "skipped": list(features.skipped),
                "ids": list(features.ids),
            },
            ids_file,
        )
    rows, dimension = features.array.shape
    print(f"{out}: {rows:,} rows of {dimension:,} features")
    notes = broken_file_notes(len(features.skipped))
    print_notes([*notes, *side_file_notes(images)])
