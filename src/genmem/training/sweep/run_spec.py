"""What one run of a study is, and how it is done; the same for every study and every backend."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from filelock import FileLock

from genmem.images import Progress
from genmem.io.documents import Document
from genmem.training.common.config import Device
from genmem.training.common.run_folder import create_run_folder


@dataclass(frozen=True, kw_only=True)
class RunSpec(Document):
    """One run of a study, in a form that travels to other processes and machines.

    Attributes:
        kind: import path of the function that does the run, "package.module:function". It takes
            the arguments of `execute` and returns what `execute` returns.
        config: plain JSON for that function.
        folder: of the run. All its results are files in there.
        device: "auto", "cpu" or "cuda".
    """

    kind: str
    config: dict[str, Any]
    folder: Path
    device: Device = "auto"


def execute(
    spec: RunSpec,
    *,
    progress: Progress | None = None,
    on_stop: Callable[[], None] | None = None,
) -> bool:
    """Do a run, or continue it from its last checkpoint.

    A second process that is given the same folder waits for the first.

    Args:
        spec: the run.
        progress: told how far the run is.
        on_stop: called at the first Ctrl-C or SIGTERM.

    Returns:
        True: the run is finished. False: it was asked to stop (Ctrl-C or SIGTERM) and has saved.

    Raises:
        UsageError: the folder cannot be made, or what the run's function raises.
        InputError: what the run's function raises.
    """
    module, _, name = spec.kind.partition(":")
    function = getattr(import_module(module), name)
    create_run_folder(spec.folder, "")
    with FileLock(spec.folder / ".lock"):
        return function(spec, progress=progress, on_stop=on_stop)
