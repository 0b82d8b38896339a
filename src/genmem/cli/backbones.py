"""`genmem backbones`: what can turn images into features, and what works now."""

from __future__ import annotations

LONGEST_LINE = 240
"""Columns when the list goes to a file or a pipe: addresses stay on one line."""


def backbones() -> None:
    """List the backbones: which work now, and where the others' weights come from."""
    from rich.text import Text

    from genmem.cli.console import print_table
    from genmem.features import backbones as catalogue
    from genmem.features import weights_status
    from genmem.report.common.terminal import new_table

    table = new_table()
    table.add_column("backbone", no_wrap=True)
    table.add_column("what it is", min_width=24)
    table.add_column("dimension", justify="right")
    table.add_column("ready now?")
    table.add_column("licence", no_wrap=True)
    table.add_column("weights from", overflow="fold")
    for backbone in catalogue():
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
