"""Output files: checked before the work starts, written whole when it is done."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from genmem.errors import UsageError
from genmem.io.atomic import atomic_write, check_writable
from genmem.results import Json

STDOUT = "-"


def check_outputs(outputs: Mapping[str, str | None], *, inputs: Mapping[str, str | None]) -> None:
    """Refuse outputs that cannot be written or would spoil an input, before any work is done.

    Args:
        outputs: file names by option; None where the option was not given, "-" for stdout.
        inputs: what is read, by argument; None where it was not given.

    Raises:
        UsageError: an output cannot be written, is named twice, is an input, or lies in a folder
            of input images, where the next run would meet it.
    """
    seen: dict[Path, str] = {}
    for option, output in outputs.items():
        if output is None or output == STDOUT:
            continue
        check_writable(output)
        target = Path(output).resolve()
        if target in seen:
            raise UsageError(f"{seen[target]} and {option} both name {output}; name two files")
        seen[target] = option
        for argument, given in inputs.items():
            source = Path(given).resolve() if given else None
            if source == target:
                raise UsageError(f"{option} {output} would replace {argument}; name another file")
            if source is not None and source in target.parents:
                raise UsageError(
                    f"{option} {output} lies inside {argument} ({given}), where the next run would "
                    "take it for an image; name a file elsewhere"
                )


def check_folder(folder: str, *, inputs: Mapping[str, str | None]) -> None:
    """Refuse an output folder that is an input, or lies in a folder of input images.

    Raises:
        UsageError: it has no name, is an input, holds one, or the next run would take what is
            written there for images.
    """
    if not folder:
        raise UsageError("--out: expected the name of a folder, got an empty text")
    target = Path(folder).resolve()
    for argument, given in inputs.items():
        source = Path(given).resolve() if given else None
        if source is not None and target in source.parents:
            raise UsageError(
                f"--out {folder} holds {argument} ({given}), which could be replaced; name a "
                "folder elsewhere"
            )
        if source == target and target.is_file():
            raise UsageError(
                f"--out {folder} is a file, and what is read as {argument}; name a folder elsewhere"
            )
        if source is not None and source in (target, *target.parents):
            raise UsageError(
                f"--out {folder} lies inside {argument} ({given}), where the next run would take "
                "its pictures for images; name a folder elsewhere"
            )


def write_json(document: Json, output: str) -> None:
    """Write `document` to the file `output`, whole or not at all, or to stdout when it is "-"."""
    text = json.dumps(document, indent=2, allow_nan=False) + "\n"
    if output == STDOUT:
        sys.stdout.write(text)
        return
    with atomic_write(output) as file:
        file.write(text.encode())
