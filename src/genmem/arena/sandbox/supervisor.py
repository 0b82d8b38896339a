"""The process that watches one run from its start to its end, and writes its record.

It is detached from the process that started it and outlives it. If the supervisor dies, the kernel
kills the program, so submitted code never runs unwatched. It measures the run about ten times a
second; less often where measuring is slow, so that it takes at most 5 % of one processor.
"""

from __future__ import annotations

import os
import re
import selectors
import signal
import time
import traceback
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from genmem.arena.sandbox import collection, logs, processes, records, usage
from genmem.arena.sandbox.container_engine import Container
from genmem.arena.sandbox.program import (
    EndReason,
    Limits,
    Outcome,
    Program,
)
from genmem.arena.sandbox.runners import Bubblewrap, CannotStartError, Runner

MEASURE_EVERY = 0.1
SAVE_EVERY = 5.0
"""Seconds between two measurements of the run, and between two versions of its record."""

_OWN_TASKS = 2
"""Processes inside that belong to the sandbox: bubblewrap's first and the program's shell."""


def detach(record: Path) -> None:
    """Supervise the run of `record` in a detached process; returns once that has begun."""
    read_end, write_end = os.pipe()
    if os.fork() == 0:
        os.close(read_end)
        os.setsid()
        supervise(record, ready=write_end)
        os._exit(0)
    os.close(write_end)
    os.read(read_end, 1)
    os.close(read_end)


