"""The `genmem` command: its commands, and how every kind of ending becomes a line and a code.

    0     done
    2     the input or the call is wrong; one line on stderr says what and how to mend it
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


for _command in (score, calibrate, analyze, features, backbones, demo):
    app.command()(_command)


def main() -> None:
    """Run the command that `sys.argv` asks for, and exit with its code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command line; returns the exit code, after at most one line on stderr."""
    command = typer.main.get_command(app)
    try:
        with command.make_context("genmem", list(arguments) or ["--help"]) as context:
            command.invoke(context)
        sys.stdout.flush()
    except typer.Exit as ending:
        return ending.exit_code
    except GenmemError as error:
        return _complain(str(error), error.exit_code)
    except typer.TyperException as error:
        return _complain(error.format_message(), GenmemError.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        return _complain("interrupted", INTERRUPTED)
    except BrokenPipeError:
        # Nobody reads any more. The interpreter flushes stdout once again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_GONE
    return 0


def _complain(message: str, code: int) -> int:
    """Say `message` on stderr as one line that starts with the program's name."""
    from genmem.report.text import printable

    print("genmem:", printable(" ".join(message.split())), file=sys.stderr)
    return code
