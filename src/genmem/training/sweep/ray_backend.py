"""Runs on a Ray cluster: on any number of machines, through the loss of any of them.

All machines see the study's folder and the images under the same names. A run whose machine is lost
is started again on another one and continues from its checkpoint.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genmem.distributed.cluster import Cluster
from genmem.errors import GenmemError, InputError
from genmem.training.common.config import Device
from genmem.training.sweep.run_spec import RunSpec, execute
from genmem.training.sweep.runner import MAX_ATTEMPTS, StoppedError

_STOP_SECONDS = 60.0


class RayBackend:
    """A backend with a place for each GPU or, where there are none, for every `threads` CPUs."""

    def __init__(self, address: str, *, device: Device = "auto", threads: int = 1) -> None:
        """Join a cluster, or start one on this machine.

        Args:
            address: of a running cluster ("auto": the one that this machine belongs to), or
                "local".
            device: of every run.
            threads: CPU threads of a run.

        Raises:
            UsageError: Ray is not installed, or there is no cluster at the address.
        """
        self._cluster = Cluster(address, alternative=", or use --processes on this machine")
        self._ray = self._cluster.ray
        self._device, self._threads = device, threads
        self._specs: dict[Any, RunSpec] = {}

    @property
    def places(self) -> int:
        """How many runs fit on the machines that are there now."""
        resources = self._cluster.resources
        gpus = 0 if self._device == "cpu" else int(resources.get("GPU", 0))
        return max(1, gpus or int(resources.get("CPU", 0)) // self._threads)

    def start(self, spec: RunSpec) -> None:
        """See `Backend`."""
        on_gpu = self._device != "cpu" and self._cluster.resources.get("GPU", 0) >= 1
        task = self._ray.remote(
            num_cpus=1 if on_gpu else self._threads,
            num_gpus=1 if on_gpu else 0,
            max_retries=MAX_ATTEMPTS - 1,
        )(_execute_remotely)
        self._specs[task.remote(spec.to_dict())] = spec

    def wait(self) -> RunSpec:
        """See `Backend`."""
        ready, _ = self._ray.wait(list(self._specs), num_returns=1)
        spec = self._specs.pop(ready[0])
        try:
            status, message = self._ray.get(ready[0])
        except self._ray.exceptions.RayError as error:
            raise InputError(
                f"{spec.folder}: its machine was lost {MAX_ATTEMPTS} times, or genmem is "
                f"not installed there: {' '.join(str(error).split())[:300]}"
            ) from error
        if status == "failed":
            raise InputError(f"{spec.folder}: the run failed: {message}")
        if status == "stopped":
            raise StoppedError(spec.folder)
        return spec

    def stop(self) -> None:
        """See `Backend`. A cluster that was started here ends.

        A run is cancelled so that it saves and leaves its place. One that has ended is not: Ray
        2.60 aborts this process when a task is cancelled as it ends.
        """
        if self._specs:
            tasks = list(self._specs)
            _, running = self._ray.wait(tasks, num_returns=len(tasks), timeout=0)
            for task in running:
                self._ray.cancel(task)
            self._ray.wait(tasks, num_returns=len(tasks), timeout=_STOP_SECONDS)
        self._specs.clear()
        self._cluster.close()


def _execute_remotely(document: Mapping[str, Any]) -> tuple[str, str]:
    """Do a run on another machine; returns its status and a message."""
    try:
        finished = execute(RunSpec.from_dict(document))
    except GenmemError as error:
        return "failed", str(error)
    return ("finished" if finished else "stopped"), ""
