"""`genmem score`: how good and how copied a set of generated images is."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

import typer

from genmem.metrics.registry import METRIC_NAMES

ALIASES = {"fid": "fd", "kid": "kd"}
"""What two of them are called on Inception features."""

LARGEST_SEED = 2**32 - 1
"""What NumPy's older generator takes, which draws the kernel distance's subsets."""

SOURCE = "folder, .zip, .tar, .parquet, .npy/.npz, or hf:DATASET[:split]"


def score(
    generated: Annotated[
        str, typer.Argument(metavar="GENERATED", help=f"The generated images: a {SOURCE}.")
    ],
    train: Annotated[str, typer.Option(help="The images the generator was trained on.")],
    test: Annotated[
        str | None,
        typer.Option(help="Held-out images of the same kind: the yardstick for copying."),
    ] = None,
    backbone: Annotated[
        str, typer.Option(help="What turns images into features; see `genmem backbones`.")
    ] = "inception",
    metrics: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,C",
            help=f"Only these metrics, of {', '.join(METRIC_NAMES)}; fid and kid are fd and kd. "
            "[default: all]",
        ),
    ] = None,
    tau: Annotated[
        str | None,
        typer.Option(
            metavar="T|FILE",
            help="Mean distance below which MiFID penalises, or `genmem calibrate`'s JSON. "
            "[default: the backbone's]",
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SEED, help="Seed of everything random.")
    ] = 0,
    json: Annotated[
        str | None,
        typer.Option(metavar="FILE|-", help="Write all numbers as JSON; - for stdout alone."),
    ] = None,
    report: Annotated[
        str | None, typer.Option(metavar="FILE.html", help="Write a report to open in a browser.")
    ] = None,
    weights: Annotated[
        str | None, typer.Option(metavar="FILE", help="The backbone's weights file.")
    ] = None,
    device: Annotated[
        Literal["auto", "cpu", "cuda", "mps"], typer.Option(help="Where the network runs.")
    ] = "auto",
    skip_broken: Annotated[
        bool, typer.Option("--skip-broken", help="Leave out unreadable images and list them.")
    ] = False,
) -> None:
    """Tell how good GENERATED is, and how much of TRAIN it copies."""
    from genmem.cli.outputs import STDOUT, check_outputs, write_json
    from genmem.cli.progress import progress_on_stderr
    from genmem.cli.tau import read_tau, tau_for
    from genmem.io.atomic import check_writable

    threshold = read_tau(tau)
    if report is not None:
        check_writable(report, suffixes=(".html", ".htm"))
    check_outputs(
        {"--json": json, "--report": report},
        inputs={
            "GENERATED": generated,
            "--train": train,
            "--test": test,
            "--weights": weights,
            "--tau": None if isinstance(threshold, float) else tau,
        },
    )
    from genmem.cli.console import print_notes, print_table
    from genmem.report import write_report
    from genmem.scoring import score as compute

    sources = [source for source in (generated, train, test) if source is not None]

    with progress_on_stderr() as progress:
        found = compute(
            generated=generated,
            train=train,
            test=test,
            backbone=backbone,
            metrics=_names(metrics),
            tau=tau_for(threshold, backbone=backbone, sources=sources),
            seed=seed,
            weights=weights,
            skip_broken=skip_broken,
            device=device,
            progress=progress,
        )
    if report is not None:
        write_report(found, report)
    if json is not None:
        write_json(found.to_dict(), json)
    if json != STDOUT:
        print_table(found)
    print_notes(found)
    if report is not None:
        print(f"report: {report}", file=sys.stderr)


def _names(metrics: str | None) -> list[str] | None:
    """`a, B,c` as a list of names, each as scoring knows it; None means all."""
    if metrics is None:
        return None
    return [_name(part.strip()) for part in metrics.split(",") if part.strip()]


def _name(given: str) -> str:
    """The metric that is meant, in large or small letters; an unknown name stays as it is."""
    name = ALIASES.get(given.lower(), given.lower())
    return name if name in METRIC_NAMES else given
