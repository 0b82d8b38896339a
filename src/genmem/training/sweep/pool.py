"""Trainings one after the other in this process, or side by side in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from genmem.errors import GenmemError, InputError, UsageError
from genmem.images import Progress
from genmem.training.common.config import Device
from genmem.training.common.signals import INTERRUPTED
from genmem.training.emm.trial import do_trial, outcome

TRIES = 3
"""How often a trial is begun again whose process was killed, before the study gives up."""

_POLL_SECONDS = 0.05


class StoppedError(GenmemError):
    """A trial was asked to stop before its end; it has saved, and can be gone on with."""


class Workers(Protocol):
    """Something that does trials."""

    @property
    def places(self) -> int:
        """How many at a time."""
        ...

    def start(self, folder: Path) -> None:
        """Begin the trial in this folder, or go on with it."""
        ...

    def wait(self) -> tuple[Path, dict[str, Any]]:
        """The folder and the outcome of a trial that is finished; waits for the first one.

        Raises:
            StoppedError: a trial was asked to stop.
            GenmemError: one cannot be done; the message says why.
        """
        ...

    def stop(self) -> None:
        """Ask all that is still going to save and end, and wait for it."""
        ...


class InProcess:
    """One trial at a time, in this process."""

    places = 1

    def __init__(
        self,
        *,
        device: Device = "auto",
        progress: Progress | None = None,
        on_stop: Callable[[], None] | None = None,
    ) -> None:
        """Make one.

        Args:
            device: where to train.
            progress: told how far each trial is.
            on_stop: called at the first Ctrl-C or SIGTERM of a trial, to say that it was heard.
        """
        self._device: Device = device
        self._progress, self._on_stop = progress, on_stop
        self._folder: Path | None = None

    def start(self, folder: Path) -> None:
        """See `Workers`."""
        self._folder = folder

    def wait(self) -> tuple[Path, dict[str, Any]]:
        """See `Workers`."""
        assert self._folder is not None
        folder, self._folder = self._folder, None
        found = do_trial(
            folder, device=self._device, progress=self._progress, on_stop=self._on_stop
        )
        if found is None:
            raise StoppedError(f"{folder}: stopped; it has saved.")
        return folder, found

    def stop(self) -> None:
        """See `Workers`."""
        self._folder = None


class Processes:
    """So many trials at a time, a process each; every process sees one GPU, if there are any."""

    def __init__(
        self,
        places: int,
        *,
        device: Device = "auto",
        gpus: int = 0,
        on_stop: Callable[[], None] | None = None,
    ) -> None:
        """Make them; none is started yet.

        Args:
            places: how many trials at a time.
            device: where to train.
            gpus: how many there are to share.
            on_stop: called when trials are asked to save and end, which may take a while.

        Raises:
            UsageError: no place.
        """
        if places < 1:
            raise UsageError(f"processes: expected at least 1, got {places}.")
        self.places = places
        self._device, self._gpus, self._on_stop = device, gpus, on_stop
        self._going: dict[Path, tuple[subprocess.Popen[bytes], int]] = {}
        self._tries: dict[Path, int] = {}

    def start(self, folder: Path) -> None:
        """See `Workers`."""
        taken = {place for _, place in self._going.values()}
        place = min(set(range(self.places)) - taken)
        environment = dict(os.environ)
        if self._gpus:
            environment["CUDA_VISIBLE_DEVICES"] = str(place % self._gpus)
        command = [sys.executable, "-m", "genmem.training.sweep.worker", str(folder), self._device]
        with (folder / "worker.log").open("wb") as log:
            # Its standard input tells it when this process has ended, however that happens; a
            # session of its own keeps Ctrl-C in the terminal for this process, which passes it on.
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )
        self._going[folder] = (process, place)

    def wait(self) -> tuple[Path, dict[str, Any]]:
        """See `Workers`."""
        while True:
            for folder, (process, _) in list(self._going.items()):
                code = process.poll()
                if code is None:
                    continue
                self._forget(folder)
                found = outcome(folder)
                if code == 0 and found is not None:
                    return folder, found
                self._failed(folder, code)
            time.sleep(_POLL_SECONDS)

    def stop(self) -> None:
        """See `Workers`."""
        if self._going and self._on_stop:
            self._on_stop()
        for process, _ in self._going.values():
            process.terminate()
        for folder, (process, _) in list(self._going.items()):
            process.wait()
            self._forget(folder)

    def _forget(self, folder: Path) -> None:
        process, _ = self._going.pop(folder)
        if process.stdin is not None:
            process.stdin.close()

    def _failed(self, folder: Path, code: int) -> None:
        """Begin a killed trial again; raise what another one ended with."""
        said = (folder / "worker.log").read_text("utf-8", "replace").strip().splitlines()
        last = said[-1].removeprefix("genmem: ") if said else "it said nothing"
        if code == INTERRUPTED:
            raise StoppedError(f"{folder}: stopped; it has saved.")
        if code >= 0:
            raise InputError(f"{folder.name}: {last}")
        self._tries[folder] = self._tries.get(folder, 0) + 1
        if self._tries[folder] >= TRIES:
            raise InputError(
                f"{folder.name}: its process was ended by signal {-code} {TRIES} times ({last}). "
                "If memory runs out, use fewer processes or a smaller batch; all is kept."
            )
        self.start(folder)
