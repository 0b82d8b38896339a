"""What the folders of all training runs have in common, and how a training ends.

RUN/config.json               the configuration: --config takes it, --resume continues with it
RUN/log.jsonl                 a JSON object a line
RUN/checkpoint.safetensors    the last good state
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from genmem.errors import InputError, UsageError, os_reason
from genmem.io.atomic import atomic_write, check_folder_writable
from genmem.results import Json
from genmem.training.common.checkpoint import CHECKPOINT_FILE
from genmem.training.common.config import Config

CONFIG_FILE = "config.json"


class DivergedError(UsageError):
    """A loss or a weight is NaN or infinite; the last good checkpoint was kept."""


@dataclass(frozen=True, kw_only=True)
class TrainResult:
    """How a training ended.

    Attributes:
        step: after how many steps.
        interrupted: whether something is left to do: steps, or an evaluation.
        stop_requested: whether it was asked to stop, perhaps too late for anything to be left.
        main: whether this process is the first of `processes`, which reports the result.
        processes: how many trained together.
    """

    step: int
    interrupted: bool
    stop_requested: bool = False
    main: bool = True
    processes: int = 1


def check_new_run(folder: Path, *, files: Sequence[str] = (CHECKPOINT_FILE,)) -> None:
    """Raise UsageError where the folder holds a run already, or cannot be written.

    Args:
        folder: output directory of the new run.
        files: names of files that only an existing run has; one of them is enough.
    """
    if any((folder / name).is_file() for name in files):
        raise UsageError(
            f"{folder} holds a run already. Continue it with --resume, or name another folder."
        )
    check_folder_writable(folder)


def no_run_error(folder: Path, file: str = CONFIG_FILE) -> InputError:
    """The error for a folder in which no training has begun.

    Args:
        folder: of the run.
        file: the missing file, which a training writes before its first step.
    """
    return InputError(
        f"{folder}: there is no run: {file} is missing, which a training writes before its first "
        "step. Name another folder, or start the run (again) without --resume."
    )


def create_run_folder(folder: Path, subfolder: str) -> None:
    """Make the folder of a run with one for its files.

    Raises:
        UsageError: it cannot be made.
    """
    try:
        (folder / subfolder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make {folder}: {os_reason(error)}.") from error


def write_config(folder: Path, config: Config) -> None:
    """Write RUN/config.json."""
    write_json(folder / CONFIG_FILE, config.to_dict())


def write_json(path: Path, document: dict[str, Json]) -> None:
    """Write a JSON file for people to read, whole or not at all."""
    with atomic_write(path) as file:
        file.write((json.dumps(document, indent=2, allow_nan=False) + "\n").encode())


def checkpoint_note(folder: Path, saved_step: int | None) -> str:
    """Where the last good checkpoint is, for the error of a training that fails."""
    if saved_step:
        return f"the last good checkpoint, of step {saved_step:,}, is in {folder}"
    return "there was no checkpoint yet"
