"""`genmem compare`: several generators against one training set, in one table."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genmem.cli.options import (
    Device,
    Json,
    MetricNames,
    Preprocess,
    ReferenceBackbone,
    Report,
    Seed,
    SkipBroken,
    Tau,
    Test,
    Train,
    Weights,
)
from genmem.errors import UsageError

if TYPE_CHECKING:
    from genmem.comparison import Comparison

Models = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE[=NAME]…",
        help="Generated images or features of each model, two or more. NAME heads its column; "
        "without it, the file's name does.",
    ),
]


def compare(
    models: Models,
    train: Train,
    test: Test = None,
    backbone: ReferenceBackbone = None,
    metrics: MetricNames = None,
    tau: Tau = None,
    seed: Seed = 0,
    json: Json = None,
    report: Report = None,
    markdown: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|-", help="Write the table as Markdown to FILE, or to standard output."
        ),
    ] = None,
    latex: Annotated[
        str | None,
        typer.Option(metavar="FILE|-", help="Write the table for LaTeX (package booktabs)."),
    ] = None,
    weights: Weights = None,
    preprocess: Preprocess = None,
    device: Device = "auto",
    skip_broken: SkipBroken = False,
) -> None:
    """Score several models against one training set, with differences and ranks.

    Each metric is shown with its interval and the places that the differences between the models
    leave open. Example: genmem compare dcgan.zip biggan.zip --train train.zip --test heldout.zip
    """
    from genmem.cli.outputs import STDOUT, check_outputs
    from genmem.cli.parsing import parse_backbones, split_names
    from genmem.cli.tau import read_tau, tau_for
    from genmem.io.atomic import check_writable
    from genmem.progress import progress_on_stderr

    sources = _parse_models(models)
    threshold = read_tau(tau)
    if report is not None:
        check_writable(report, suffixes=(".html", ".htm"))
    outputs = {"--json": json, "--report": report, "--markdown": markdown, "--latex": latex}
    inputs = {f"SOURCE {name}": source for name, source in sources.items()}
    inputs |= {"--train": train, "--test": test, "--weights": weights}
    check_outputs(
        outputs, inputs={**inputs, "--tau": None if isinstance(threshold, float) else tau}
    )
    on_stdout = [name for name, value in outputs.items() if value == STDOUT]
    if len(on_stdout) > 1:
        raise UsageError(f"{' and '.join(on_stdout)} both write to stdout; give one a file.")
    from genmem.comparison import compare as compare_models
    from genmem.scoring.stored_sets import default_backbone

    [network] = parse_backbones([backbone or default_backbone(train)], preprocess)
    with progress_on_stderr() as progress:
        result = compare_models(
            sources,
            train=train,
            test=test,
            backbone=None if backbone is None else network,
            metrics=None if metrics is None else split_names(metrics),
            tau=tau_for(
                threshold,
                backbone=backbone or default_backbone(train),
                sources=[*sources.values(), train, *([test] if test is not None else [])],
            ),
            seed=seed,
            weights=weights,
            device=device,
            skip_broken=skip_broken,
            progress=progress,
        )
    _write(result, outputs)


def _write(result: Comparison, outputs: Mapping[str, str | None]) -> None:
    """Write what was asked for, by option; print the table where nothing else goes to stdout."""
    from genmem.cli.console import print_notes, print_table
    from genmem.cli.outputs import STDOUT, write_json, write_output
    from genmem.report.comparison.page import write_comparison
    from genmem.report.comparison.tables import (
        comparison_latex,
        comparison_markdown,
        comparison_table,
    )

    if (report := outputs["--report"]) is not None:
        write_comparison(result, report)
    if (json := outputs["--json"]) is not None:
        write_json(result.to_dict(), json)
    if (markdown := outputs["--markdown"]) is not None:
        write_output(comparison_markdown(result), markdown)
    if (latex := outputs["--latex"]) is not None:
        write_output(comparison_latex(result), latex)
    if STDOUT not in outputs.values():
        print_table(comparison_table(result))
    print_notes(result.notes)
    if report is not None:
        print(f"report: {report}", file=sys.stderr)


def _parse_models(texts: list[str]) -> dict[str, str]:
    """Sources by name; a name follows the last `=`, unless the whole text is an existing file.

    Raises:
        UsageError: two have the same name, or there is one only.
    """
    sources: dict[str, str] = {}
    for text in texts:
        source, equals, name = text.rpartition("=")
        if not (equals and source and name.strip()) or Path(text).exists():
            source, name = text, Path(text.rstrip("/")).name or text
        name = name.strip()
        if name in sources:
            raise UsageError(
                f"{name} names two models; give each a name of its own: {source}=NAME."
            )
        sources[name] = source
    if len(sources) == 1:
        raise UsageError("SOURCE: expected two models or more, got one; genmem score takes one.")
    return sources
