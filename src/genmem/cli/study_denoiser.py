"""`genmem study denoiser`: any diffusion model, measured without retraining."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from genmem.cli.options import LARGEST_SEED, SOURCE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from genmem.report.denoiser.page import Trio
    from genmem.training.diffusion.evaluation.results import MeasuredDenoiser


def denoiser(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A run's folder (genmem train diffusion), or a diffusers pipeline of pixels: its "
            "folder, or hf:OWNER/NAME.",
        ),
    ],
    data: Annotated[str, typer.Option(help=f"The images it was trained on: a {SOURCE}.")],
    out: Annotated[str, typer.Option(metavar="DIR", help="Where page and numbers go.")],
    test: Annotated[
        str | None, typer.Option(help="Images of the same kind that it was not trained on.")
    ] = None,
    samples: Annotated[
        int, typer.Option(metavar="N", help="Images to draw from the model.")
    ] = 10_000,
    size: Annotated[
        int | None,
        typer.Option(metavar="SIDE", help="Resize to SIDE × SIDE. [default: the run's, or as is]"),
    ] = None,
    without_duplicates: Annotated[
        bool,
        typer.Option("--without-duplicates", help="Leave out training images that repeat another."),
    ] = False,
    skip_broken: Annotated[
        bool, typer.Option("--skip-broken", help="Leave out unreadable images.")
    ] = False,
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SEED, help="Seed of everything random.")
    ] = 0,
    device: Annotated[
        Literal["auto", "cpu", "cuda"], typer.Option(help="Where the model runs.")
    ] = "auto",
) -> None:
    """Measure a diffusion model: which training images it copies, how far it is from only copying.

    Samples are drawn by EDM's Heun sampler, 18 steps, as in "On Memorization in Diffusion Models".
    """
    from genmem.cli.outputs import check_folder
    from genmem.cli.progress import progress_on_stderr
    from genmem.cli.training import print_notes

    check_folder(
        out, inputs={"MODEL": _local(model), "--data": _local(data), "--test": _local(test)}
    )
    from genmem.provenance import provenance
    from genmem.report.denoiser.page import (
        NUMBERS,
        PAGE,
        SHOWN,
        check_denoiser_folder,
        verdict,
        write_denoiser,
    )
    from genmem.training.diffusion.evaluation.evaluate import measure_denoiser
    from genmem.training.diffusion.evaluation.pretrained import load_for, load_test_for, open_model

    check_denoiser_folder(out)
    place = _device(device)
    opened = open_model(model, device=place)
    with progress_on_stderr() as progress:
        train = load_for(
            opened,
            data,
            size=size,
            without_duplicates=without_duplicates,
            skip_broken=skip_broken,
            progress=progress,
        )
        print_notes(train.notes)
        held_out = None
        if test is not None:
            held_out = load_test_for(
                opened, test, train, skip_broken=skip_broken, progress=progress
            )
        found = measure_denoiser(
            opened.denoiser,
            train,
            test=held_out,
            classes=opened.classes,
            samples=samples,
            seed=seed,
            device=place,
            schedule=opened.schedule,
            progress=progress,
        )
    document = {
        "model": {"name": opened.name, "facts": dict(opened.facts)},
        **found.to_dict(),
        "provenance": {**provenance(seed=seed), "device": place},
    }
    write_denoiser(
        document,
        out,
        closest=trios(found, closest(found, SHOWN)),
        drawn=trios(found, range(min(SHOWN, samples))),
    )
    print(verdict(document)["sentence"])
    print(f"{Path(out) / PAGE} · {Path(out) / NUMBERS}")


def closest(found: MeasuredDenoiser, count: int) -> list[int]:
    """The samples with the smallest d₁/d₂, one for each training image, at most `count`."""
    import numpy as np

    chosen: list[int] = []
    seen: set[int] = set()
    for number in np.argsort(found.ratios, kind="stable").tolist():
        train = int(found.nearest.indices[number, 0])
        if train not in seen:
            seen.add(train)
            chosen.append(number)
        if len(chosen) == count:
            break
    return chosen


def trios(found: MeasuredDenoiser, numbers: Iterable[int]) -> list[Trio]:
    """Samples as the page shows them."""
    from genmem.report.denoiser.page import Trio
    from genmem.training.diffusion.evaluation.results import THRESHOLD

    made = []
    for number in numbers:
        (first, second), (d1, d2) = found.nearest.indices[number], found.nearest.distances[number]
        made.append(
            Trio(
                number=number,
                sample=found.samples[number],
                nearest=found.train.pixels[first],
                second=found.train.pixels[second],
                nearest_id=found.train.ids[first],
                second_id=found.train.ids[second],
                d1=float(d1),
                d2=float(d2),
                memorized=bool(found.ratios[number] < THRESHOLD),
            )
        )
    return made


def _local(source: str | None) -> str | None:
    """What may be a path; a name on the hub is none."""
    return None if source is None or source.startswith("hf:") else source


def _device(wanted: str) -> str:
    """The device's name: cpu or cuda.

    Raises:
        UsageError: a GPU is asked for and none is there.
    """
    import torch

    from genmem.errors import UsageError

    there = torch.cuda.is_available()
    if wanted == "cuda" and not there:
        raise UsageError("device 'cuda' is not available here; use auto or cpu.")
    return "cuda" if there and wanted != "cpu" else "cpu"
