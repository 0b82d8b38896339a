"""Join a Ray cluster, or start one on this machine; run tasks on it, through the loss of machines.

Plain Ray tasks, not Ray Data: a task here is one shard with a number, whose result is wanted once,
in order or as it comes, and is made again alone if its machine is lost. Ray Data would add a format
of blocks and an order of its own, and cannot go on from the shards that are done. Worker processes
live on between tasks, so that a network is loaded once per process as it would be in an actor; and
tasks, unlike actors, move to machines that join later.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

from genmem.errors import GenmemError, InputError, UsageError

MAX_ATTEMPTS = 4
"""How often a task is started whose machine is lost."""

_CONNECT_SECONDS = 5.0


class Cluster:
    """A Ray cluster. Use it as a context manager, or call `close` afterwards.

    Attributes:
        ray: the module.
        owned: it was started here, and ends with `close`.
    """

    def __init__(self, address: str, *, cpus: int | None = None, alternative: str = "") -> None:
        """Join a cluster, or start one on this machine.

        Args:
            address: of a running cluster (HOST:PORT or ray://HOST:PORT; "auto": the one that this
                machine belongs to), or "local". A cluster that this process has joined already is
                used whatever the address.
            cpus: CPUs of a cluster that is started here; None: all of this machine.
            alternative: what to use where no cluster answers, for the message.

        Raises:
            UsageError: Ray is not installed, or there is no cluster at the address.
        """
        self.ray = ray = import_ray()
        self.owned = not ray.is_initialized()
        if not self.owned:
            return
        _check_address(address, alternative)
        local = address == "local"
        # A cluster that is started here sends nothing to Ray's makers.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            ray.init(
                address=address,
                num_cpus=cpus if local else None,
                include_dashboard=False if local else None,
                log_to_driver=False,
                logging_level="error",
            )
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise UsageError(f"--ray {address}: {' '.join(str(error).split())}") from error
        _silence_messages()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def resources(self) -> dict[str, float]:
        """CPUs, GPUs and memory of the machines that are there now."""
        return self.ray.cluster_resources()

    def places(self, *, gpu: bool = False) -> int:
        """How many tasks of one CPU (or one GPU) run at the same time now."""
        return max(1, int(self.resources.get("GPU" if gpu else "CPU", 0)))

    def share(self, value: Any) -> Shared:
        """Put an object where all tasks can read it. NumPy arrays are not copied on a machine."""
        return Shared(self.ray.put(value))

    def close(self) -> None:
        """Leave the cluster; one that was started here ends."""
        if self.owned:
            self.ray.shutdown()

    def run(
        self,
        function: Callable[..., Any],
        jobs: Sequence[tuple[Any, ...]],
        *,
        ordered: bool = False,
        gpu: bool = False,
    ) -> Iterator[tuple[int, Any]]:
        """Run `function(*job)` for every job; a job whose machine is lost runs again.

        No more tasks are started than keep all places busy, so that results do not pile up. If the
        caller stops early, those that run end unheard: a task that is cancelled while it ends makes
        Ray 2.60 abort this process ("Tried to complete task that was not pending").

        Args:
            function: of a module; everything that it takes and returns travels between machines.
            jobs: the arguments of each task.
            ordered: yield in the order of the jobs; otherwise each result as it comes.
            gpu: a task takes a GPU.

        Yields:
            The number of a job and its result.

        Raises:
            GenmemError: the function raised it.
            InputError: the machine of a job was lost `MAX_ATTEMPTS` times.
        """
        task = self.ray.remote(
            num_cpus=1, num_gpus=int(gpu), max_retries=MAX_ATTEMPTS - 1, max_calls=0
        )(function)
        running: dict[Any, int] = {}
        ready: dict[int, Any] = {}
        started, delivered = 0, 0
        while delivered < len(jobs):
            window = 2 * self.places(gpu=gpu)
            while started < len(jobs) and started - delivered < window:
                running[task.remote(*jobs[started])] = started
                started += 1
            if running:
                [reference], _ = self.ray.wait(list(running), num_returns=1)
                ready[running.pop(reference)] = self._result(reference)
            for number in [delivered] if ordered else list(ready):
                if number in ready:
                    delivered += 1
                    yield number, ready.pop(number)

    def _result(self, reference: Any) -> Any:
        try:
            return self.ray.get(reference)
        except self.ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, GenmemError):
                raise error.cause from None
            if "failed to import on the worker" in str(error):
                raise UsageError(
                    "a worker cannot import genmem: install the same version of it, with the extra "
                    f"scale, on all machines ({str(error).strip().splitlines()[-1][:200]})."
                ) from None
            raise
        except self.ray.exceptions.RayError as error:
            raise InputError(
                f"a task's machine was lost {MAX_ATTEMPTS} times, or genmem is not installed "
                f"there: {' '.join(str(error).split())[:300]}"
            ) from error


class Shared:
    """An object that all tasks of a cluster can read; `get` gives it to a task.

    It travels by name. A process reads each object once.
    """

    def __init__(self, reference: Any) -> None:
        self._reference = reference

    def get(self) -> Any:
        """The object, in whatever process this is."""
        name = self._reference.hex()
        if name not in _HELD:
            while len(_HELD) >= _MOST_HELD:
                _HELD.pop(next(iter(_HELD)))
            _HELD[name] = import_ray().get(self._reference)
        return _HELD[name]


_HELD: dict[str, Any] = {}
_MOST_HELD = 3
"""Shared objects that a worker process holds; the oldest is let go first."""


def import_ray() -> Any:
    """The module `ray`.

    Raises:
        UsageError: it is not installed.
    """
    try:
        import ray
    except ImportError as error:
        raise UsageError("--ray and --workers need Ray: pip install 'genmem[scale]'.") from error
    return ray


def _silence_messages() -> None:
    """Ray prints what happens to machines on stdout, where results belong.

    No public setting stops that. It goes on after the end of the cluster, so nothing undoes this.
    """
    if worker := sys.modules.get("ray._private.worker"):
        worker.__dict__["_worker_logs_enabled"] = False


def _check_address(address: str, alternative: str) -> None:
    """Raise UsageError where no cluster answers: Ray itself would try for minutes."""
    if address in ("auto", "local"):
        return
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not (host and colon and port.isdecimal() and 0 < int(port) < 2**16):
        raise UsageError(
            f"--ray: expected HOST:PORT, ray://HOST:PORT, auto or local, got {address!r}."
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_SECONDS).close()
    except (OSError, UnicodeError) as error:  # UnicodeError: a name that no host can have
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(
            f"--ray {address}: no cluster answers there ({reason.lower()}). Start one with ray "
            f"start --head{alternative}."
        ) from error
