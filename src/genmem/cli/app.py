"""The `genmem` command: its commands, and how every kind of ending becomes a line and a code.

    0     done
    2     the input or the call is wrong, or a file cannot be read or written (a full disk);
          one line on stderr says what and how to mend it
    3     a backbone's weights are missing and cannot be obtained
    130   interrupted from the keyboard
    141   whoever read our output stopped reading

Nothing heavy is imported here, so that `genmem --help` answers at once: each command imports what
it needs when it runs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from genmem.cli.analyze import analyze
from genmem.cli.arena import arena
from genmem.cli.audit import audit
from genmem.cli.backbones import backbones
from genmem.cli.calibrate import calibrate
from genmem.cli.demo import demo
from genmem.cli.features import features
from genmem.cli.score import score
from genmem.errors import GenmemError

INTERRUPTED = 130
READER_GONE = 141

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


for _command in (score, audit, calibrate, analyze, features, backbones, demo):
    app.command()(_command)
app.add_typer(arena)


def main() -> None:
    """Run the command that `sys.argv` asks for, and exit with its code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command line; returns the exit code, after at most one line on stderr."""
    try:
        code = _invoke(arguments)
        sys.stdout.flush()
    except GenmemError as error:
        return _complain(str(error), error.exit_code)
    except typer.TyperException as error:
        return _complain(error.format_message(), GenmemError.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        return _complain("interrupted", INTERRUPTED)
    except BrokenPipeError:
        _forget_stdout()
        return READER_GONE
    except OSError as error:
        return _complain(_failure(error), GenmemError.exit_code)
    return code


def _invoke(arguments: Sequence[str]) -> int:
    """Run one command line to its end or to its `typer.Exit`; returns the exit code."""
    command = typer.main.get_command(app)
    try:
        with command.make_context("genmem", list(arguments) or ["--help"]) as context:
            command.invoke(context)
    except typer.Exit as ending:
        return ending.exit_code
    return 0


def _failure(error: OSError) -> str:
    """What the operating system refused, and of which file; writes to stdout name none."""
    try:
        sys.stdout.flush()
    except OSError:
        _forget_stdout()
    reason = (error.strerror or str(error)).lower()
    return f"{error.filename}: {reason}" if error.filename else f"cannot read or write: {reason}"


def _forget_stdout() -> None:
    """Nothing more can be written: the interpreter flushes stdout once again at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(message: str, code: int) -> int:
    """Say `message` on stderr as one line that starts with the program's name."""
    from genmem.report.text import printable

    print("genmem:", printable(" ".join(message.split())), file=sys.stderr)
    return code
