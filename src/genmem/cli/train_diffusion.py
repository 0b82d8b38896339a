"""`genmem train diffusion`: a diffusion model, and how much of its training set it memorizes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from genmem.cli.diffusion_options import (
    make_network,
    parse_labels,
    parse_sides,
    saved,
)
from genmem.cli.exit_codes import INTERRUPTED
from genmem.cli.options import LARGEST_SEED, SOURCE
from genmem.cli.training import how_to_resume

if TYPE_CHECKING:
    from genmem.training.diffusion.config import TrainingSettings

AT_RESUMING = ("out", "resume", "device")
"""Options that go with --resume; the others are the run's own."""


def diffusion(
    context: typer.Context,
    out: Annotated[
        Path, typer.Option(metavar="RUN", help="The run's folder: settings, log, snapshots.")
    ],
    data: Annotated[str | None, typer.Option(help=f"The training images: a {SOURCE}.")] = None,
    count: Annotated[
        int | None,
        typer.Option(metavar="N", help="Train on N images, drawn by the seed. [default: all]"),
    ] = None,
    size: Annotated[
        int | None, typer.Option(metavar="SIDE", help="Resize to SIDE × SIDE. [default: as it is]")
    ] = None,
    only: Annotated[
        str | None, typer.Option(metavar="A,B", help="Only images of these classes.")
    ] = None,
    without_duplicates: Annotated[
        bool, typer.Option("--without-duplicates", help="Leave out images that repeat another.")
    ] = False,
    skip_broken: Annotated[
        bool, typer.Option("--skip-broken", help="Leave out unreadable images.")
    ] = False,
    model: Annotated[
        Literal["ddpm++", "ncsn++"],
        typer.Option(
            help="ncsn++: Fourier time embedding, filtered resampling, the image at every size."
        ),
    ] = "ddpm++",
    parametrization: Annotated[
        Literal["vp", "ve", "edm"], typer.Option(help="Preconditioning and loss.")
    ] = "vp",
    channels: Annotated[int, typer.Option(help="Width of the network.")] = 128,
    multipliers: Annotated[
        str, typer.Option(metavar="A,B,…", help="Of the width, one a resolution.")
    ] = "2,2,2",
    blocks: Annotated[int, typer.Option(help="Residual blocks a resolution.")] = 2,
    attention: Annotated[
        str | None,
        typer.Option(
            metavar="SIDES", help="Resolutions with attention; none for none. [default: 16]"
        ),
    ] = None,
    time_embedding: Annotated[
        Literal["positional", "fourier"] | None,
        typer.Option(help="How the noise level is told. [default: the model's]"),
    ] = None,
    dropout: Annotated[float, typer.Option(help="In every block.")] = 0.13,
    without_skips: Annotated[
        str | None,
        typer.Option(
            metavar="32,16.0,…",
            help="Skip connections to zero: all at a resolution, or one by its number there.",
        ),
    ] = None,
    labels: Annotated[
        str,
        typer.Option(
            metavar="none|true|random[:C]|unique",
            help="What the network is told of an image: nothing, its class, one of C drawn once, "
            "or its number.",
        ),
    ] = "none",
    batch: Annotated[int, typer.Option(help="Images a step, of all processes.")] = 512,
    epochs: Annotated[int, typer.Option(help="Passes over the training set.")] = 40_000,
    steps: Annotated[
        int | None, typer.Option(help="Optimizer steps in all. [default: by --epochs]")
    ] = None,
    learning_rate: Annotated[
        float, typer.Option(help="Of Adam at a batch of 512; in proportion at others.")
    ] = 2e-4,
    warm_up: Annotated[
        int, typer.Option(help="Passes in which the learning rate rises from 0.")
    ] = 200,
    weight_decay: Annotated[float, typer.Option(help="L2, added to the gradient.")] = 0.0,
    ema: Annotated[float, typer.Option(help="Decay of the averaged weights per step.")] = 0.99929,
    precision: Annotated[
        Literal["full", "bf16", "fp16"], typer.Option(help="Mixed precision, on a GPU.")
    ] = "full",
    snapshots: Annotated[int, typer.Option(help="Averaged weights kept, evenly spaced.")] = 10,
    samples: Annotated[
        int,
        typer.Option(help="Images drawn at each snapshot to measure how many are memorized; or 0."),
    ] = 1_000,
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SEED, help="Seed of everything random.")
    ] = 0,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run, by its own settings.")
    ] = False,
    device: Annotated[
        Literal["auto", "cpu", "cuda"], typer.Option(help="Where to train.")
    ] = "auto",
) -> None:
    """Train a diffusion model on the images of --data, and measure its memorization on the way.

    The defaults are those of "On Memorization in Diffusion Models" (a day on a GPU). Several
    devices by `accelerate launch`.
    """
    from genmem.cli.training import absolute, names, whole_numbers

    if resume:
        _refuse_options(context)
        return _train(out, *saved(out), resume=True, device=device)
    if data is None:
        from genmem.errors import UsageError

        raise UsageError("--data: expected the training images; or --resume, for a run that began.")
    from genmem.training.diffusion.config import TrainingSettings

    kind, random_classes = parse_labels(labels)
    skips = names(without_skips, option="--without-skips")
    sides = parse_sides(attention)
    source = {
        "source": absolute(data),
        "size": size,
        "count": count,
        "seed": seed,
        "classes": kind == "true",
        "only": list(names(only, option="--only")),
        "without_duplicates": without_duplicates,
        "skip_broken": skip_broken,
    }

    base = TrainingSettings(
        parametrization=parametrization,
        labels=kind,
        random_classes=random_classes,
        batch_size=batch,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        epochs=epochs,
        steps=steps,
        warm_up_epochs=warm_up,
        ema=ema,
        precision="no" if precision == "full" else precision,
        snapshots=snapshots,
        samples=samples,
        seed=seed,
    )
    widths = whole_numbers(multipliers, option="--multipliers")

    def settings(side: int) -> TrainingSettings:
        network = make_network(
            side,
            model=model,
            channels=channels,
            multipliers=widths,
            blocks=blocks,
            attention=sides,
            time_embedding=time_embedding,
            dropout=dropout,
            without_skips=skips,
        )
        if attention is not None:
            network.check_attention()
        return replace(base, network=network)

    return _train(out, source, settings, resume=False, device=device)


