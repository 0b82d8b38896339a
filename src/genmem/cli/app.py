"""The `genmem` command: runs a command line and turns every outcome into an exit code.

    0     success
    2     bad input or usage, a file that cannot be read or written (a full disk), or not enough
          memory; one line on stderr says what is wrong and how to fix it
    3     the weights of a backbone are missing and cannot be obtained
    129   terminated by SIGHUP (the terminal was closed)
    130   interrupted from the keyboard
    141   the reader of our output closed the pipe
    143   terminated by SIGTERM

The commands are imported when a command line runs (`commands.py`), so that an interrupt while
Python still imports them ends like any other.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any

from genmem.cli.exit_codes import BROKEN_PIPE, INTERRUPTED, TERMINATION_SIGNALS, Terminated
from genmem.errors import GenmemError, UsageError, os_reason
from genmem.io.streams import discard_stdout, prepare_streams

COMPLETE = "_GENMEM_COMPLETE"
"""Set by the script of `genmem --install-completion` when the tab key is pressed."""

_MAY_BE_EMPTY = ("--id", "--label")
"""Options that take the name of a column; pandas writes its index under an empty one."""

OUT_OF_MEMORY = ("can't allocate memory", "out of memory", "storage size calculation overflowed")
"""Parts of torch's messages when memory is exhausted; the last for sizes beyond any address."""


def main() -> None:
    """Run the command that `sys.argv` names, and exit with its code."""
    _handle_signals()
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command line; returns the exit code, after at most one line on stderr."""
    try:
        prepare_streams()
        code = _invoke(arguments)
        sys.stdout.flush()
        return code
    except GenmemError as error:
        return print_error(str(error), error.exit_code)
    except KeyboardInterrupt:
        return print_error("interrupted", INTERRUPTED)
    except Terminated as error:
        return print_error(str(error), error.code)
    except BrokenPipeError:
        discard_stdout()
        return BROKEN_PIPE
    except OSError as error:
        return print_error(_describe_os_error(error), GenmemError.exit_code)
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        return print_error(_describe_out_of_memory(error), GenmemError.exit_code)


def print_error(message: str, code: int) -> int:
    """Print `message` on stderr as one line that starts with the program's name; returns `code`."""
    from genmem.formatting import printable

    print("genmem:", printable(" ".join(message.split())), file=sys.stderr)
    return code


def _invoke(arguments: Sequence[str]) -> int:
    """Run one command line to its end or to its `typer.Exit`; returns the exit code."""
    import typer

    from genmem.cli.commands import app

    command = typer.main.get_command(app)
    if COMPLETE in os.environ:  # the shell asks how the line goes on; ends the process
        command.main(args=[], prog_name="genmem")
    _refuse_empty_values(arguments)
    _refuse_repeated_sets(command, arguments)
    try:
        with command.make_context("genmem", list(arguments) or ["--help"]) as context:
            command.invoke(context)
    except typer.Exit as error:
        return error.exit_code
    except typer.Abort:
        raise KeyboardInterrupt from None
    except typer.TyperException as error:
        raise UsageError(error.format_message()) from None
    return 0


def _refuse_empty_values(arguments: Sequence[str]) -> None:
    """Refuse `--train ""`, `--train=` and `""`, which an unset variable of a script leaves."""
    from genmem.io.paths import refuse_empty

    flag = ""
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if not (equals and name.startswith("--")):
            name, value = flag, argument
        if name not in _MAY_BE_EMPTY:
            refuse_empty(value, name=name or "the command line")
        flag = argument if argument.startswith("-") else ""


def _refuse_repeated_sets(command: Any, arguments: Sequence[str]) -> None:
    """Refuse `--train a --train b`: a set left out in silence would give a wrong number.

    Of other options the last value counts, as everywhere, so that a command line can be extended.
    """
    place = 0
    while hasattr(command, "commands") and place < len(arguments):
        default = getattr(command, "default_command", None)
        if default is not None and arguments[place] not in command.commands:
            command = command.commands[default]
            break
        command = command.commands.get(arguments[place], command)
        place += 1
    options = {
        flag: option
        for option in command.params
        if option.param_type_name == "option" and not option.is_flag
        for flag in option.opts
    }
    names = set()
    rest = iter(arguments[place:])
    for argument in rest:
        if argument == "--":
            return
        flag, equals, _ = argument.partition("=")
        option = options.get(flag)
        if option is None:
            continue
        if option.name in names and flag in ("--train", "--test"):
            raise UsageError(f"{flag}: expected once, got it twice or more. Give one value.")
        names.add(option.name)
        if not equals:
            next(rest, None)


def _handle_signals() -> None:
    """Make termination signals raise `Terminated`; ignored ones (nohup) stay ignored."""
    process = os.getpid()

    def terminate(number: int, frame: FrameType | None) -> None:
        del frame
        if os.getpid() != process:  # a forked child dies at once, as without a handler
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        raise Terminated(signal.Signals(number).name)

    for name in TERMINATION_SIGNALS:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, terminate)


def _describe_os_error(error: OSError) -> str:
    """What the operating system refused, and for which file; writing to stdout names none."""
    try:
        sys.stdout.flush()
    except OSError:
        discard_stdout()
    reason = os_reason(error)
    return f"{error.filename}: {reason}" if error.filename else f"cannot read or write: {reason}"


def _is_out_of_memory(error: MemoryError | RuntimeError) -> bool:
    """Whether memory is exhausted; torch says so only in the text of a RuntimeError."""
    message = str(error).lower()
    return isinstance(error, MemoryError) or any(part in message for part in OUT_OF_MEMORY)


def _describe_out_of_memory(error: MemoryError | RuntimeError) -> str:
    """How to need less memory, and how much was requested if the error says that."""
    requested = re.search(r"allocate ([\d.]+ (?:[KMGTPE]iB|bytes))\b", str(error))
    size = f" for {requested[1]}" if requested else ""
    memory = "GPU memory" if "cuda" in str(error).lower() else "memory"
    return (
        f"not enough {memory}{size}. Use fewer or smaller images, a narrower model or a smaller "
        "batch."
    )
