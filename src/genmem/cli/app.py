"""The `genmem` command: how every kind of ending becomes a line and a code.

    0     done
    2     the input or the call is wrong, a file cannot be read or written (a full disk), or memory
          does not suffice; one line on stderr says what and how to mend it
    3     a backbone's weights are missing and cannot be obtained
    129   ended by SIGHUP (the terminal was closed)
    130   interrupted from the keyboard
    141   whoever read our output stopped reading
    143   ended by SIGTERM

The commands are imported when one is wanted (`commands.py`), so that an interrupt while Python
still reads them ends like any other.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Annotated

import typer

from genmem.cli.analyze import analyze
from genmem.cli.arena import arena
from genmem.cli.audit import audit
from genmem.cli.backbones import backbones
from genmem.cli.calibrate import calibrate
from genmem.cli.cheat import cheat
from genmem.cli.demo import demo
from genmem.cli.exit_codes import ENDING, INTERRUPTED, READER_GONE, Ended
from genmem.cli.features import features
from genmem.cli.score import score
from genmem.cli.study import study
from genmem.cli.study_emm import emm
from genmem.cli.submit import submit
from genmem.cli.train_gan import train
from genmem.errors import GenmemError, UsageError

app = typer.Typer(
    name="genmem",
    help="Measure training-sample memorization in generative image models.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from genmem import __version__

        print(f"genmem {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Measure training-sample memorization in generative image models."""


for _command in (score, audit, calibrate, analyze, cheat, features, backbones, submit, emm, demo):
    app.command()(_command)
app.add_typer(arena)
app.add_typer(train)
app.add_typer(study)

NO_MEMORY = ("can't allocate memory", "out of memory", "storage size calculation overflowed")
"""In what torch says when memory does not suffice; the last for sizes beyond any address."""


def main() -> None:
    """Run the command that `sys.argv` asks for, and exit with its code."""
    _heed_signals()
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command line; returns the exit code, after at most one line on stderr."""
    try:
        _open_streams()
        code = _invoke(arguments)
        sys.stdout.flush()
    except GenmemError as error:
        return _complain(str(error), error.exit_code)
    except KeyboardInterrupt:
        return _complain("interrupted", INTERRUPTED)
    except Ended as ending:
        return _complain(str(ending), ending.code)
    except BrokenPipeError:
        _forget_stdout()
        return READER_GONE
    except OSError as error:
        return _complain(_failure(error), GenmemError.exit_code)
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        return _complain(_out_of_memory(error), GenmemError.exit_code)
    return code


def _invoke(arguments: Sequence[str]) -> int:
    """Run one command line to its end or to its `typer.Exit`; returns the exit code."""
    import typer

    command = typer.main.get_command(app)
    try:
        with command.make_context("genmem", list(arguments) or ["--help"]) as context:
            command.invoke(context)
    except typer.Exit as ending:
        return ending.exit_code
    except typer.Abort:
        raise KeyboardInterrupt from None
    except typer.TyperException as error:
        raise UsageError(error.format_message()) from None
    return 0


def _heed_signals() -> None:
    """Make signals that ask for an end raise `Ended`; those that are ignored (nohup) stay so."""
    process = os.getpid()

    def end(number: int, frame: FrameType | None) -> None:
        del frame
        if os.getpid() != process:  # a forked helper ends at once, as if nothing were heeded
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        raise Ended(signal.Signals(number).name)

    for name in ENDING:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, end)


def _open_streams() -> None:
    """Open streams that were closed before the start (`>&-`): what goes there is lost."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: PTH123, SIM115


def _failure(error: OSError) -> str:
    """What the operating system refused, and of which file; writes to stdout name none."""
    try:
        sys.stdout.flush()
    except OSError:
        _forget_stdout()
    reason = (error.strerror or str(error)).lower()
    return f"{error.filename}: {reason}" if error.filename else f"cannot read or write: {reason}"


def _is_out_of_memory(error: MemoryError | RuntimeError) -> bool:
    """Whether it is for want of memory; torch says so in a RuntimeError's text only."""
    said = str(error).lower()
    return isinstance(error, MemoryError) or any(words in said for words in NO_MEMORY)


def _out_of_memory(error: MemoryError | RuntimeError) -> str:
    """What to do, and how much was asked for where the error says that."""
    asked = re.search(r"allocate ([\d.]+ (?:[KMGTPE]iB|bytes))\b", str(error))
    what = f" for {asked[1]}" if asked else ""
    where = "the GPU's memory" if "cuda" in str(error).lower() else "memory"
    return (
        f"{where} does not suffice{what}. Ask for fewer or smaller images, a narrower model or a "
        "smaller batch."
    )


def _forget_stdout() -> None:
    """Nothing more can be written: the interpreter flushes stdout once again at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(message: str, code: int) -> int:
    """Say `message` on stderr as one line that starts with the program's name."""
    from genmem.formatting import printable

    print("genmem:", printable(" ".join(message.split())), file=sys.stderr)
    return code
