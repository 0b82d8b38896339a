"""`genmem study emm`: the largest training set that a diffusion model memorizes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from genmem.cli.options import Config, OutStudy, Processes, Ray, Train, TrainingDevice

if TYPE_CHECKING:
    from pathlib import Path

    from genmem.images import Progress
    from genmem.training.emm.config import EmmConfig
    from genmem.training.emm.study import EmmStudy, StudyConfig


Threads = Annotated[
    int | None,
    typer.Option(
        metavar="N", min=1, show_default="cores/processes", help="CPU threads of each run."
    ),
]


def emm(
    context: typer.Context,
    train: Train,
    out: OutStudy,
    config: Config = None,
    processes: Processes = 1,
    ray: Ray = None,
    threads: Threads = None,
    device: TrainingDevice = "auto",
) -> None:
    """Find the effective model memorization (EMM): the largest training set that a diffusion model
    memorizes, and how a factor of its training changes it.

    The defaults are those of "On Memorization in Diffusion Models": days on a GPU.
    """
    from genmem.cli.config_options import build_config, given_options
    from genmem.cli.console import print_notes
    from genmem.cli.outputs import check_folder
    from genmem.cli.study_runs import build_backend, resumable
    from genmem.cli.training import local_path
    from genmem.progress import progress_on_stderr
    from genmem.training.emm.config import EmmConfig
    from genmem.training.emm.study import EmmStudy

    options = build_config(EmmConfig, given_options(context))
    inputs = {"--train": local_path(train), "--second-train": local_path(options.second_train)}
    check_folder(out, inputs=inputs)
    with progress_on_stderr() as progress:
        study_config = _study_config(options, train, config, progress)
        study = EmmStudy(study_config, out, threads=threads or _default_threads(processes, ray))
        if threads not in (None, study.threads):
            print(_threads_note(study), file=sys.stderr)
        notes = study.check_images(progress=progress)
        print_notes(notes)
        backend = build_backend(
            processes,
            ray,
            device=device,
            threads=study.threads,
            in_process=True,
            progress=progress,
        )
        with resumable(out):
            study.run(backend, device=device, progress=progress)
    _write_results(study, notes)


def _study_config(
    options: EmmConfig, train: str, file: Path | None, progress: Progress
) -> StudyConfig:
    """What the options ask for, of the sources that they name."""
    from genmem.cli.parsing import split_names, split_pairs
    from genmem.cli.training import absolute
    from genmem.training.emm.dataset import inspect_source
    from genmem.training.emm.study import StudyConfig

    base = options.trial(file)
    factors = split_pairs(options.factor, option="--factor", form="NAME=V1,V2,…")
    second = options.second_train
    source = inspect_source(absolute(train), progress=progress)
    return StudyConfig(
        source=source,
        second_source=(
            None if second is None else inspect_source(absolute(second), progress=progress)
        ),
        base=base,
        factors=tuple((name, split_names(values)) for name, values in factors.items()),
        sizes=options.training_sizes(source.count),
        every_size=options.at is not None,
        epsilon=options.epsilon,
        seeds=options.seeds,
        drop_duplicates=options.drop_duplicates,
    )


def _default_threads(processes: int, ray: str | None) -> int:
    """One on a cluster, whose machines may differ; else an equal share of the cores."""
    from genmem.images.prefetch import usable_cores

    return 1 if ray is not None else max(1, usable_cores() // max(1, processes))


def _threads_note(study: EmmStudy) -> str:
    from genmem.formatting import count

    return (
        f"note: {study.folder} uses {count(study.threads, 'CPU thread')} for each run, as when it "
        "was started, because the last digits depend on it. Use another folder for another number."
    )


def _write_results(study: EmmStudy, notes: tuple[str, ...]) -> None:
    """Write the study's files, and print its numbers as a table."""
    from genmem.cli.console import print_table
    from genmem.report.common.terminal import new_table
    from genmem.report.emm.page import write_emm_page
    from genmem.report.emm.text import format_emm, format_ratio
    from genmem.training.emm.results import summarize_study

    results = summarize_study(study, notes=notes)
    numbers, page = study.folder / "emm.json", study.folder / "emm.html"
    results.save(numbers)
    write_emm_page(results, page)
    table = new_table()
    table.add_column("factor", no_wrap=True)
    table.add_column("value", no_wrap=True)
    headings = [f"{size:,}" for size in results.sizes] + ["EMM"] * (not results.every_size)
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for curve in results.curves:
        ratios = [format_ratio(curve, size) for size in results.sizes]
        emm = [] if results.every_size else [format_emm(curve.emm)]
        table.add_row(curve.factor or "none", curve.value, *ratios, *emm)
    print_table(table)
    print(f"report: {page}, {numbers}", file=sys.stderr)
