"""Carrying out a study's runs: one after the other or side by side, finished ones never again."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO, Any

from genmem.errors import UsageError
from genmem.images import Progress
from genmem.images.prefetch import usable_cores
from genmem.io.atomic import atomic_write, check_folder_writable
from genmem.training.common.checkpoint import CHECKPOINT_FILE
from genmem.training.common.config import Device
from genmem.training.common.signals import INTERRUPTED, stop_signals
from genmem.training.gan.config import training_values
from genmem.training.gan.trainer import load_gan_state
from genmem.training.rejection_study.grid import RUNS, Case, Plan
from genmem.training.rejection_study.worker import ENDED, FAILED

ENDED_FILE = "ended.json"
"""In the folder of a run that came to an end before its last step: the reason."""

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def is_finished(case: Case) -> bool:
    """Whether a run is at its last step.

    Raises:
        UsageError: the folder holds a run of other settings, or of more steps.
        InputError: its checkpoint cannot be read.
    """
    path = case.folder / CHECKPOINT_FILE
    if not path.is_file():
        return False
    state = load_gan_state(path)
    own = training_values(case.settings.to_dict())
    for name, value in state["config"].items():
        if own.get(name) != value:
            raise UsageError(
                f"{case.folder}: the run was made with {name} = {value!r}, the study asks for "
                f"{own.get(name)!r}. Name another --out, or remove that run."
            )
    step, steps = int(state["step"]), case.settings.steps
    if step > steps:
        raise UsageError(
            f"{case.folder}: the run is at step {step:,}, the study asks for {steps:,}. Ask for as "
            "many, or name another --out."
        )
    return step == steps


def check_folders(plan: Plan) -> None:
    """Refuse a study's folder that cannot be used, or holds other runs, before anything is read.

    Raises:
        UsageError: it, or a run's, is a file; it cannot be written; a run there is of other
            settings, or of more steps.
        InputError: a checkpoint there cannot be read.
    """
    for folder in (plan.folder, plan.folder / RUNS, *(case.folder for case in plan.cases)):
        check_folder_writable(folder)
    for case in plan.cases:
        is_finished(case)


def ended_early(case: Case) -> str | None:
    """Why a run of these settings came to an end before its last step; None where it did not."""
    try:
        found = json.loads((case.folder / ENDED_FILE).read_text(encoding="utf-8"))
        return (
            str(found["reason"])
            if found["settings"] == training_values(case.settings.to_dict())
            else None
        )
    except (OSError, ValueError, KeyError):
        return None


def run_all(
    cases: Sequence[Case],
    *,
    processes: int = 1,
    device: Device = "auto",
    progress: Progress | None = None,
) -> bool:
    """Train every run that is not finished, in other processes.

    On a CPU the cores are shared out evenly. A first SIGINT or SIGTERM lets every run save and end.
    A run whose τ rejects everything, or whose loss is no number, ends and the others go on; it is
    not begun again while its `ended.json` is there.

    Args:
        cases: the runs, begun in this order.
        processes: how many at once.
        device: where to train.
        progress: told about every run, and how many are finished.

    Returns:
        Whether all came to their ends; False where it was stopped.

    Raises:
        UsageError: a folder that holds another run, or a run that failed, with its reason.
    """
    if processes < 1:
        raise UsageError(f"processes: expected at least 1, got {processes}.")
    waiting = [case for case in cases if not is_finished(case) and ended_early(case) is None]
    over = len(cases) - len(waiting)
    workers: list[_Worker] = []
    with stop_signals() as asked:
        try:
            while not asked():
                if progress:
                    progress("runs of the study", over, len(cases))
                if waiting and len(workers) < processes:
                    workers.append(_Worker(processes, device, progress))
                for worker in workers:
                    if worker.case is None and waiting:
                        worker.begin(waiting.pop(0))
                    over += worker.look()
                if not waiting and all(worker.case is None for worker in workers):
                    if progress:
                        progress("runs of the study", over, len(cases))
                    return True
                time.sleep(0.1)
        finally:
            _end(workers)
    return False


def _end(workers: Sequence[_Worker]) -> None:
    """Let every run save and end; at a second Ctrl-C end all of them at once."""
    try:
        for worker in workers:
            worker.ask_to_stop()
        for worker in workers:
            worker.wait()
    finally:
        for worker in workers:
            worker.kill()
        for worker in workers:
            worker.close()


class _Worker:
    """A process that trains one run after the other; it is stopped from here and nowhere else.

    Attributes:
        case: the run it is at; None where it waits.
    """

    def __init__(self, processes: int, device: Device, progress: Progress | None) -> None:
        self.case: Case | None = None
        self._device, self._progress = device, progress
        self._answers: queue.SimpleQueue[tuple[int, str]] = queue.SimpleQueue()
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, "-m", "genmem.training.rejection_study.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=_environment(processes),
            start_new_session=True,  # a terminal's Ctrl-C comes here first
        )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def begin(self, case: Case) -> None:
        """Hand it a run."""
        self.case = case
        asked = {
            "settings": case.settings.to_dict(),
            "folder": str(case.folder),
            "device": self._device,
        }
        pipe = self._process.stdin
        if pipe is not None:
            with suppress(BrokenPipeError):  # it has died: `look` says of what
                pipe.write(json.dumps(asked).encode() + b"\n")
                pipe.flush()

    def look(self) -> int:
        """How many runs (0 or 1) are over since the last look.

        Raises:
            UsageError: the run failed.
            KeyboardInterrupt: it was stopped by another hand.
        """
        if self.case is None:
            return 0
        alive = self._process.poll() is None
        if not alive:
            self._listener.join()
        try:
            code, reason = self._answers.get_nowait()
        except queue.Empty:
            if alive:
                return 0
            code, reason = FAILED, self._last_words()
        case, self.case = self.case, None
        if code == INTERRUPTED:
            raise KeyboardInterrupt
        if code == FAILED:
            raise UsageError(f"{case.folder}: the run failed: {reason}")
        if code == ENDED:
            case.folder.mkdir(parents=True, exist_ok=True)
            with atomic_write(case.folder / ENDED_FILE) as file:
                settings = training_values(case.settings.to_dict())
                file.write(json.dumps({"reason": reason, "settings": settings}).encode())
        return 1

    def ask_to_stop(self) -> None:
        """Tell the process to save its run, if it is at one, and to end."""
        if self.case is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()

    def wait(self) -> None:
        """Until the process has ended."""
        self._process.wait()

    def kill(self) -> None:
        """End the process at once, if it has not ended yet."""
        if self._process.poll() is None:
            self._process.kill()

    def close(self) -> None:
        """Leave nothing open of a process that has ended or been killed."""
        self._process.wait()
        self._listener.join(timeout=5)
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._errors.close()

    def _listen(self) -> None:
        for line in self._process.stdout or ():
            with suppress(ValueError):
                kind, *rest = json.loads(line)
                if kind == "over":
                    self._answers.put((rest[0], rest[1]))
                elif self._progress and self.case is not None:
                    self._progress(self.case.name, rest[0], rest[1])

    def _last_words(self) -> str:
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip().splitlines()
        return said[-1] if said else f"the process ended with {self._process.returncode}"


def _environment(processes: int) -> Mapping[str, str]:
    """The processes share the cores; a number of threads that was set already stays."""
    threads = str(max(1, usable_cores() // processes))
    environment: dict[str, Any] = {**os.environ}
    for name in _THREADS:
        environment.setdefault(name, threads)
    return environment
