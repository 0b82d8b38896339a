"""`genmem study denoiser`: evaluate a diffusion model without retraining it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genmem.cli.options import (
    DropDuplicates,
    OutDirectory,
    Samples,
    Seed,
    Size,
    SkipBroken,
    Test,
    Train,
    TrainingDevice,
)

if TYPE_CHECKING:
    from genmem.report.denoiser.page import SampleWithNeighbors
    from genmem.training.diffusion.evaluation.pretrained import Model
    from genmem.training.diffusion.evaluation.results import DenoiserEvaluation


TrainedModel = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="The folder of a run of `genmem train diffusion`, or a diffusers pipeline that "
        "denoises pixels: its folder, or hf:OWNER/NAME.",
    ),
]


def denoiser(
    model: TrainedModel,
    train: Train,
    out: OutDirectory,
    test: Test = None,
    samples: Samples = 10_000,
    size: Size = None,
    drop_duplicates: DropDuplicates = False,
    skip_broken: SkipBroken = False,
    seed: Seed = 0,
    device: TrainingDevice = "auto",
) -> None:
    """Find which training images a diffusion model copies, and how far the model is from pure
    memorization.

    Samples are drawn by EDM's Heun sampler, 18 steps, as in "On Memorization in Diffusion Models".
    """
    from genmem.cli.console import print_notes
    from genmem.cli.outputs import check_folder
    from genmem.cli.training import local_path, torch_device
    from genmem.progress import progress_on_stderr

    inputs = {"MODEL": model, "--train": train, "--test": test}
    check_folder(out, inputs={name: local_path(source) for name, source in inputs.items()})
    from genmem.report.denoiser.page import check_denoiser_folder
    from genmem.training.diffusion.evaluation.evaluate import evaluate_denoiser
    from genmem.training.diffusion.evaluation.pretrained import load_for, load_test_for, open_model
    from genmem.training.diffusion.sampler import Sampling

    check_denoiser_folder(out)
    place = torch_device(device)
    opened = open_model(model, device=place)
    with progress_on_stderr() as progress:
        images = load_for(
            opened,
            train,
            size=size,
            drop_duplicates=drop_duplicates,
            skip_broken=skip_broken,
            progress=progress,
        )
        print_notes(images.notes)
        held_out = (
            load_test_for(opened, test, images, skip_broken=skip_broken, progress=progress)
            if test is not None
            else None
        )
        evaluation = evaluate_denoiser(
            opened.denoiser,
            images,
            test=held_out,
            samples=samples,
            sampling=Sampling(
                classes=opened.classes,
                seed=seed,
                device=place,
                schedule=opened.schedule,
                progress=progress,
            ),
        )
    _write(evaluation, opened, out, device=place)


def _write(evaluation: DenoiserEvaluation, model: Model, out: Path, *, device: str) -> None:
    """Write page and numbers, and print the verdict."""
    from genmem.provenance import provenance
    from genmem.report.denoiser.page import GALLERY_SIZE, NUMBERS, PAGE, verdict, write_denoiser

    document = {
        "model": {"name": model.name, "facts": dict(model.facts)},
        **evaluation.to_dict(),
        "provenance": {**provenance(seed=evaluation.seed), "device": device},
    }
    first = range(min(GALLERY_SIZE, len(evaluation.samples)))
    write_denoiser(
        document,
        out,
        closest=[
            _with_neighbors(evaluation, number) for number in evaluation.closest(GALLERY_SIZE)
        ],
        drawn=[_with_neighbors(evaluation, number) for number in first],
    )
    print(verdict(document)["sentence"])
    print(f"{out / PAGE} · {out / NUMBERS}")


def _with_neighbors(evaluation: DenoiserEvaluation, number: int) -> SampleWithNeighbors:
    """A sample as the page shows it."""
    from genmem.report.denoiser.page import SampleWithNeighbors
    from genmem.training.diffusion.evaluation.results import THRESHOLD

    nearest, train = evaluation.nearest, evaluation.train
    (first, second), (d1, d2) = nearest.indices[number], nearest.distances[number]
    return SampleWithNeighbors(
        number=number,
        sample=evaluation.samples[number],
        nearest=train.pixels[first],
        second=train.pixels[second],
        nearest_id=train.ids[first],
        second_id=train.ids[second],
        d1=float(d1),
        d2=float(d2),
        memorized=bool(evaluation.ratios[number] < THRESHOLD),
    )
