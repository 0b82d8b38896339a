"""`genmem backbones`: which of them work now; `fetch` and `check` their weights."""

from __future__ import annotations

from typing import Annotated

import typer

from genmem.cli.options import Device, Weights

LONGEST_LINE = 240
"""Columns of the table in a file or a pipe: addresses stay on one line."""

_HELP = "List the backbones, which of them work now, and where their weights come from."

backbones = typer.Typer(
    name="backbones",
    help=_HELP,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Backbone, such as `sscd`.")]


@backbones.callback(invoke_without_command=True)
def list_backbones(context: typer.Context) -> None:
    """List the backbones, unless a subcommand follows."""
    if context.invoked_subcommand is not None:
        return
    from rich.text import Text

    from genmem.cli.console import print_table
    from genmem.features.registry import backbones as list_backbones
    from genmem.features.registry import weights_status
    from genmem.report.common.terminal import new_table

    table = new_table()
    table.add_column("backbone", no_wrap=True)
    table.add_column("what it is", min_width=24)
    table.add_column("dimension", justify="right")
    table.add_column("ready now?")
    table.add_column("licence", no_wrap=True)
    table.add_column("weights from", overflow="fold")
    for backbone in list_backbones():
        status = weights_status(backbone)
        table.add_row(
            Text(backbone.name, style="bold"),
            Text(backbone.description),
            Text(f"{backbone.dimension:,}" if backbone.dimension else "varies"),
            Text("yes", style="green") if status.ready else Text("no", style="yellow"),
            Text(backbone.licence),
            Text(status.where),
        )
    print_table(table, piped_width=LONGEST_LINE)


@backbones.command()
def fetch(name: Name) -> None:
    """Download the weights of a backbone, unless they are on this machine, and check their hash."""
    from genmem.features import fetch_weights
    from genmem.formatting import printable
    from genmem.progress import progress_on_stderr

    with progress_on_stderr() as progress:
        weights = fetch_weights(name, progress=progress)
    if weights is None:
        print(f"{printable(name)} needs no weights.")
        return
    print(f"{printable(str(weights.path))} ({weights.origin})")
    print(f"SHA-256 {weights.sha256}")


@backbones.command()
def check(name: Name, weights: Weights = None, device: Device = "auto") -> None:
    """Run a backbone on built-in images, and compare the results with what is expected.

    Downloads the weights if they are not on this machine.
    """
    from rich.text import Text

    from genmem.cli.console import print_table
    from genmem.errors import WeightsError
    from genmem.features.backbone_check import check_backbone
    from genmem.progress import progress_on_stderr
    from genmem.report.common.terminal import new_table

    with progress_on_stderr() as progress:
        results = check_backbone(name, weights=weights, device=device, progress=progress)
    table = new_table("check", "expected", "seen", "agree")
    for result in results:
        agree = Text("yes", style="green") if result.holds else Text("NO", style="bold red")
        table.add_row(result.what, result.expected, result.seen, agree)
    print_table(table, piped_width=LONGEST_LINE)
    failed = [result.what for result in results if not result.holds]
    if failed:
        raise WeightsError(
            f"{name}: expected what the table says, and {len(failed)} of {len(results)} checks "
            f"differ: {'; '.join(failed)}. Fetch the published weights again (`genmem backbones "
            "fetch`), or compare with --device cpu."
        )
    print(f"{name} gives what is expected of it.")
