"""Runs on this machine: one after the other in this process, or side by side in worker processes.

A worker process (see `worker`) does one run after the other. It gets a JSON line for each run on
its standard input and answers with JSON lines; the end of its standard input asks it to save and
end, so that no worker outlives this process, however that ends.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, NamedTuple

from genmem.errors import InputError, UsageError
from genmem.images import Progress
from genmem.images.prefetch import usable_cores
from genmem.io.paths import temporary_file_errors
from genmem.training.sweep.run_spec import RunSpec, execute
from genmem.training.sweep.runner import MAX_ATTEMPTS, StoppedError

_POLL_SECONDS = 0.05

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class InProcess:
    """A backend that does one run at a time, in this process."""

    places = 1

    def __init__(
        self, *, progress: Progress | None = None, on_stop: Callable[[], None] | None = None
    ) -> None:
        """Build the backend.

        Args:
            progress: told how far each run is.
            on_stop: called at the first Ctrl-C or SIGTERM of a run.
        """
        self._progress, self._on_stop = progress, on_stop
        self._spec: RunSpec | None = None

    def start(self, spec: RunSpec) -> None:
        """See `Backend`."""
        self._spec = spec

    def wait(self) -> RunSpec:
        """See `Backend`."""
        assert self._spec is not None
        spec, self._spec = self._spec, None
        if not execute(spec, progress=self._progress, on_stop=self._on_stop):
            raise StoppedError(spec.folder)
        return spec

    def stop(self) -> None:
        """See `Backend`."""
        self._spec = None


class LocalBackend:
    """A backend of worker processes. They share the cores; each sees one GPU, if there are any."""

    def __init__(
        self,
        processes: int,
        *,
        gpus: Sequence[str] = (),
        progress: Progress | None = None,
        on_stop: Callable[[], None] | None = None,
    ) -> None:
        """Build the backend; processes start with the first runs.

        Args:
            processes: how many runs at the same time.
            gpus: the GPUs that the processes share in turn; see `visible_gpus`.
            progress: told how far each run is, under the name of its folder.
            on_stop: called when runs are asked to save and end, which may take a while.

        Raises:
            UsageError: fewer than 1 process.
        """
        if processes < 1:
            raise UsageError(f"processes: expected at least 1, got {processes}.")
        self.places = processes
        self._gpus, self._progress, self._on_stop = gpus, progress, on_stop
        self._workers: list[_Worker] = []
        self._attempts: dict[Path, int] = {}

    def start(self, spec: RunSpec) -> None:
        """See `Backend`."""
        worker = next((worker for worker in self._workers if worker.spec is None), None)
        if worker is None:
            place = min(set(range(self.places)) - {worker.place for worker in self._workers})
            worker = _Worker(place, self._environment(place), self._progress)
            self._workers.append(worker)
        worker.start(spec)

    def wait(self) -> RunSpec:
        """See `Backend`."""
        while True:
            for worker in list(self._workers):
                answer = worker.poll()
                if answer is None or worker.spec is None:
                    continue
                spec, worker.spec = worker.spec, None
                if answer.status == "finished":
                    return spec
                if answer.status == "stopped":
                    raise StoppedError(spec.folder)
                if answer.status == "failed":
                    raise InputError(f"{spec.folder}: the run failed: {answer.message}")
                self._workers.remove(worker)
                worker.close()
                self._restart(spec, answer.message)
            time.sleep(_POLL_SECONDS)

    def stop(self) -> None:
        """See `Backend`. A second Ctrl-C kills the processes."""
        if self._on_stop and any(worker.spec is not None for worker in self._workers):
            self._on_stop()
        try:
            for worker in self._workers:
                worker.request_stop()
            for worker in self._workers:
                worker.wait()
        finally:
            for worker in self._workers:
                worker.kill()
            for worker in self._workers:
                worker.close()
            self._workers.clear()

    def _restart(self, spec: RunSpec, message: str) -> None:
        """Start a run again whose process was killed.

        Raises:
            InputError: it was killed too often.
        """
        self._attempts[spec.folder] = self._attempts.get(spec.folder, 0) + 1
        if self._attempts[spec.folder] >= MAX_ATTEMPTS:
            raise InputError(
                f"{spec.folder}: its process was killed {MAX_ATTEMPTS} times ({message}). If "
                "memory runs out, use fewer processes or a smaller batch. Finished runs are kept."
            )
        self.start(spec)

    def _environment(self, place: int) -> dict[str, str]:
        """Of a worker process. A number of threads that is set already stays."""
        environment = dict(os.environ)
        for name in _THREAD_VARIABLES:
            environment.setdefault(name, str(max(1, usable_cores() // self.places)))
        if self._gpus:
            environment["CUDA_VISIBLE_DEVICES"] = self._gpus[place % len(self._gpus)]
        return environment


def visible_gpus() -> list[str]:
    """The GPUs that this process may use, in the words of `CUDA_VISIBLE_DEVICES`."""
    import torch

    count = torch.cuda.device_count()
    names = os.environ.get("CUDA_VISIBLE_DEVICES")
    if names is None:
        return [str(number) for number in range(count)]
    return [name.strip() for name in names.split(",")][:count]


class _Answer(NamedTuple):
    """How a run ended: "finished", "stopped", "failed" or "killed", and why."""

    status: str
    message: str


class _Worker:
    """A worker process.

    Attributes:
        place: its number; workers share GPUs by it.
        spec: the run in progress; None: it waits for one.
    """

    def __init__(self, place: int, environment: dict[str, str], progress: Progress | None) -> None:
        self.place = place
        self.spec: RunSpec | None = None
        self._progress = progress
        self._answers: queue.SimpleQueue[_Answer] = queue.SimpleQueue()
        with temporary_file_errors():
            self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, "-m", "genmem.training.sweep.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment,
            start_new_session=True,  # Ctrl-C in a terminal reaches only this process
        )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def start(self, spec: RunSpec) -> None:
        """Send a run to the process."""
        self.spec = spec
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):  # the process is dead: `poll` tells
                self._process.stdin.write(json.dumps(spec.to_dict()).encode() + b"\n")
                self._process.stdin.flush()

    def poll(self) -> _Answer | None:
        """How the run in progress ended; None: it has not."""
        if self.spec is None:
            return None
        code = self._process.poll()
        if code is not None:
            self._listener.join()  # until all answers are read
        try:
            return self._answers.get_nowait()
        except queue.Empty:
            if code is None:
                return None
        if code < 0:
            return _Answer("killed", f"by signal {-code}; {self._last_error()}")
        return _Answer("failed", self._last_error())

    def request_stop(self) -> None:
        """Ask the process to save its run and to end."""
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()

    def wait(self) -> None:
        """Wait until the process has ended."""
        self._process.wait()

    def kill(self) -> None:
        """End the process at once, if it has not ended yet."""
        if self._process.poll() is None:
            self._process.kill()

    def close(self) -> None:
        """Close all pipes of a process that has ended or was killed."""
        self.request_stop()
        self._process.wait()
        self._listener.join(timeout=5)
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._errors.close()

    def _listen(self) -> None:
        """Read the process's answers; runs in a thread."""
        for line in self._process.stdout or ():
            with suppress(ValueError):
                kind, *values = json.loads(line)
                if kind == "end":
                    self._answers.put(_Answer(*values))
                elif self._progress and self.spec is not None:
                    self._progress(self.spec.folder.name, *values)

    def _last_error(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"exit code {self._process.returncode}"
