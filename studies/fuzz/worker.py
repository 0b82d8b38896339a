"""Runs cases in a process of its own and judges how each ended."""

from __future__ import annotations

import faulthandler
import json
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from studies.fuzz import cases

CPU_SECONDS = 20
"""CPU time of one case after which it counts as hung; the slowest valid one, an analysis with all
its figures, takes 5 to 9 seconds."""
MEMORY = 8 * 2**30
"""Bytes of data that a worker may allocate."""
INTERNALS = ("Traceback", " object at 0x", "<class '", "NoneType", "Error(", "ufunc")
"""Parts of messages that tell a user of the code's inside."""
RESUMABLE = ("train", "study")
"""Commands whose output directory stays after a failure, to be resumed."""


@dataclass(frozen=True)
class CaseResult:
    """How a case ended.

    Attributes:
        code: the exit code; None if an exception escaped.
        fault: what is wrong with it; None if nothing is.
        message: the last line on stderr.
        cpu: seconds of CPU time.
    """

    code: int | None
    fault: str | None
    message: str
    cpu: float


def serve(connection: Connection, seed: int, log: Path) -> None:
    """Run the cases whose numbers come over `connection`; send a `CaseResult` for each."""
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    warnings.simplefilter("error")
    with log.open("w") as stream, tempfile.TemporaryDirectory() as home:
        faulthandler.enable(stream)
        faulthandler.register(signal.SIGPROF, stream, chain=True)
        arena = _prepare(Path(home))
        while (number := connection.recv()) is not None:
            connection.send(run_case(seed, number, arena))


def run_case(seed: int, number: int, arena: Path) -> CaseResult:
    """Run one case in a folder of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        arguments = cases.build(seed, number, folder)
        arguments = [str(arena) if argument == "ARENA" else argument for argument in arguments]
        start = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
        os.chdir(folder)
        try:
            code, output, errors, escaped = _run_captured(arguments)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            os.chdir("/")
        cpu = time.process_time() - start
        fault = escaped or judge(arguments, folder / "out", code, output, errors)
        lines = errors.strip().splitlines()
        return CaseResult(code, fault, lines[-1] if lines else "", cpu)


def judge(
    arguments: list[str], out: Path, code: int | None, output: str, errors: str
) -> str | None:
    """What is wrong with how a command ended; None if nothing is.

    Args:
        arguments: the command's arguments.
        out: the folder into which the command was told to write.
        code: its exit code.
        output: what it wrote to stdout.
        errors: what it wrote to stderr.
    """
    if code not in (0, 2, 3):
        return f"exit code {code}"
    if internals := [part for part in INTERNALS if part in errors + output]:
        return f"the message shows {internals[0]!r}"
    written = [path for path in sorted(out.rglob("*")) if path.is_file()]
    if code:
        if "genmem:" not in errors:
            return "failed without a message"
        if written and arguments[0] not in RESUMABLE:
            return f"failed and left {written[0].name}"
    if temporary := [path for path in written if ".tmp" in path.name or "partial" in path.name]:
        return f"left the temporary file {temporary[0].name}"
    for path in written:
        if reason := _damage_of(path):
            return f"wrote {path.name}, which is damaged: {reason}"
    return None


def _damage_of(path: Path) -> str | None:
    """Why `path` cannot be read as what its suffix says; None if it can or is of another kind."""
    try:
        if path.suffix == ".json":
            json.loads(path.read_text("utf-8"), parse_constant=_refuse_constant)
        elif path.suffix == ".npy":
            np.load(path, allow_pickle=False)
        elif path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                broken = archive.testzip()
            return f"{broken} in it" if broken else None
        elif path.suffix == ".html" and not path.read_text("utf-8").rstrip().endswith("</html>"):
            return "it does not end"
    except (ValueError, OSError, zipfile.BadZipFile) as error:
        return str(error)
    return None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _run_captured(arguments: list[str]) -> tuple[int | None, str, str, str | None]:
    """Exit code, stdout, stderr, and the traceback of an exception that escaped."""
    from genmem.cli.app import run

    escaped, code = None, None
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        with _redirected(1, output.fileno()), _redirected(2, errors.fileno()):
            try:
                code = run(arguments)
            except BaseException:
                escaped = traceback.format_exc()
        output.seek(0)
        errors.seek(0)
        texts = [stream.read().decode("utf-8", errors="replace") for stream in (output, errors)]
    return code, texts[0], texts[1], escaped


@contextmanager
def _redirected(descriptor: int, target: int) -> Iterator[None]:
    """Send what is written to `descriptor`, also by libraries in C, to `target`."""
    stream = sys.stdout if descriptor == 1 else sys.stderr
    stream.flush()
    saved = os.dup(descriptor)
    os.dup2(target, descriptor)
    try:
        yield
    finally:
        stream.flush()
        os.dup2(saved, descriptor)
        os.close(saved)


def _prepare(home: Path) -> Path:
    """Do what is slow at the first time; returns an empty arena for cases of `competitions`."""
    import matplotlib.font_manager  # builds its list of fonts  # noqa: F401

    from genmem.features import load_backbone

    load_backbone("efficientnet-lite0")
    arena = home / "arena"
    code, _, errors, escaped = _run_captured(["arena", "init", str(arena)])
    if code:
        raise RuntimeError(escaped or errors)
    return arena
