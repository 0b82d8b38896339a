"""What the commands that train have in common: paths, the end of an interrupted training.

`accelerate` starts a command once for each GPU; only the main process prints these messages.
"""

from __future__ import annotations

import sys
from pathlib import Path
from shlex import join
from typing import TYPE_CHECKING

import typer

from genmem.cli.exit_codes import INTERRUPTED

if TYPE_CHECKING:
    from genmem.training.common.run_folder import TrainResult


def exit_if_interrupted(result: TrainResult, kind: str, out: Path, *, device: str) -> None:
    """Exit with `INTERRUPTED` where a training was interrupted, and say how to resume it.

    Args:
        result: of the training.
        kind: "gan" or "diffusion".
        out: the run's folder.
        device: the value of `--device`.
    """
    if not result.interrupted:
        return
    if result.main:
        command = resume_command(kind, out, device=device, processes=result.processes)
        print(
            f"genmem: interrupted; saved at step {result.step:,}. Resume with: {command}",
            file=sys.stderr,
        )
    raise typer.Exit(INTERRUPTED)


def resume_command(kind: str, out: Path, *, device: str, processes: int = 1) -> str:
    """The command that resumes a run, ready to be pasted into a shell.

    Args:
        kind: "gan" or "diffusion".
        out: the run's folder.
        device: the value of `--device`.
        processes: in which it trained; several are started by torchrun.
    """
    from genmem.formatting import printable

    words = ["train", kind, "--out", str(out), "--resume"]
    words += [] if device == "auto" else ["--device", device]
    program = "genmem"
    if processes > 1:
        program = f'torchrun --nproc-per-node {processes} "$(which genmem)"'
    return f"{program} {printable(join(words))}"


def absolute(source: str) -> str:
    """A source that means the same in other processes and folders; URLs and hub data sets do."""
    from genmem.io.urls import is_remote

    return source if is_remote(source) else str(Path(source).absolute())


def local_path(source: str | None) -> str | None:
    """A source that may be a path; None for a URL and a data set on a hub."""
    from genmem.io.urls import is_remote

    return None if source is None or is_remote(source) else source


def torch_device(device: str) -> str:
    """The name of torch's device for the value of `--device`: cpu or cuda.

    Raises:
        UsageError: a GPU is asked for, and there is none.
    """
    import torch

    from genmem.errors import UsageError

    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise UsageError("device 'cuda' is not available here; use auto or cpu.")
    return "cuda" if available and device != "cpu" else "cpu"


def print_stopping() -> None:
    """Print that a first Ctrl-C or SIGTERM was received."""
    print(
        "genmem: stopping after saving a checkpoint. Press Ctrl-C again to quit now.",
        file=sys.stderr,
        flush=True,
    )
