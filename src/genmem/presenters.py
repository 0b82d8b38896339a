"""How results show themselves: by modules of `genmem.report.notebook`, which stand above them.

A result cannot import what renders it, since that imports the result. Its methods (`_repr_html_`,
`plot`, `to_pandas`, `save`) name the module instead, which is imported at the first use. This is
the only way up through the layers.
"""

from __future__ import annotations

import importlib
from typing import Any


def presenter(name: str) -> Any:
    """A module of `genmem.report.notebook`.

    Args:
        name: of the kind of result that it shows: "score", "audit", "duplicates", "query", ….
    """
    return importlib.import_module(f"genmem.report.notebook.{name}")
