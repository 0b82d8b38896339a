"""`genmem study emm`: the largest training set that a diffusion model memorizes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from genmem.cli.options import (
    Config,
    DropDuplicates,
    OutStudy,
    Processes,
    Seeds,
    Train,
    TrainingDevice,
    option,
)
from genmem.cli.study_runs import Ray

if TYPE_CHECKING:
    from genmem.images import Progress
    from genmem.training.emm.dataset import SourceInfo
    from genmem.training.emm.study import EmmStudy


def emm(
    train: Train,
    out: OutStudy,
    size: Annotated[int | None, option("--size", metavar="SIDE", show_default="32")] = None,
    sizes: Annotated[
        str | None,
        typer.Option(metavar="N,N,…", help="Training-set sizes among which to find the EMM."),
    ] = None,
    smallest: Annotated[
        int | None,
        typer.Option(
            "--from",
            metavar="N",
            show_default="500",
            help="Smallest training-set size to try (with `--to` and `--within`).",
        ),
    ] = None,
    largest: Annotated[
        int | None,
        typer.Option(
            "--to",
            metavar="N",
            show_default="the whole data set",
            help="Largest training-set size to try.",
        ),
    ] = None,
    within: Annotated[
        float | None,
        typer.Option(
            metavar="W", show_default="0.25", help="Bracket the EMM within a factor of 1 + W."
        ),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(metavar="N,N,…", help="Train at all these sizes, without finding the EMM."),
    ] = None,
    epsilon: Annotated[
        float, typer.Option(help="The EMM is the largest size with a ratio of at least 1 − ε.")
    ] = 0.1,
    seeds: Seeds = 3,
    factor: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=V1,V2,…",
            help="Repeat the study for each value of a factor. Repeat the option for more factors; "
            "each is varied alone. Factors: dimension, classes, diversity, width, blocks, skips "
            "(connections to keep: 8+4.0, all or none), time-embedding, batch, weight-decay, ema, "
            "labels (none, true, random:C, unique).",
        ),
    ] = None,
    second_train: Annotated[
        str | None,
        typer.Option(
            "--second-train",
            metavar="SOURCE",
            help="Second source of training images, for the factor diversity=SHARE.",
        ),
    ] = None,
    config: Config = None,
    channels: Annotated[int | None, option("--channels", show_default="128")] = None,
    labels: Annotated[
        str | None,
        option("--labels", metavar="none|true|random[:C]|unique", show_default="none"),
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Global batch size.", show_default="512")
    ] = None,
    epochs: Annotated[int | None, option("--epochs", show_default="40000")] = None,
    steps: Annotated[int | None, option("--steps", show_default="by --epochs")] = None,
    snapshots: Annotated[int | None, option("--snapshots", show_default="10")] = None,
    samples: Annotated[int | None, option("--samples", show_default="10000")] = None,
    drop_duplicates: DropDuplicates = False,
    processes: Processes = 1,
    ray: Ray = None,
    threads: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, show_default="cores/processes", help="CPU threads of each run."
        ),
    ] = None,
    device: TrainingDevice = "auto",
) -> None:
    """Find the effective model memorization (EMM): the largest training set that a diffusion model
    memorizes, and how a factor of its training changes it.

    The defaults are those of "On Memorization in Diffusion Models": days on a GPU.
    """
    from genmem.cli.console import print_notes
    from genmem.cli.outputs import check_folder
    from genmem.cli.parsing import split_names, split_pairs
    from genmem.cli.progress import progress_on_stderr
    from genmem.cli.study_runs import build_backend, resumable
    from genmem.cli.training import local_path
    from genmem.training.emm.factors import build_config
    from genmem.training.emm.study import EmmStudy, StudyConfig

    inputs = {"--train": local_path(train), "--second-train": local_path(second_train)}
    check_folder(out, inputs=inputs)
    options = {
        "size": size,
        "channels": channels,
        "labels": labels,
        "batch_size": batch_size,
        "epochs": epochs,
        "steps": steps,
        "snapshots": snapshots,
        "samples": samples,
    }
    base = build_config(config, options)
    factors = split_pairs(factor or [], option="--factor", form="NAME=V1,V2,…")
    with progress_on_stderr() as progress:
        source = _inspect(train, progress)
        study_config = StudyConfig(
            source=source,
            second_source=None if second_train is None else _inspect(second_train, progress),
            base=base,
            factors=tuple((name, split_names(values)) for name, values in factors.items()),
            sizes=_parse_sizes(source, sizes, smallest, largest, within, at),
            every_size=at is not None,
            epsilon=epsilon,
            seeds=seeds,
            drop_duplicates=drop_duplicates,
        )
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


def _inspect(source: str, progress: Progress) -> SourceInfo:
    from genmem.cli.training import absolute
    from genmem.training.emm.dataset import inspect_source

    return inspect_source(absolute(source), progress=progress)


def _parse_sizes(
    source: SourceInfo,
    sizes: str | None,
    smallest: int | None,
    largest: int | None,
    within: float | None,
    at: str | None,
) -> tuple[int, ...]:
    """The training-set sizes that the options name."""
    from genmem.cli.parsing import parse_whole_numbers
    from genmem.errors import UsageError
    from genmem.training.emm.bisection import size_grid

    is_range = smallest is not None or largest is not None or within is not None
    if sum((sizes is not None, at is not None, is_range)) > 1:
        raise UsageError("give one of --sizes, --at and --from/--to/--within.")
    if sizes is not None:
        return tuple(sorted(set(parse_whole_numbers(sizes, option="--sizes"))))
    if at is not None:
        return tuple(sorted(set(parse_whole_numbers(at, option="--at"))))
    first = min(500, source.count) if smallest is None else smallest
    last = source.count if largest is None else largest
    return size_grid(first, last, within=0.25 if within is None else within)


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
