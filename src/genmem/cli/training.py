"""What the commands that train have in common: lists of numbers and names, notes, the first Ctrl-C.

`accelerate` starts a command once a GPU: all of this is said by each process that has it to say.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
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
    from genmem.formatting import printable

    words = ["train", kind, "--out", str(out), "--resume"]
    words += [] if device == "auto" else ["--device", device]
    launched = "genmem"
    if processes > 1:
        launched = f'torchrun --nproc-per-node {processes} "$(which genmem)"'
    return f"{launched} {printable(join(words))}"


LONGEST_NUMBER = 18
"""Digits of a whole number that an option takes."""


def whole_numbers(text: str, *, option: str) -> tuple[int, ...]:
    """`4, 8,16` as three numbers.

    Raises:
        UsageError: something else, or none.
    """
    from genmem.cli.parsing import split_names
    from genmem.errors import UsageError

    parts = split_names(text)
    if not parts or not all(part.isdecimal() and len(part) <= LONGEST_NUMBER for part in parts):
        raise UsageError(f"{option}: expected whole numbers, A,B,…, got {text!r}.")
    return tuple(int(part) for part in parts)


def names(text: str | None, *, option: str) -> tuple[str, ...]:
    """`a, b` as two names; none where the option was not given.

    Raises:
        UsageError: it was given without a name.
    """
    from genmem.cli.parsing import split_names
    from genmem.errors import UsageError

    if text is None:
        return ()
    found = split_names(text)
    if not found:
        raise UsageError(f"{option}: expected names, A,B,…, got {text!r}.")
    return found


def absolute(given: str) -> str:
    """A path that other processes and other folders understand too; a data set's name as it is."""
    return given if given.startswith("hf:") else str(Path(given).absolute())


def print_notes(notes: Sequence[str]) -> None:
    """Sentences about images on stderr, with the option's name for the argument's."""
    from genmem.formatting import printable

    for note in notes:
        told = note.replace("(without_duplicates)", "(--without-duplicates)")
        print("note:", printable(told), file=sys.stderr)


def say_stopping() -> None:
    """On stderr, that a first Ctrl-C or SIGTERM was heard."""
    print("genmem: stopping; saves first. Once more ends at once.", file=sys.stderr, flush=True)