def _train(
    out: Path,
    source: dict[str, Any],
    settings: Callable[[int], TrainingSettings],
    *,
    resume: bool,
    device: Any,
) -> None:
    """Read the images, train, and show what was measured."""
    from genmem.cli.outputs import check_folder
    from genmem.cli.progress import progress_on_stderr

    check_folder(str(out), inputs={"--data": _local(source["source"])})
    from genmem.cli.training import print_notes, say_stopping
    from genmem.formatting import count
    from genmem.training.common.dataset import load_training_images
    from genmem.training.diffusion.train import check_new, train

    if not resume:
        check_new(out)
    with progress_on_stderr() as progress:
        images = load_training_images(**source, progress=progress)
        print_notes(images.notes)
        chosen = settings(images.size)
        total = chosen.total_steps(len(images))
        print(
            f"{count(len(images), 'image')} of {images.size} × {images.size}, "
            f"{count(total, 'step')} of {chosen.batch_size}",
            file=sys.stderr,
        )
        ending = train(
            images,
            out,
            chosen,
            resume=resume,
            device=device,
            progress=progress,
            source=source,
            on_stop=say_stopping,
        )
    if ending.interrupted:
        if ending.main:
            again = how_to_resume("diffusion", out, device=device, processes=ending.processes)
            print(
                f"genmem: interrupted; saved after {count(ending.step, 'step')}. Go on with: "
                f"{again}",
                file=sys.stderr,
            )
        raise typer.Exit(INTERRUPTED)
    if ending.main:
        _show(out)


def _refuse_options(context: typer.Context) -> None:
    """Raise UsageError when options come with --resume that the run has settings for."""
    from genmem.errors import UsageError

    for name in context.params:
        found = context.get_parameter_source(name)
        if found is not None and found.name == "COMMANDLINE" and name not in AT_RESUMING:
            raise UsageError(
                f"--resume goes on by the run's own settings; leave --{name.replace('_', '-')} out."
            )


def _local(source: str) -> str | None:
    """What may be a path; a name on the hub is none."""
    return None if source.startswith("hf:") else source


def _show(out: Path) -> None:
    """The ratios that were measured, as a table; the largest is the model's."""
    from genmem.cli.console import print_table
    from genmem.report.common.terminal import new_table
    from genmem.training.diffusion import run_folder

    found = run_folder.ratios(out).values()
    if found:
        table = new_table()
        for column in ("step", "memorization ratio", "interval"):
            table.add_column(column, justify="right", no_wrap=True)
        for one in found:
            interval = f"{one['low']:.1%}–{one['high']:.1%}"
            table.add_row(f"{one['step']:,}", f"{one['ratio']:.1%}", interval)
        print_table(table)
    print(f"run: {out}", file=sys.stderr)
