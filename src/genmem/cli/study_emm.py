"""`genmem emm`: up to which training-set size a diffusion model memorizes, and what moves it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from genmem.cli.exit_codes import INTERRUPTED, Terminated
from genmem.cli.options import SOURCE

if TYPE_CHECKING:
    from genmem.training.emm.dataset import Source
    from genmem.training.emm.study import Request, Study
    from genmem.training.sweep.pool import Workers


def emm(
    data: Annotated[str, typer.Option(help=f"The images to train on: a {SOURCE}.")],
    out: Annotated[
        Path,
        typer.Option(metavar="DIR", help="The study's folder; begun there, it is gone on with."),
    ],
    size: Annotated[
        int | None, typer.Option(metavar="SIDE", help="Resize to SIDE × SIDE. [default: 32]")
    ] = None,
    sizes: Annotated[
        str | None,
        typer.Option(metavar="A,B,…", help="Training-set sizes among which the EMM is looked for."),
    ] = None,
    smallest: Annotated[
        int | None,
        typer.Option("--from", metavar="A", help="Or: the smallest size. [default: 500]"),
    ] = None,
    largest: Annotated[
        int | None,
        typer.Option("--to", metavar="B", help="The largest. [default: the whole data set]"),
    ] = None,
    within: Annotated[
        float | None,
        typer.Option(metavar="W", help="Bracket the EMM within a factor 1 + W. [default: 0.25]"),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(metavar="A,B,…", help="Train at all these sizes; look for no EMM."),
    ] = None,
    epsilon: Annotated[
        float, typer.Option(help="The EMM is the largest size with a ratio of 1 − ε.")
    ] = 0.1,
    seeds: Annotated[
        int, typer.Option(metavar="N", help="Repeat all with seeds 0, 1, …, N − 1.")
    ] = 3,
    factor: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=V1,V2,…",
            help="Do all for every value of a factor: dimension, classes, diversity, width, "
            "blocks, skips (kept ones, as 8+4.0, all or none), time-embedding, batch, "
            "weight-decay, ema, labels (none, true, random:C, unique). May be repeated; each "
            "factor is varied alone.",
        ),
    ] = None,
    second: Annotated[
        str | None,
        typer.Option("--second-data", help="A second source, of which diversity=SHARE takes some."),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.json",
            help="Settings of the training by name, as in a run's settings.json; options go first.",
        ),
    ] = None,
    channels: Annotated[int | None, typer.Option(help="Width. [default: 128]")] = None,
    labels: Annotated[
        str | None,
        typer.Option(metavar="none|true|random[:C]|unique", help="Labels. [default: none]"),
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Global batch size. [default: 512]")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(help="Passes over the training set. [default: 40000]")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(help="Optimizer steps, whatever |D|. [default: by --epochs]")
    ] = None,
    snapshots: Annotated[
        int | None, typer.Option(help="Snapshots measured, evenly spaced. [default: 10]")
    ] = None,
    samples: Annotated[
        int | None, typer.Option(help="Images drawn from each snapshot. [default: 10000]")
    ] = None,
    without_duplicates: Annotated[
        bool, typer.Option("--without-duplicates", help="Leave out images that repeat another.")
    ] = False,
    processes: Annotated[
        int | None, typer.Option(metavar="N", help="Trainings side by side on this machine.")
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS|local",
            help="Train on a Ray cluster whose machines all see DIR and the images.",
        ),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="CPU threads of a training. [default: cores/N]")
    ] = None,
    device: Annotated[
        Literal["auto", "cpu", "cuda"], typer.Option(help="Where to train.")
    ] = "auto",
) -> None:
    """Find the effective model memorization (EMM) of a diffusion model: the largest training set
    that it still replays, and how a factor of its training moves it.

    The defaults are those of "On Memorization in Diffusion Models": days on a GPU. Finished
    trainings are kept in DIR: the same command goes on where it stopped.
    """
    from genmem.cli.console import print_notes
    from genmem.cli.outputs import check_folder
    from genmem.cli.parsing import split_names, split_pairs
    from genmem.cli.progress import progress_on_stderr
    from genmem.training.emm.factors import configuration
    from genmem.training.emm.study import Request, Study

    check_folder(str(out), inputs={"--data": data, "--second-data": second})
    options = {
        "size": size,
        "channels": channels,
        "batch_size": batch_size,
        "epochs": epochs,
        "steps": steps,
        "snapshots": snapshots,
        "samples": samples,
    }
    base = configuration(config, options, labels=labels)
    pairs = split_pairs(factor or [], option="--factor", form="NAME=V1,V2,…")
    with progress_on_stderr() as progress:
        source, other = _look_at(data, second, progress)
        request = Request(
            source=source,
            second=other,
            base=base,
            factors=tuple((name, split_names(values)) for name, values in pairs.items()),
            sizes=_sizes(source, sizes, smallest, largest, within, at),
            every_size=at is not None,
            epsilon=epsilon,
            seeds=seeds,
            without_duplicates=without_duplicates,
        )
        study = Study(request, out, threads=threads or _threads(processes, ray))
        if threads not in (None, study.threads):
            print(_other_threads(study, out), file=sys.stderr)
        notes = study.check_images(progress=progress)
        print_notes(notes)
        workers = _workers(study, processes, ray, device, progress)
        _train(study, workers, out, progress)
    _show(study, request, notes, out)


def _look_at(data: str, second: str | None, progress: Any) -> tuple[Source, Source | None]:
    from genmem.cli.training import absolute
    from genmem.training.emm.dataset import look_at

    paths = [None if given is None else absolute(given) for given in (data, second)]
    found = [None if path is None else look_at(path, progress=progress) for path in paths]
    assert found[0] is not None
    return found[0], found[1]


def _sizes(
    source: Source,
    sizes: str | None,
    smallest: int | None,
    largest: int | None,
    within: float | None,
    at: str | None,
) -> tuple[int, ...]:
    """The training-set sizes that the options name."""
    from genmem.cli.parsing import parse_whole_numbers
    from genmem.errors import UsageError
    from genmem.training.emm.bisection import lattice

    spanned = smallest is not None or largest is not None or within is not None
    if sum((sizes is not None, at is not None, spanned)) > 1:
        raise UsageError("give one of --sizes, --at and --from/--to/--within.")
    listed = sizes if sizes is not None else at
    if listed is not None:
        option = "--sizes" if sizes is not None else "--at"
        return tuple(sorted(set(parse_whole_numbers(listed, option=option))))
    first = min(500, source.count) if smallest is None else smallest
    last = source.count if largest is None else largest
    return lattice(first, last, within=0.25 if within is None else within)


def _threads(processes: int | None, ray: str | None) -> int:
    """One on a cluster, whose machines may differ; else the cores, shared out."""
    from genmem.images.prefetch import usable_cores

    return 1 if ray is not None else max(1, usable_cores() // max(1, processes or 1))


def _other_threads(study: Study, out: Path) -> str:
    from genmem.formatting import count

    return (
        f"note: {out} was begun with {count(study.threads, 'CPU thread')} a training, on which the "
        "last digits depend; it goes on with that. Another number of threads needs another folder."
    )


def _workers(
    study: Study, processes: int | None, ray: str | None, device: Any, progress: Any
) -> Workers:
    from genmem.cli.training import print_stopping
    from genmem.errors import UsageError
    from genmem.training.sweep.pool import InProcess, Processes

    if ray is not None:
        if processes is not None:
            raise UsageError("--processes and --ray: give one of them.")
        from genmem.training.sweep.ray_backend import Cluster

        return Cluster(ray, device=device, threads=study.threads)
    if processes is None or processes == 1:
        return InProcess(device=device, progress=progress, on_stop=print_stopping)
    import torch

    gpus = 0 if device == "cpu" else torch.cuda.device_count()
    return Processes(processes, device=device, gpus=gpus, on_stop=print_stopping)


def _train(study: Study, workers: Workers, out: Path, progress: Any) -> None:
    from genmem.training.sweep.pool import StoppedError

    try:
        study.go(workers, progress=progress)
    except (StoppedError, KeyboardInterrupt):
        print(
            f"genmem: interrupted; all is saved in {out}. The same command goes on from there.",
            file=sys.stderr,
        )
        raise typer.Exit(INTERRUPTED) from None
    except Terminated as ending:
        print(
            f"genmem: {ending}; all is saved in {out}. The same command goes on from there.",
            file=sys.stderr,
        )
        raise typer.Exit(ending.code) from None


def _show(study: Study, request: Request, notes: tuple[str, ...], out: Path) -> None:
    """Write the study's files, and its numbers as a table."""
    from genmem.cli.console import print_table
    from genmem.cli.outputs import write_json
    from genmem.report.common.terminal import new_table
    from genmem.report.emm.page import write_emm_page
    from genmem.report.emm.text import emm_words, ratio_words
    from genmem.training.emm.results import findings

    found = findings(study, notes=notes)
    write_json(found, str(out / "emm.json"))
    write_emm_page(found, out / "emm.html")
    table = new_table()
    headings = ("factor", "value", *(f"{size:,}" for size in request.sizes), "EMM")
    for place, heading in enumerate(headings):
        if heading != "EMM" or not request.every_size:
            table.add_column(heading, justify="left" if place < 2 else "right", no_wrap=True)
    for curve in found["curves"]:
        ratios = [ratio_words(curve, size) for size in request.sizes]
        last = [] if request.every_size else [emm_words(curve["emm"])]
        table.add_row(curve["factor"] or "none", curve["value"], *ratios, *last)
    print_table(table)
    print(f"report: {out / 'emm.html'}, {out / 'emm.json'}", file=sys.stderr)
