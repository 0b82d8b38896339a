"""All commands of `genmem`, registered with typer.

`app` imports this file only when a command line runs, so that an interrupt during the import ends
like any other. Nothing heavy is imported here, so that `genmem --help` answers at once: each
command imports what it needs when it runs.
"""

from __future__ import annotations

from typing import Annotated

import typer

from genmem.cli.analyze import analyze
from genmem.cli.arena import arena
from genmem.cli.audit import audit
from genmem.cli.backbones import backbones
from genmem.cli.calibrate import calibrate
from genmem.cli.cheat import CheatCommand, cheat
from genmem.cli.compare import compare
from genmem.cli.demo import demo
from genmem.cli.duplicates import duplicates
from genmem.cli.examples import add_examples
from genmem.cli.features import features
from genmem.cli.query import query
from genmem.cli.reference import reference
from genmem.cli.report import report
from genmem.cli.score import score
from genmem.cli.study import study
from genmem.cli.submit import submit
from genmem.cli.train import train

app = typer.Typer(
    name="genmem",
    help="Measure training-sample memorization in generative image models.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _print_version(requested: bool) -> None:
    if requested:
        from genmem.provenance import describe_versions

        print(describe_versions())
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            is_eager=True,
            callback=_print_version,
            help="Print the versions of genmem and what it runs on.",
        ),
    ] = False,
) -> None:
    """Measure training-sample memorization in generative image models."""


for _command in (score, compare, audit, query, report, duplicates, calibrate, analyze):
    app.command()(_command)
app.command(cls=CheatCommand)(cheat)
for _command in (features, submit, demo):
    app.command()(_command)
for _group in (reference, arena, backbones, train, study):
    app.add_typer(_group)
add_examples(app)
