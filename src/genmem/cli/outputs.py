"""Output files and directories: checked before the work starts, written atomically at the end."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from genmem.errors import UsageError
from genmem.io.atomic import atomic_write, check_writable
from genmem.results import Json

STDOUT = "-"


def check_outputs(
    outputs: Mapping[str, str | Path | None], *, inputs: Mapping[str, str | None]
) -> None:
    """Refuse output files that cannot be written or would damage an input, before the work.

    Args:
        outputs: file names by option; None if the option was not given, "-" for stdout.
        inputs: sources by argument; None if it was not given.

    Raises:
        UsageError: an output cannot be written, is named twice, is an input, or lies in a folder
            of input images, where the next run would read it as an image.
    """
    options: dict[Path, str] = {}
    for option, output in outputs.items():
        if output is None or output == STDOUT:
            continue
        check_writable(output)
        target = Path(output).resolve()
        if target in options:
            raise UsageError(f"{options[target]} and {option} both name {output}; name two files.")
        options[target] = option
        for argument, source in _resolve(inputs).items():
            if source == target:
                raise UsageError(f"{option} {output} would replace {argument}; name another file.")
            if source in target.parents:
                raise UsageError(_is_inside(f"{option} {output}", argument, inputs[argument]))


def check_folder(folder: str | Path, *, inputs: Mapping[str, str | None]) -> None:
    """Refuse an output directory that is or holds an input, or lies in a folder of input images.

    Args:
        folder: the value of `--out`.
        inputs: sources by argument; None if it was not given.

    Raises:
        UsageError: the directory is refused.
    """
    target = Path(folder).resolve()
    for argument, source in _resolve(inputs).items():
        if target in source.parents:
            raise UsageError(
                f"--out {folder} holds {argument} ({inputs[argument]}), which could be replaced; "
                "name another directory."
            )
        if source == target and target.is_file():
            raise UsageError(
                f"--out {folder} is a file, the input {argument}; name another directory."
            )
        if source in (target, *target.parents):
            raise UsageError(_is_inside(f"--out {folder}", argument, inputs[argument]))


def write_json(document: Json, output: str) -> None:
    """Write `document` to the file `output` atomically, or to stdout if it is "-"."""
    write_output(json.dumps(document, indent=2, allow_nan=False) + "\n", output)


def write_output(text: str, output: str) -> None:
    """Write `text` to the file `output` atomically, or to stdout if it is "-"."""
    if output == STDOUT:
        sys.stdout.write(text)
        return
    with atomic_write(output) as file:
        file.write(text.encode("utf-8", "backslashreplace"))


def _resolve(inputs: Mapping[str, str | None]) -> dict[str, Path]:
    """The inputs that were given, as absolute paths without links."""
    return {argument: Path(source).resolve() for argument, source in inputs.items() if source}


def _is_inside(output: str, argument: str, source: str | None) -> str:
    return (
        f"{output} lies inside {argument} ({source}), where the next run would take it for an "
        "image; name a place elsewhere."
    )
