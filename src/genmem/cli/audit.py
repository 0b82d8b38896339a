"""`genmem audit`: which generated images are copies, and of which training images."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Annotated

import typer

from genmem.cli.options import (
    Device,
    DropDuplicates,
    DryRun,
    Generated,
    Neighbors,
    OutDirectory,
    Preprocess,
    Ray,
    ReferenceBackbones,
    Seed,
    SkipBroken,
    Train,
    Weights,
    Workers,
    option,
)

AUGMENTATIONS = ("flip", "vflip", "crops", "rotations", "tilts", "gray", "all")
"""For the help text, which must not import an image library."""


HonestImages = Annotated[
    str | None,
    option("--test", metavar="SOURCE", show_default="training images, each left out in turn"),
]
Augment = Annotated[
    str | None,
    typer.Option(
        metavar="A,B,…",
        help="Also compare with augmented training images. Choose from: "
        f"{', '.join(AUGMENTATIONS)}. Write BACKBONE:NAME to apply one to a single backbone. "
        "The cost is printed before the work starts.",
    ),
]
Groups = Annotated[
    str | None,
    typer.Option(
        metavar="N|FILE|near-duplicates",
        help="Images that belong together (bursts, scenes, products, patients); each group counts "
        "once among the honest images. N: the first N folders of an image's path. FILE: a CSV file "
        "with the columns id and group. near-duplicates: clusters of the held-out images.",
    ),
]
Local = Annotated[
    bool | None,
    typer.Option(
        "--local/--no-local",
        help="Also look for regions shared with a training image: crops, collages, cut-outs. On "
        "for images of 64 pixels or more where the extra `local` is installed.",
    ),
]
Level = Annotated[
    float,
    typer.Option(
        help="False-discovery rate: the expected share of honest images among those flagged."
    ),
]
Power = Annotated[
    bool,
    typer.Option(
        "--power",
        help="Also plant disguised copies of training images, and report what share of them this "
        "audit would have flagged.",
    ),
]


def audit(
    context: typer.Context,
    generated: Generated,
    train: Train,
    out: OutDirectory,
    test: HonestImages = None,
    backbone: ReferenceBackbones = None,
    augment: Augment = None,
    neighbors: Neighbors = 5,
    level: Level = 0.05,
    groups: Groups = None,
    local: Local = None,
    power: Power = False,
    classes: Annotated[bool, option("--classes")] = False,
    drop_duplicates: DropDuplicates = False,
    seed: Seed = 0,
    weights: Weights = None,
    preprocess: Preprocess = None,
    device: Device = "auto",
    skip_broken: SkipBroken = False,
    ray: Ray = None,
    workers: Workers = 1,
    dry_run: DryRun = False,
    pdf: Annotated[bool, option("--pdf")] = False,
) -> None:
    """Find the generated images that copy training images.

    The default backbones need no download and take images of any size. `pixels@SIDE` compares
    images stretched to SIDE x SIDE pixels, and here `pixels` is `pixels@64`.

    A reference (`genmem reference`) takes the place of the training images, except for `--augment`,
    `--local` and `--power`, which need their pixels.

    Images are compared as they are stored; the EXIF orientation of photographs is ignored.

    Prints an estimate of each stage's duration before it starts. With `--drop-duplicates`,
    near-duplicates among the training images are left out too, and so are held-out images that
    repeat a training image.
    """
    from genmem.cli.outputs import check_folder
    from genmem.cli.parsing import parse_backbones, recorded_command, split_names
    from genmem.progress import progress_on_stderr

    check_folder(
        out,
        inputs={"GENERATED": generated, "--train": train, "--test": test, "--weights": weights},
    )
    from genmem.auditing import audit as compute_audit
    from genmem.auditing.feature_spaces import default_backbones
    from genmem.cli.console import print_audit
    from genmem.cli.workers import on_workers
    from genmem.io.result_folder import check_result_folder
    from genmem.report.audit.page import AUDIT, write_audit
    from genmem.report.dossier.pdf import check_pdf
    from genmem.report.dossier.write import write_dossier
    from genmem.scoring.cost import audit_pairs
    from genmem.scoring.feature_sets import ExtractOptions
    from genmem.scoring.stored_sets import open_references

    check_result_folder(out, AUDIT)
    if pdf:
        check_pdf()
    by_role = {"generated": generated, "train": train, "test": test}
    by_role = {role: source for role, source in by_role.items() if source is not None}
    names = (
        default_backbones(open_references(by_role)) if backbone is None else split_names(backbone)
    )
    networks = parse_backbones(names, preprocess)
    with (
        progress_on_stderr() as progress,
        on_workers(
            ray,
            workers,
            dry_run,
            sources=by_role,
            backbones=networks,
            options=ExtractOptions(weights=weights, device=device, progress=progress),
            pairs=audit_pairs,
            progress=progress,
        ),
    ):
        result = compute_audit(
            generated=generated,
            train=train,
            test=test,
            backbone=networks,
            augment=split_names(augment) if augment is not None else (),
            neighbors=neighbors,
            level=level,
            local=local,
            drop_duplicates=drop_duplicates,
            groups=groups,
            power=power,
            classes=classes,
            seed=seed,
            weights=weights,
            device=device,
            skip_broken=skip_broken,
            announce=lambda sentence: print("plan:", sentence, file=sys.stderr, flush=True),
            progress=progress,
        )
    command = recorded_command(context)
    result = replace(result, provenance={**result.provenance, "command": command})
    with result:
        write_audit(result, out)
    print_audit(result)
    print(f"audit: {out / AUDIT.page}", file=sys.stderr)
    if pdf:
        print(f"report: {write_dossier(out, pdf=True)}", file=sys.stderr)
