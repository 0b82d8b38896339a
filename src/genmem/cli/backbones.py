"""`genmem backbones`: the backbones, and which of them work now."""

from __future__ import annotations

LONGEST_LINE = 240
"""Columns of the table in a file or a pipe: addresses stay on one line."""


def backbones() -> None:
    """List the backbones, which of them work now, and where their weights come from."""
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
