"""`genmem study rejection`: what memorization rejection does, over models, thresholds and seeds."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from genmem.cli.options import (
    Config,
    OutStudy,
    Processes,
    Ray,
    RequiredTest,
    Seeds,
    Train,
    TrainingDevice,
    option,
)

if TYPE_CHECKING:
    from genmem.study_results.rejection import StudyResults, Tau
    from genmem.training.common.config import Device
    from genmem.training.rejection_study.grid import Plan


Taus = Annotated[
    str,
    typer.Option(
        metavar="T,T,…|auto",
        help="Thresholds of rejection. Training without rejection (0) is always included.",
    ),
]
Models = Annotated[str, option("--model", metavar="NAME,…")]
RejectionBackbone = Annotated[
    str | None,
    typer.Option(
        "--backbone",
        metavar="NAME[@SIDE]",
        help="Backbone for rejection, with an optional input side.",
        show_default="that of --config, or efficientnet-lite0",
    ),
]
EvaluateWith = Annotated[
    str,
    typer.Option(
        metavar="NAME,…",
        help="Backbones to evaluate samples in, preferably other than --backbone.",
    ),
]
References = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=SOURCE",
        help="Another held-out set to compute C_T with. Repeat for each set.",
    ),
]


def rejection(
    train: Train,
    test: RequiredTest,
    out: OutStudy,
    tau: Taus = "0,auto",
    model: Models = "dcgan,sagan,biggan",
    seeds: Seeds = 3,
    backbone: RejectionBackbone = None,
    evaluate_with: EvaluateWith = "efficientnet-lite0",
    reference: References = None,
    config: Config = None,
    processes: Processes = 1,
    ray: Ray = None,
    device: TrainingDevice = "auto",
) -> None:
    """Train GANs with and without memorization rejection, and measure its effect.

    An existing study is resumed: finished runs are kept, and thresholds, models and seeds can be
    added. `--config` takes the options of `genmem train gan` that all runs share.
    """
    from genmem.cli.outputs import check_folder
    from genmem.cli.parsing import split_names, split_pairs
    from genmem.cli.training import absolute, local_path
    from genmem.training.common.config import read_config

    references = split_pairs(reference or [], option="--reference", form="NAME=SOURCE")
    sources = {f"--reference {name}": local_path(source) for name, source in references.items()}
    sources |= {"--train": local_path(train), "--test": local_path(test)}
    check_folder(out, inputs=sources)
    from genmem.training.rejection_study.grid import Plan

    plan = Plan(
        folder=out,
        train=absolute(train),
        test=absolute(test),
        taus=[_parse_tau(text) for text in split_names(tau)],
        models=split_names(model),
        seeds=seeds,
        evaluate_with=split_names(evaluate_with),
        backbone=backbone,
        references={name: absolute(source) for name, source in references.items()},
        training={} if config is None else read_config(config),
    )
    _print_results(plan, _run(plan, processes=processes, ray=ray, device=device))


def _run(plan: Plan, *, processes: int, ray: str | None, device: Device) -> StudyResults:
    """Train, evaluate, and write numbers and page.

    The folder is checked first, then sets and backbones: what is wrong with them shows before
    hours of training.
    """
    from genmem.cli.console import print_notes
    from genmem.cli.study_runs import build_backend, resumable
    from genmem.progress import progress_on_stderr
    from genmem.training.rejection_study.feature_spaces import load_image_sets
    from genmem.training.rejection_study.runs import check_folders, train_runs
    from genmem.training.rejection_study.study import (
        build_feature_spaces,
        check_runs,
        evaluate_runs,
        write_results,
    )

    with resumable(plan.folder), progress_on_stderr() as progress:
        check_folders(plan)
        sets = load_image_sets(plan, progress)
        print_notes(sets.train.notes)
        check_runs(plan.runs, sets)
        spaces = build_feature_spaces(plan, sets, device=device, progress=progress)
        backend = build_backend(processes, ray, device=device, progress=progress)
        train_runs(plan.runs, backend, folder=plan.folder, device=device, progress=progress)
        evaluations = evaluate_runs(
            plan.runs, sets, spaces, samples=plan.samples, progress=progress
        )
        return write_results(plan, sets, spaces, evaluations, progress)


def _print_results(plan: Plan, results: StudyResults) -> None:
    """Print each model's finding.

    Raises:
        UsageError: a model has no run that came to its last step.
    """
    from genmem.errors import UsageError
    from genmem.report.rejection_study.text import describe_early_ends, describe_finding
    from genmem.training.rejection_study.study import NUMBERS_FILE, PAGE_FILE

    for sentence in describe_early_ends(results):
        print("note:", sentence, file=sys.stderr)
    for name in plan.models:
        print(f"{name}: {describe_finding(results, name, plan.evaluate_with[0])}")
    print(f"{plan.folder / PAGE_FILE} · {plan.folder / NUMBERS_FILE}")
    unfinished = [name for name in plan.models if not results.cells_of(name)]
    if unfinished:
        raise UsageError(
            f"no run of {' or '.join(unfinished)} came to its last step; see the notes above. "
            "Lower --tau, or change the values in --config."
        )


def _parse_tau(text: str) -> Tau:
    """`auto`, or a number."""
    from genmem.errors import UsageError

    if text == "auto":
        return "auto"
    try:
        return float(text)
    except ValueError as error:
        raise UsageError(
            f"--tau: expected numbers in [0, 2] and auto, T,T,…, got {text!r}."
        ) from error