def supervise(record: Path, *, ready: int) -> None:
    """Run the program of `record` to its end.

    Args:
        record: written by `running.start_unchecked`.
        ready: descriptor to close once the record names this process as supervisor.
    """
    for number in (signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    data = records.read(record)
    data["supervisor"] = processes.identity(os.getpid())
    _save(record, data)
    os.close(ready)
    program, limits = Program.from_dict(data["program"]), Limits(**data["limits"])
    started = time.monotonic()
    log = logs.Log(records.log_path(record), limit=limits.log_bytes)
    try:
        outcome = _Run(record, data, program, limits, log).outcome()
    except Exception as error:  # no run may stay "running", whatever goes wrong
        traceback.print_exc()
        refused = isinstance(error, CannotStartError)
        outcome = Outcome(
            exit_code=None,
            ended="refused" if refused else "lost",
            seconds=time.monotonic() - started,
            log_path=log.path,
            log_truncated=log.truncated,
            message=str(error) if refused else f"the sandbox failed: {error}",
        )
    collection.remove(records.work_folder(record))
    log.close(outcome.message)
    data |= {"state": "ended", "outcome": outcome.to_dict()}
    _save(record, data)
    records.stop_marker(record).unlink(missing_ok=True)
    errors = records.supervisor_log_path(record)
    if errors.exists() and not errors.stat().st_size:
        errors.unlink()


def _save(record: Path, data: dict[str, Any]) -> None:
    data["seen_at"] = time.time()
    records.write(record, data)


def runner_for(program: Program, limits: Limits, *, work: Path, raw: Path, name: str) -> Runner:
    """A container for a program that names an image, bubblewrap for all others.

    Args:
        program: what to run.
        limits: what it may use.
        work: the supervisor's folder.
        raw: folder that becomes `/output`.
        name: name of the container.
    """
    if program.image is None:
        return Bubblewrap(program, limits, work=work, raw=raw)
    return Container(program, limits, raw=raw, name=name)


def exceeded_limit(current: usage.Usage, limits: Limits) -> tuple[EndReason, str] | None:
    """The limit that a run exceeds, with a message; None if it exceeds none."""
    if current.memory > limits.memory_bytes:
        return "memory", f"more than {usage.format_size(limits.memory_bytes)} of memory"
    if current.tasks > limits.processes + _OWN_TASKS:
        return "processes", f"more than {limits.processes} processes and threads"
    allowed = usage.REWRITES * limits.disk_bytes + usage.HOST_RESERVE
    if current.written > allowed:
        return "disk", f"more than {usage.format_size(allowed)} written to /output in all"
    if current.scratch_files > limits.files:
        return "disk", f"more than {limits.files:,} files in /scratch"
    return None


class _Run:
    """One run, from its start to its end."""

    def __init__(
        self, record: Path, data: dict[str, Any], program: Program, limits: Limits, log: logs.Log
    ) -> None:
        self._record, self._data, self._log = record, data, log
        self._program, self._limits = program, limits
        self._raw = records.work_folder(record) / "output"
        self._raw.mkdir(mode=0o700)
        self._runner = runner_for(
            program,
            limits,
            work=records.work_folder(record),
            raw=self._raw,
            name=f"genmem-{re.sub('[^A-Za-z0-9_.-]', '-', record.stem)}-{os.getpid()}",
        )
        self._is_stopping = False
        signal.signal(signal.SIGTERM, self._request_stop)
        self._peak_memory = self._output_bytes = 0
        self._next_measure = self._next_count = self._next_save = 0.0
        self._has_begun = False

    def _request_stop(self, *_: object) -> None:
        self._is_stopping = True

    def outcome(self) -> Outcome:
        """Start the program, watch it, end it and collect its files."""
        read_end, write_end = os.pipe()
        os.set_blocking(read_end, False)
        try:
            self._runner.prepare(write_end)
            left = self._runner.leftovers()
            self._data |= {"state": "running", "started_at": time.time(), "left": left}
            _save(self._record, self._data)
            process = self._runner.release()
        finally:
            os.close(write_end)
        started = time.monotonic()
        stopped: tuple[EndReason, str] | None = None
        with selectors.DefaultSelector() as selector:
            selector.register(read_end, selectors.EVENT_READ)
            try:
                while process.poll() is None and stopped is None:
                    self._copy_output(read_end, selector, MEASURE_EVERY / 2)
                    stopped = self._stop_reason(time.monotonic() - started)
            finally:
                seconds = time.monotonic() - started
                self._runner.kill()
                code, limit = self._runner.finish()
                self._copy_remaining_output(read_end, selector)
                os.close(read_end)
        if stopped is None and limit == "memory":
            stopped = (
                "memory",
                f"more than {usage.format_size(self._limits.memory_bytes)} of memory",
            )
        if (
            stopped is None
            and code is None
            and (self._has_begun or process.returncode in (-9, 137))
        ):
            stopped = "killed", "it was killed from outside"
        ended: EndReason = stopped[0] if stopped else "exited" if code is not None else "refused"
        outcome = Outcome(
            exit_code=None if stopped else code,
            ended=ended,
            seconds=seconds,
            log_path=self._log.path,
            log_truncated=self._log.truncated,
            peak_memory_bytes=self._peak_memory,
            message=self._message(ended, code, seconds, stopped[1] if stopped else ""),
        )
        return outcome if ended == "refused" else self._collected(outcome)

    def _copy_output(self, source: int, selector: selectors.BaseSelector, timeout: float) -> None:
        """Log what comes within `timeout` seconds; at most 1 MiB, so that no measure is late."""
        deadline = time.monotonic() + timeout
        for _ in range(16):
            if not selector.select(max(0.0, deadline - time.monotonic())):
                return
            chunk = os.read(source, 2**16)
            if not chunk:
                selector.unregister(source)
                return
            self._log.write(chunk)

    def _copy_remaining_output(self, source: int, selector: selectors.BaseSelector) -> None:
        """Log what is left once no process can write any more."""
        deadline = time.monotonic() + 1.0
        while selector.get_map() and time.monotonic() < deadline:
            self._copy_output(source, selector, 0.1)

    def _stop_reason(self, seconds: float) -> tuple[EndReason, str] | None:
        """The reason to stop the run now, with a message; None to let it run.

        Args:
            seconds: time since the start of the program.
        """
        if seconds > self._limits.wall_seconds:
            return "wall clock", f"longer than {self._limits.wall_seconds:g} s"
        if self._is_stopping or records.stop_marker(self._record).exists():
            return "killed", "a stop was requested"
        now = time.monotonic()
        if now < self._next_measure:
            return None
        current = self._runner.measure()
        reason = exceeded_limit(current, self._limits) if current else None
        shortage = usage.host_shortage(self._raw)
        if not reason and shortage:
            reason = (
                "killed",
                f"the host ran out of {shortage}; this may not be the program's fault",
            )
        if not reason and now >= self._next_count:
            self._output_bytes, problem = usage.of_output(self._raw, self._limits)
            reason = ("disk", problem) if problem else None
            counted = time.monotonic()
            self._next_count = counted + max(MEASURE_EVERY, 20 * (counted - now))
        self._peak_memory = max(self._peak_memory, current.memory if current else 0)
        if now >= self._next_save or (current and not self._has_begun):
            self._has_begun = self._has_begun or current is not None
            self._next_save = now + SAVE_EVERY
            self._save_usage(seconds, current)
        done = time.monotonic()
        self._next_measure = done + max(MEASURE_EVERY, 20 * (done - now))
        return reason

    def _save_usage(self, seconds: float, current: usage.Usage | None) -> None:
        self._data |= {
            "seconds": seconds,
            "memory_bytes": current.memory if current else 0,
            "processes": max(0, current.tasks - _OWN_TASKS) if current else 0,
            "output_bytes": self._output_bytes,
        }
        _save(self._record, self._data)

    def _message(self, ended: EndReason, code: int | None, seconds: float, reason: str) -> str:
        if ended == "refused":
            return "the program could not be started; the reason is given above"
        peak = usage.format_size(self._peak_memory)
        if ended != "exited":
            return f"stopped after {seconds:.1f} s ({ended}): {reason} (peak memory: {peak})"
        message = f"exited with code {code} after {seconds:.1f} s (peak memory: {peak})"
        if not code:
            return message
        if code > 128:
            with suppress(ValueError):
                message += f", that is {signal.Signals(code - 128).name}"
        hints = logs.hints(
            self._log.text(),
            memory=usage.format_size(self._limits.memory_bytes),
            scratch=usage.format_size(self._program.scratch_bytes),
            file=usage.format_size(self._limits.file_bytes),
            processes=str(self._limits.processes),
        )
        return "; ".join([message, *hints])

    def _collected(self, outcome: Outcome) -> Outcome:
        collected = collection.collect(self._raw, self._program.output, self._limits)
        if collected.problem and outcome.ended == "exited":
            outcome = replace(outcome, ended="disk", exit_code=None)
        notes = [outcome.message]
        if collected.problem:
            notes.append(f"nothing was collected from /output: {collected.problem}")
        notes += [f"not collected from /output: {name}" for name in collected.skipped]
        return replace(
            outcome,
            message="; ".join(notes),
            output_bytes=collected.bytes,
            output_files=collected.files,
        )
