"""`genmem study …`: many trainings or measurements, resumable, on one page."""

from __future__ import annotations

import typer

from genmem.cli.study_denoiser import denoiser
from genmem.cli.study_rejection import rejection

study = typer.Typer(
    name="study",
    help="Whole studies: many runs, resumable, one page.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@study.callback(invoke_without_command=True)
def _help(context: typer.Context) -> None:
    """Whole studies: many runs, resumable, one page."""
    if context.invoked_subcommand is None:
        print(context.get_help())


study.command()(denoiser)


study.command()(rejection)
