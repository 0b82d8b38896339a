"""Trainings on a Ray cluster: on as many machines as there are, through the loss of any of them.

All machines see the study's folder and the images under the same names. A trial whose machine is
lost is begun again on another one and goes on from its checkpoint.
"""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

from genmem.errors import GenmemError, InputError, UsageError
from genmem.training.common.config import Device
from genmem.training.emm.trial import do_trial
from genmem.training.sweep.pool import TRIES, StoppedError

_STOPPING_SECONDS = 60.0
_ANSWER_SECONDS = 5.0


class Cluster:
    """One trial a GPU, or, where there are none, one for every `threads` CPUs."""

    def __init__(self, address: str, *, device: Device = "auto", threads: int = 1) -> None:
        """Join a cluster, or begin one on this machine.

        Args:
            address: of a running cluster ("auto": the one that this machine belongs to), or
                "local".
            device: of every training.
            threads: CPU threads of a training.

        Raises:
            UsageError: Ray is not installed, or there is no cluster at the address.
        """
        self._ray = ray = _ray()
        if not ray.is_initialized():
            _probe(address)
        self._device: Device = device
        self._threads = threads
        self._began = not ray.is_initialized()
        if self._began:
            try:
                ray.init(
                    address=None if address == "local" else address,
                    include_dashboard=False if address == "local" else None,
                    log_to_driver=False,
                    logging_level="error",
                )
            except (ConnectionError, ValueError, RuntimeError) as error:
                raise UsageError(f"--ray {address}: {' '.join(str(error).split())}") from error
        self._folders: dict[Any, Path] = {}

    @property
    def places(self) -> int:
        """How many trials fit on the machines that are there now."""
        there = self._ray.cluster_resources()
        gpus = 0 if self._device == "cpu" else int(there.get("GPU", 0))
        return max(1, gpus or int(there.get("CPU", 0)) // self._threads)

    def start(self, folder: Path) -> None:
        """See `Workers`."""
        on_gpu = self._device != "cpu" and self._ray.cluster_resources().get("GPU", 0) >= 1
        task = self._ray.remote(
            num_cpus=1 if on_gpu else self._threads,
            num_gpus=1 if on_gpu else 0,
            max_retries=TRIES,
        )(_remote_trial)
        self._folders[task.remote(str(folder), self._device)] = folder

    def wait(self) -> tuple[Path, dict[str, Any]]:
        """See `Workers`."""
        ready, _ = self._ray.wait(list(self._folders), num_returns=1)
        folder = self._folders.pop(ready[0])
        try:
            kind, found = self._ray.get(ready[0])
        except self._ray.exceptions.RayError as error:
            raise InputError(
                f"{folder.name}: its machine was lost more than {TRIES} times, or has no genmem: "
                f"{' '.join(str(error).split())[:300]}"
            ) from error
        if kind == "error":
            raise InputError(f"{folder.name}: {found}")
        if kind == "stopped":
            raise StoppedError(f"{folder}: stopped; it has saved.")
        return folder, found

    def stop(self) -> None:
        """See `Workers`; a cluster that was begun here ends."""
        for task in self._folders:
            self._ray.cancel(task)
        if self._folders:
            waiting = list(self._folders)
            self._ray.wait(waiting, num_returns=len(waiting), timeout=_STOPPING_SECONDS)
        self._folders.clear()
        if self._began:
            self._ray.shutdown()


def _probe(address: str) -> None:
    """Raise UsageError where no one answers: Ray itself would try for minutes."""
    if address in ("auto", "local"):
        return
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not (host and colon and port.isdecimal() and 0 < int(port) < 2**16):
        raise UsageError(
            f"--ray: expected HOST:PORT, ray://HOST:PORT, auto or local, got {address!r}."
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), _ANSWER_SECONDS).close()
    except (OSError, UnicodeError) as error:  # UnicodeError: a name that no host can have
        why = getattr(error, "strerror", None) or str(error)
        raise UsageError(
            f"--ray {address}: no cluster answers there ({why.lower()}). Start one with ray start "
            "--head, or use --processes on this machine."
        ) from error


def _remote_trial(folder: str, device: Device) -> tuple[str, Any]:
    """What came of a trial, in a form that travels between machines."""
    try:
        found = do_trial(Path(folder), device=device)
    except GenmemError as error:
        return "error", str(error)
    return ("stopped", None) if found is None else ("found", found)


def _ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise UsageError("--ray needs Ray: pip install 'genmem[scale]'.") from error
    return ray
