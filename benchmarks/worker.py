"""One side of a comparison, timed in its own process and watched from this one.

Method. Each side (genmem, a peer, a matrix product) lives in a fresh process, forked from a
server that has only imported the libraries, so neither thread pools nor heaps are shared. The
process builds its inputs, runs once on a small problem (which loads lazy code into memory), and
waits. It then times each run with `time.perf_counter`. Meanwhile this process, which does nothing
else, reads RssAnon (resident memory that is not a mapped file) of the other from /proc/PID/status
every 5 ms; a sampler in the same process could starve while a peer holds Python's lock. Added
memory is the highest RssAnon of all runs minus the RssAnon before the first. Without /proc, the
memory is not reported.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

import numpy as np

_SAMPLE_SECONDS = 0.005
_JOIN_SECONDS = 5.0
"""How long a process may take to exit before it is terminated."""

_PRELOADED = ["numpy", "scipy.linalg", "torch", "benchmarks.peers"]
_PEERS = ["torch_fidelity", "torchmetrics.image.mifid", "pytorch_fid.fid_score", "cleanfid.fid"]
_OURS = ["genmem.metrics.frechet", "genmem.metrics.prdc", "genmem.features"]

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(_PRELOADED)


def preload_everything() -> None:
    """Import both sides once for all processes: faster, but every process has their memory.

    For quick runs, whose numbers mean nothing. Call it before the first `Worker`.
    """
    _context.set_forkserver_preload([*_PRELOADED, *_PEERS, *_OURS])


class Skipped(Exception):  # noqa: N818
    """A measurement is impossible here; the message says why."""


class Task(Protocol):
    """What a process measures. The constructor builds the inputs and runs a small problem once.

    Attributes:
        work: the amount of work of one run, in a unit that both sides of a comparison share.
    """

    work: float

    def run(self) -> Mapping[str, Any]:
        """Do the work; returns values by names that both sides share."""
        ...


@dataclass(frozen=True)
class Run:
    """One timed run: its wall-clock seconds and its values."""

    seconds: float
    values: Mapping[str, Any]


class Worker:
    """A process that runs one task repeatedly. Use it as a context manager.

    Attributes:
        work: of the task.
        runs: all of them, in order.
    """

    def __init__(self, task: Callable[..., Task], *arguments: Any) -> None:
        self.runs: list[Run] = []
        self._pipe, other_end = _context.Pipe()
        self._process = _context.Process(
            target=_serve, args=(other_end, task, arguments), daemon=True
        )
        self._process.start()
        other_end.close()
        try:
            self.work: float = self._receive()
        except BaseException:
            self._end()
            raise
        self._resting = self._peak = resident_bytes(self._process.pid)

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    @property
    def added_bytes(self) -> int | None:
        """Highest memory of all runs minus the memory before the first."""
        if self._peak is None or self._resting is None:
            return None
        return self._peak - self._resting

    @property
    def peak_bytes(self) -> int | None:
        """Highest resident memory besides mapped files."""
        return self._peak

    def run(self) -> Run:
        """Run the task once more.

        Raises:
            Skipped: the task raised an error, or its process died.
        """
        self._pipe.send("run")
        while not self._pipe.poll(_SAMPLE_SECONDS):
            sample = resident_bytes(self._process.pid)
            if sample is not None and self._peak is not None:
                self._peak = max(self._peak, sample)
        run = Run(*self._receive())
        self.runs.append(run)
        return run

    def _receive(self) -> Any:
        try:
            answer, content = self._pipe.recv()
        except EOFError:
            raise Skipped("its process died; was there enough memory?") from None
        if answer == "failed":
            raise Skipped(content)
        return content

    def _end(self) -> None:
        self._pipe.close()  # tells the process to exit
        self._process.join(_JOIN_SECONDS)
        if self._process.is_alive():
            self._process.terminate()
            self._process.join()


def _serve(pipe: Connection, task: Callable[..., Task], arguments: tuple[Any, ...]) -> None:
    """Build the task, then run it at each request."""
    try:
        instance = task(*arguments)
        pipe.send(("ready", instance.work))
        while pipe.recv() == "run":
            started = time.perf_counter()
            values = instance.run()
            pipe.send(("ran", (time.perf_counter() - started, dict(values))))
    except (EOFError, BrokenPipeError):
        return  # the parent closed the pipe
    # An error in a peer is reported in its row and must not end the benchmark.
    except Exception as error:
        pipe.send(("failed", f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"))


def resident_bytes(process: int | None) -> int | None:
    """RssAnon of a process in bytes; None if the system does not report it."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return None
    for line in status.splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    return None


def difference(ours: Mapping[str, Any], other: Mapping[str, Any]) -> float | None:
    """Largest |ours − other| relative to the largest |other|, over the shared names."""
    shared = sorted(set(ours) & set(other))
    if not shared:
        return None
    gaps = []
    for name in shared:
        a, b = np.asarray(ours[name], np.float64), np.asarray(other[name], np.float64)
        scale = float(np.abs(b).max())
        gaps.append(float(np.abs(a - b).max()) / (scale if scale > 0 else 1.0))
    return max(gaps)
