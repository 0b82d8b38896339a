"""The command that goes on with an interrupted training."""

from __future__ import annotations

from pathlib import Path
from shlex import join


def how_to_resume(kind: str, out: Path, *, device: str, processes: int = 1) -> str:
    """The command that goes on with a run, to be pasted into a shell.

    Args:
        kind: "gan" or "diffusion".
        out: the run's folder.
        device: as it was given.
        processes: in which it trained; more than one are launched again by torchrun.
    """
    from genmem.report.text import printable

    words = ["train", kind, "--out", str(out), "--resume"]
    words += [] if device == "auto" else ["--device", device]
    launched = "genmem"
    if processes > 1:
        launched = f'torchrun --nproc-per-node {processes} "$(which genmem)"'
    return f"{launched} {printable(join(words))}"
