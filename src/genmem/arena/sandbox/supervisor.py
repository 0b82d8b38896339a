"""The process that watches one run from its start to its end, and writes its record.

It is detached from whoever started it and outlives them; its own death ends the program (the
kernel sees to that), so that no foreign code runs unwatched. It looks at the run about ten times
a second: less often where looking takes long, so that it costs at most a twentieth of a processor.
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

from genmem.arena.sandbox import collection, logs, records, usage
from genmem.arena.sandbox.program import (
    Ended,
    Limits,
    Outcome,
    Program,
    outcome_as_json,
    program_from_json,
)
from genmem.arena.sandbox.runners import Bubblewrap, CannotStartError, Runner

LOOK_EVERY = 0.1
SAVE_EVERY = 5.0
"""Seconds between looks at the run, and between two versions of its record."""

_OWN = 2
"""Processes inside that are the sandbox's: bubblewrap's first and the shell above the program."""


def detach(record: Path) -> None:
    """Supervise the run of `record` in a process of its own; returns when that has begun.

    The process is nobody's child, so that nobody need wait for it.
    """
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.close(reading)
        os.setsid()
        supervise(record, begun=writing)
        os._exit(0)
    os.close(writing)
    os.read(reading, 1)
    os.close(reading)


def supervise(record: Path, *, begun: int) -> None:
    """Run the program of `record` to its end; closes `begun` once the record names this process."""
    for ignored in (signal.SIGHUP, signal.SIGINT):
        signal.signal(ignored, signal.SIG_IGN)
    data = records.read(record)
    data["supervisor"] = records.identity(os.getpid())
    _save(record, data)
    os.close(begun)
    program, limits = program_from_json(data["program"]), Limits(**data["limits"])
    started = time.monotonic()
    work = records.work_of(record)
    log = logs.Log(records.log_of(record), limit=limits.log_bytes)
    try:
        outcome = _Run(record, data, program, limits, log).outcome()
    except Exception as error:  # No run may stay "running": whatever went wrong is its end.
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
    collection.remove(work)
    log.close(outcome.message)
    data |= {"state": "ended", "outcome": outcome_as_json(outcome)}
    _save(record, data)
    records.stop_of(record).unlink(missing_ok=True)
    errors = records.errors_of(record)
    if errors.exists() and not errors.stat().st_size:
        errors.unlink()


def _save(record: Path, data: dict[str, Any]) -> None:
    data["seen_at"] = time.time()
    records.write(record, data)


def runner_for(program: Program, limits: Limits, *, work: Path, raw: Path, name: str) -> Runner:
    """Docker or Podman for a program that names an image, bubblewrap for all others."""
    if program.image is None:
        return Bubblewrap(program, limits, work=work, raw=raw)
    from genmem.arena.sandbox.engine import Container

    return Container(program, limits, raw=raw, name=name)


def exceeded(seen: usage.Usage, limits: Limits) -> tuple[Ended, str] | None:
    """The limit that the processes of a run have passed, and what to say of it."""
    if seen.memory > limits.memory_bytes:
        return "memory", f"more than {usage.in_words(limits.memory_bytes)} of memory"
    if seen.tasks > limits.processes + _OWN:
        return "processes", f"more than {limits.processes} processes and threads"
    allowed = usage.REWRITES * limits.disk_bytes + usage.HOST_RESERVE
    if seen.written > allowed:
        return "disk", f"more than {usage.in_words(allowed)} written to /output in all"
    if seen.scratch_files > limits.files:
        return "disk", f"more than {limits.files:,} files in /scratch"
    return None


class _Run:
    """One run under way."""

    def __init__(
        self, record: Path, data: dict[str, Any], program: Program, limits: Limits, log: logs.Log
    ) -> None:
        self._record, self._data, self._log = record, data, log
        self._program, self._limits = program, limits
        self._raw = records.work_of(record) / "output"
        self._raw.mkdir(mode=0o700)
        self._runner = runner_for(
            program,
            limits,
            work=records.work_of(record),
            raw=self._raw,
            name=f"genmem-{re.sub('[^A-Za-z0-9_.-]', '-', record.stem)}-{os.getpid()}",
        )
        self._asked_to_end = False
        signal.signal(signal.SIGTERM, self._ask_to_end)
        self._peak = self._output = 0
        self._next_look = self._next_count = self._next_save = 0.0
        self._began = False

    def _ask_to_end(self, *_: object) -> None:
        self._asked_to_end = True

    def outcome(self) -> Outcome:
        """Start the program, watch it, end it, collect its files."""
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        try:
            self._runner.prepare(writing)
            left = self._runner.leftovers()
            self._data |= {"state": "running", "started_at": time.time(), "left": left}
            _save(self._record, self._data)
            process = self._runner.release()
        finally:
            os.close(writing)
        started = time.monotonic()
        stopped: tuple[Ended, str] | None = None
        with selectors.DefaultSelector() as selector:
            selector.register(reading, selectors.EVENT_READ)
            try:
                while process.poll() is None and stopped is None:
                    self._listen(reading, selector, LOOK_EVERY / 2)
                    stopped = self._look(time.monotonic() - started)
            finally:
                seconds = time.monotonic() - started
                self._runner.kill()
                code, met = self._runner.finish()
                self._listen_to_the_end(reading, selector)
                os.close(reading)
        if stopped is None and met == "memory":
            stopped = "memory", f"more than {usage.in_words(self._limits.memory_bytes)} of memory"
        if stopped is None and code is None and (self._began or process.returncode in (-9, 137)):
            stopped = "killed", "it was ended from outside"
        ended: Ended = stopped[0] if stopped else "exited" if code is not None else "refused"
        outcome = Outcome(
            exit_code=None if stopped else code,
            ended=ended,
            seconds=seconds,
            log_path=self._log.path,
            log_truncated=self._log.truncated,
            peak_memory_bytes=self._peak,
            message=self._message(ended, code, seconds, stopped[1] if stopped else ""),
        )
        return outcome if ended == "refused" else self._collected(outcome)

    def _listen(self, reading: int, selector: selectors.BaseSelector, timeout: float) -> None:
        """Log what comes within `timeout` seconds; at most 1 MiB, so that looks are not missed."""
        until = time.monotonic() + timeout
        for _ in range(16):
            if not selector.select(max(0.0, until - time.monotonic())):
                return
            piece = os.read(reading, 2**16)
            if not piece:
                selector.unregister(reading)
                return
            self._log.write(piece)

    def _listen_to_the_end(self, reading: int, selector: selectors.BaseSelector) -> None:
        """Log what is left once nobody can write any more."""
        until = time.monotonic() + 1.0
        while selector.get_map() and time.monotonic() < until:
            self._listen(reading, selector, 0.1)

    def _look(self, seconds: float) -> tuple[Ended, str] | None:
        """The reason to stop the run now, if there is one."""
        if seconds > self._limits.wall_seconds:
            return "wall clock", f"longer than {self._limits.wall_seconds:g} s"
        if self._asked_to_end or records.stop_of(self._record).exists():
            return "killed", "its end was asked for"
        now = time.monotonic()
        if now < self._next_look:
            return None
        seen = self._runner.look()
        reason = exceeded(seen, self._limits) if seen else None
        short = usage.host_is_short(self._raw)
        if not reason and short:
            reason = "killed", f"the host runs out of {short}; this may not be the program's fault"
        if not reason and now >= self._next_count:
            self._output, problem = usage.of_output(self._raw, self._limits)
            reason = ("disk", problem) if problem else None
            counted = time.monotonic()
            self._next_count = counted + max(LOOK_EVERY, 20 * (counted - now))
        self._peak = max(self._peak, seen.memory if seen else 0)
        if now >= self._next_save or (seen and not self._began):
            self._began = self._began or seen is not None
            self._next_save = now + SAVE_EVERY
            self._data |= {
                "seconds": seconds,
                "memory_bytes": seen.memory if seen else 0,
                "processes": max(0, seen.tasks - _OWN) if seen else 0,
                "output_bytes": self._output,
            }
            _save(self._record, self._data)
        done = time.monotonic()
        self._next_look = done + max(LOOK_EVERY, 20 * (done - now))
        return reason

    def _message(self, ended: Ended, code: int | None, seconds: float, why: str) -> str:
        if ended == "refused":
            return "the program could not be started; the reason stands above"
        peak = usage.in_words(self._peak)
        if ended != "exited":
            return f"stopped after {seconds:.1f} s ({ended}): {why} (most memory seen: {peak})"
        message = f"exited with code {code} after {seconds:.1f} s (most memory seen: {peak})"
        if not code:
            return message
        if code > 128:
            with suppress(ValueError):
                message += f", that is by {signal.Signals(code - 128).name}"
        found = logs.hints(
            self._log.text(),
            memory=usage.in_words(self._limits.memory_bytes),
            scratch=usage.in_words(self._program.scratch_bytes),
            file=usage.in_words(self._limits.file_bytes),
            processes=str(self._limits.processes),
        )
        return "; ".join([message, *found])

    def _collected(self, outcome: Outcome) -> Outcome:
        found = collection.collect(self._raw, self._program.output, self._limits)
        if found.problem and outcome.ended == "exited":
            outcome = replace(outcome, ended="disk", exit_code=None)
        notes = [outcome.message]
        notes += [f"nothing was taken from /output: {found.problem}"] if found.problem else []
        notes += [f"not taken from /output: {name}" for name in found.left_behind]
        return replace(
            outcome,
            message="; ".join(notes),
            output_bytes=found.bytes,
            output_files=found.files,
        )
