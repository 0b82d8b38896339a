"""`genmem study rejection`: what memorization rejection does, over models, thresholds and seeds."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from genmem.cli.exit_codes import INTERRUPTED
from genmem.cli.options import SOURCE

if TYPE_CHECKING:
    from genmem.training.rejection_study.grid import Plan


def rejection(
    data: Annotated[str, typer.Option(help=f"The training images, a folder a class: a {SOURCE}.")],
    test: Annotated[str, typer.Option(help="Held-out images of the same kind.")],
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="The study's folder: runs, numbers, page.")
    ],
    tau: Annotated[
        str,
        typer.Option(
            metavar="T,T,…",
            help="Thresholds in the embedding, or auto; 0, no rejection, is always there.",
        ),
    ] = "0,auto",
    model: Annotated[
        str, typer.Option(metavar="A,B", help="Of dcgan, sagan, biggan.")
    ] = "dcgan,sagan,biggan",
    seeds: Annotated[int, typer.Option(help="Runs of each, with seeds 0, 1, ….")] = 3,
    embedding: Annotated[
        str | None,
        typer.Option(
            metavar="NAME[@SIDE]",
            help="What rejection compares in. [default: --config's, else efficientnet-lite0]",
        ),
    ] = None,
    measure_with: Annotated[
        str,
        typer.Option(metavar="A,B", help="Backbones to measure in; others than the embedding."),
    ] = "efficientnet-lite0",
    reference: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=SOURCE", help="Another held-out set to take C_T with; once a set."
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.json",
            help="Settings of every run by name, as for genmem train gan: steps, size, limit, "
            "width, measure_images, ….",
        ),
    ] = None,
    processes: Annotated[int, typer.Option(help="Runs at once; a CPU's cores are shared.")] = 1,
    device: Annotated[
        Literal["auto", "cpu", "cuda"], typer.Option(help="Where to train and to measure.")
    ] = "auto",
) -> None:
    """Train with and without rejection, and measure what it does to copying and quality.

    Give the same command again to go on with a study: finished runs are not done again, and
    thresholds, models and seeds can be added.
    """
    from genmem.cli.outputs import check_folder
    from genmem.cli.parsing import split_names, split_pairs
    from genmem.training.common.config import read_config

    references = split_pairs(reference or [], option="--reference", form="NAME=SOURCE")
    named = {f"--reference {name}": where for name, where in references.items()}
    check_folder(str(out), inputs={"--data": data, "--test": test, **named})
    from genmem.training.rejection_study.grid import make_plan

    plan = make_plan(
        folder=out,
        data=data,
        test=test,
        taus=[_tau(text) for text in split_names(tau)],
        models=split_names(model),
        seeds=seeds,
        measure_with=split_names(measure_with),
        embedding=embedding,
        references=references,
        training=None if config is None else read_config(config),
    )
    _carry_out(plan, processes=processes, device=device)


def _carry_out(plan: Plan, *, processes: int, device: Any) -> None:
    """Train, measure, write numbers and page, and print what was found.

    The folder's state comes first, then sets and backbones: what is wrong with them shows before
    hours of training.

    Raises:
        UsageError: after all was written, where a model has no run that came to its last step.
    """
    from genmem.cli.console import print_notes
    from genmem.cli.progress import progress_on_stderr
    from genmem.errors import UsageError
    from genmem.report.rejection_study.text import cells_of, ended_early, finding
    from genmem.training.rejection_study.feature_spaces import read_sets
    from genmem.training.rejection_study.study import (
        NUMBERS,
        PAGE,
        check_runs,
        measure_all,
        open_spaces,
        write_results,
    )
    from genmem.training.sweep.runner import check_folders, run_all

    document = None
    try:
        with progress_on_stderr() as progress:
            check_folders(plan)
            sets = read_sets(plan, progress)
            print_notes(sets.train.notes)
            check_runs(plan.cases, sets)
            spaces = open_spaces(plan, sets, device=device, progress=progress)
            if run_all(plan.cases, processes=processes, device=device, progress=progress):
                found = measure_all(plan.cases, sets, spaces, images=plan.images, progress=progress)
                document = write_results(plan, sets, spaces, found, progress)
    except KeyboardInterrupt:
        document = None
    if document is None:
        print(
            f"genmem: interrupted; what is done is kept in {plan.folder}. Go on by giving the same "
            "command again.",
            file=sys.stderr,
        )
        raise typer.Exit(INTERRUPTED)
    for sentence in ended_early(document):
        print("note:", sentence, file=sys.stderr)
    for name in plan.models:
        print(f"{name}: {finding(document, name, plan.measure_with[0])}")
    print(f"{plan.folder / PAGE} · {plan.folder / NUMBERS}")
    without = [name for name in plan.models if not cells_of(document, name)]
    if without:
        raise UsageError(
            f"no run of {' or '.join(without)} came to its last step; the notes above say why. "
            "Lower --tau, or change what --config says."
        )


def _tau(text: str) -> float | str:
    """`auto`, or a number."""
    from genmem.errors import UsageError

    if text == "auto":
        return text
    try:
        return float(text)
    except ValueError as error:
        raise UsageError(
            f"--tau: expected numbers in [0, 2] and auto, T,T,…, got {text!r}."
        ) from error
