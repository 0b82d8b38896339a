"""`genmem reference`: describe a training set once, for many scores; add, merge, verify, export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer
import typer.core

from genmem.cli.options import (
    HELP,
    SOURCE,
    Backbones,
    Device,
    DryRun,
    Preprocess,
    Ray,
    SkipBroken,
    Test,
    Weights,
    Workers,
    out_option,
)

_HELP = "Describe a training set once, so that later commands need neither its images nor searches."


class ReferenceGroup(typer.core.TyperGroup):
    """`genmem reference TRAIN …` is `genmem reference build TRAIN …`."""

    default_command = "build"

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments; what names no subcommand is built."""
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = [self.default_command, *args]
        return super().parse_args(ctx, args)


reference = typer.Typer(
    name="reference",
    cls=ReferenceGroup,
    help=_HELP,
    no_args_is_help=False,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

TrainArgument = Annotated[str, typer.Argument(metavar="TRAIN", help=HELP["--train"])]
ReferenceArgument = Annotated[
    str, typer.Argument(metavar="REFERENCE", help="Folder that `genmem reference` wrote.")
]
OutReference = Annotated[
    Path,
    out_option("DIR.genmem", "Folder to write. An earlier reference in it is replaced."),
]


@reference.callback(invoke_without_command=True)
def print_help(context: typer.Context) -> None:
    """Print the help, unless a subcommand follows."""
    if context.invoked_subcommand is None:
        print(context.get_help())


@reference.command()
def build(
    train: TrainArgument,
    out: OutReference,
    test: Test = None,
    backbone: Backbones = "inception",
    dtype: Annotated[
        Literal["float32", "float16"],
        typer.Option(help="Type of the stored features. float16 rounds them and halves the size."),
    ] = "float32",
    images: Annotated[
        bool,
        typer.Option("--images/--no-images", help="Store thumbnails, which pages show."),
    ] = True,
    licence: Annotated[
        str, typer.Option(metavar="TEXT", help="Licence of the data, for whoever gets the folder.")
    ] = "",
    contact: Annotated[str, typer.Option(metavar="TEXT", help="Whom to ask about the data.")] = "",
    weights: Weights = None,
    preprocess: Preprocess = None,
    device: Device = "auto",
    skip_broken: SkipBroken = False,
    ray: Ray = None,
    workers: Workers = 1,
    dry_run: DryRun = False,
) -> None:
    """Write a reference. `build` can be left out: `genmem reference TRAIN --out DIR.genmem`."""
    from genmem.cli.outputs import check_folder
    from genmem.cli.parsing import parse_backbones, parse_names
    from genmem.progress import progress_on_stderr

    check_folder(out, inputs={"TRAIN": train, "--test": test, "--weights": weights})
    from genmem.cli.workers import on_workers
    from genmem.reference import build_reference
    from genmem.scoring.cost import reference_pairs
    from genmem.scoring.feature_sets import ExtractOptions

    networks = parse_backbones(parse_names(backbone, option="--backbone"), preprocess)
    by_role = {"train": train, "test": test}
    with (
        progress_on_stderr() as progress,
        on_workers(
            ray,
            workers,
            dry_run,
            sources={role: source for role, source in by_role.items() if source is not None},
            backbones=networks,
            options=ExtractOptions(weights=weights, device=device, progress=progress),
            pairs=reference_pairs,
            progress=progress,
        ),
    ):
        built = build_reference(
            train=train,
            test=test,
            out=out,
            backbone=networks,
            dtype=dtype,
            images=images,
            licence=licence,
            contact=contact,
            weights=weights,
            device=device,
            skip_broken=skip_broken,
            progress=progress,
        )
    _print_summary(built)


@reference.command()
def add(
    reference: ReferenceArgument,
    images: Annotated[str, typer.Argument(metavar="IMAGES", help=f"More images: a {SOURCE}.")],
    weights: Weights = None,
    device: Device = "auto",
    skip_broken: SkipBroken = False,
) -> None:
    """Add training images. Only their features are computed; distances are searched again."""
    from genmem.progress import progress_on_stderr
    from genmem.reference.edit import add_to_reference

    with progress_on_stderr() as progress:
        extended = add_to_reference(
            reference,
            images,
            weights=weights,
            device=device,
            skip_broken=skip_broken,
            progress=progress,
        )
    _print_summary(extended)


@reference.command()
def merge(
    references: Annotated[
        list[str], typer.Argument(metavar="REFERENCE…", help="Two references or more.")
    ],
    out: OutReference,
) -> None:
    """Join references of the same backbones into a new one."""
    from genmem.cli.outputs import check_folder
    from genmem.progress import progress_on_stderr
    from genmem.reference.edit import merge_references

    check_folder(out, inputs={f"REFERENCE {place}": one for place, one in enumerate(references, 1)})
    with progress_on_stderr() as progress:
        merged = merge_references(references, out=out, progress=progress)
    _print_summary(merged)


@reference.command()
def verify(reference: ReferenceArgument) -> None:
    """Recompute the digest of every file, and say which file is damaged."""
    from genmem.formatting import printable
    from genmem.progress import progress_on_stderr
    from genmem.reference.verify import verify_reference

    with progress_on_stderr() as progress:
        verified = verify_reference(reference, progress=progress)
    files = len(verified.manifest.files)
    print(f"{printable(verified.name)}: all {files:,} files are as they were written.")


@reference.command()
def show(reference: ReferenceArgument) -> None:
    """Print what a reference holds."""
    from genmem.reference import open_reference

    _print_summary(open_reference(reference))


@reference.command()
def export(
    reference: ReferenceArgument,
    file: Annotated[str, typer.Argument(metavar="FILE.npz", help="Output file.")],
    format: Annotated[
        Literal["pytorch-fid", "clean-fid", "adm"],
        typer.Option(help="Tool that reads the file. torch-fidelity reads pytorch-fid's."),
    ] = "pytorch-fid",
    backbone: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Backbone of the features.",
            show_default="the first of the reference",
        ),
    ] = None,
) -> None:
    """Write mean and covariance of the training features, as FID tools read them."""
    from genmem.reference import open_reference
    from genmem.reference.export import export_statistics

    export_statistics(open_reference(reference), file, format=format, backbone=backbone)
    print(file)


def _print_summary(shown: Any) -> None:
    """Print the contents of a reference as lines of `name: value`."""
    from genmem.formatting import printable

    manifest = shown.manifest
    print(f"{printable(shown.name)}: reference of {len(shown):,} training {manifest.train.kind}")
    for role, entry in manifest.sets.items():
        parts = [f"{entry.count:,} {entry.kind} of {printable(entry.source)}"]
        parts += [f"{entry.classes:,} classes"] if entry.classes else []
        parts += [f"{entry.skipped:,} broken images left out"] if entry.skipped else []
        if entry.kind == "images":
            parts.append("with thumbnails" if entry.thumbnails else "without thumbnails")
        print(f"{role}: {', '.join(parts)}")
    for space in manifest.spaces:
        print(
            f"backbone {printable(space.name)}: {space.dimension:,} features, {space.dtype}; "
            f"{space.sizes.get('repeats', 0):,} repeats, {space.sizes.get('pairs', 0):,} pairs of "
            "near-duplicates"
        )
    for name in ("licence", "contact"):
        if getattr(manifest, name):
            print(f"{name}: {printable(getattr(manifest, name))}")
    print(f"written: {printable(manifest.date)} by genmem {printable(manifest.genmem)}")
