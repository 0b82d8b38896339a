"""`genmem report`: the folder of an audit as a document to read and sign."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genmem.cli.options import option


def report(
    folder: Annotated[
        Path, typer.Argument(metavar="AUDIT_DIR", help="Output directory of `genmem audit`.")
    ],
    pdf: Annotated[bool, option("--pdf")] = False,
    marks: Annotated[
        str | None,
        typer.Option(metavar="FILE.json", help="Reviewers' marks, exported by the audit's page."),
    ] = None,
) -> None:
    """Write an audit as a document for readers without a statistics background.

    Writes report.html, or report.pdf with `--pdf`. Needs only the audit's directory.
    """
    from genmem.report.dossier.write import write_dossier

    print(write_dossier(folder, pdf=pdf, marks=marks))
