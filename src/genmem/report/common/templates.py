"""How every page is made from its template, and written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from genmem.io.atomic import atomic_write
from genmem.io.result_folder import ResultKind
from genmem.results import Json


def template(name: str) -> Template:
    """A template of this package: everything is escaped, and a missing value is an error."""
    return _environment().get_template(name)


def encode(text: str) -> bytes:
    """`text` as UTF-8; surrogates, from file names that are not UTF-8, are escaped."""
    return text.encode("utf-8", "backslashreplace")


def write_page(page: str, path: str | Path) -> None:
    """Write a page atomically: a reader sees the old file or the whole new one.

    Raises:
        UsageError: the file cannot be written.
    """
    with atomic_write(path) as file:
        file.write(encode(page))


def write_results(folder: Path, kind: ResultKind, document: Mapping[str, Json], page: str) -> None:
    """Write the JSON file and the page of a result folder.

    Args:
        folder: from `atomic_result_folder`.
        kind: names the files, and is named in the JSON file.
        document: the numbers.
        page: the page as text.
    """
    numbers = {"kind": kind.marker, **document}
    text = json.dumps(numbers, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    (folder / kind.numbers).write_bytes(encode(text))
    (folder / kind.page).write_bytes(encode(page))


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("genmem.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
