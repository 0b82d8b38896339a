"""Damaged, odd and hostile input must end in a result or in one line.

    python -m studies.fuzz [--minutes 5] [--seed 0] [--workers 2] [--out DIR] [--case N]

Every case runs one command in a worker process. It fails if an exception escapes or a warning is
raised, the exit code is none of the documented ones, a failure says nothing or shows the code's
inside, a file is left half-written, the worker dies, or the case needs more than twenty seconds of
CPU time. Prints a summary; what failed goes into DIR with its files and arguments. Exits with 1 if
anything failed. `--case N` runs one case again and prints how it ended.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from multiprocessing.connection import wait
from pathlib import Path

from studies.fuzz import cases
from studies.fuzz.worker import CaseResult, serve

WALL_SECONDS = 90
"""Wall-clock time after which a worker that does not answer is killed."""


class Worker:
    """A worker process and the case that it runs."""

    def __init__(self, seed: int, log: Path) -> None:
        self.seed, self.log = seed, log
        self.start()

    def start(self) -> None:
        """Start the process, or a new one in its place."""
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, self.seed, self.log))
        self.process.start()
        theirs.close()

    def run(self, number: int) -> None:
        """Begin case `number`."""
        self.number, self.began = number, time.monotonic()
        self.connection.send(number)

    def result(self) -> CaseResult:
        """How the case ended; a worker that died or hangs is replaced."""
        try:
            if self.connection.poll():
                return self.connection.recv()
        except EOFError:
            pass
        self.process.kill()
        self.process.join()
        code = self.process.exitcode
        reason = f"the worker ended with {code} or hung:\n{self.log.read_text()}"
        self.start()
        return CaseResult(None, reason, "", time.monotonic() - self.began)

    def stop(self) -> None:
        """End the process after its case."""
        self.connection.send(None)
        self.process.join()


def fuzz(*, minutes: float, seed: int, workers: int, out: Path) -> int:
    """Run cases for `minutes` minutes of wall-clock time; returns the number of failures."""
    end, counts = time.monotonic() + 60 * minutes, Counter[tuple[str, str]]()
    seconds: dict[str, list[float]] = {kind: [] for kind in cases.KINDS}
    failures, number = 0, 0
    with tempfile.TemporaryDirectory() as logs:
        pool = [Worker(seed, Path(logs) / str(index)) for index in range(workers)]
        for worker in pool:
            worker.run(number)
            number += 1
        busy = list(pool)
        while busy:
            ready = wait([worker.connection for worker in busy], timeout=1)
            for worker in list(busy):
                if not _finished(worker, ready):
                    continue
                result = worker.result()
                kind = cases.kind_of(worker.number)
                counts[kind, _outcome(result)] += 1
                seconds[kind].append(result.cpu)
                if result.fault:
                    failures += 1
                    _keep(out, seed, worker.number, result)
                    print(f"case {worker.number} ({kind}): {result.fault.strip()}", flush=True)
                if time.monotonic() < end:
                    worker.run(number)
                    number += 1
                else:
                    busy.remove(worker)
        for worker in pool:
            worker.stop()
    _print_summary(counts, seconds, seed)
    return failures


def _finished(worker: Worker, ready: Sequence[object]) -> bool:
    return worker.connection in ready or time.monotonic() - worker.began > WALL_SECONDS


def _outcome(result: CaseResult) -> str:
    return "failed" if result.fault else "accepted" if result.code == 0 else "refused"


def _keep(out: Path, seed: int, number: int, result: CaseResult) -> None:
    """Write the files of a failed case, its arguments and its fault into `out`."""
    folder = out / f"case-{number}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    arguments = cases.build(seed, number, folder)
    document = {"seed": seed, "case": number, "arguments": arguments, "fault": result.fault}
    (folder / "case.json").write_text(json.dumps(document, indent=2), "utf-8")


def _print_summary(
    counts: Counter[tuple[str, str]], seconds: dict[str, list[float]], seed: int
) -> None:
    outcomes = ("accepted", "refused", "failed")
    minutes = sum(map(sum, seconds.values())) / 60
    print(f"\nSeed {seed}: {counts.total():,} cases in {minutes:.0f} minutes of CPU time.\n")
    print(f"| kind | {' | '.join(outcomes)} | slowest, CPU s |\n|---|---|---|---|---|")
    for kind in cases.KINDS:
        numbers = " | ".join(f"{counts[kind, outcome]:,}" for outcome in outcomes)
        print(f"| {kind} | {numbers} | {max(seconds[kind], default=0):.1f} |")


def main() -> None:
    """Read the command line and run the session, or one case."""
    parser = argparse.ArgumentParser(description="Feed damaged input to genmem.")
    parser.add_argument("--minutes", type=float, default=5, help="Wall-clock minutes.")
    parser.add_argument("--seed", type=int, default=0, help="Seed of the cases.")
    parser.add_argument("--workers", type=int, default=2, help="Worker processes.")
    parser.add_argument("--out", type=Path, default=Path("fuzz"), help="Folder of failed cases.")
    parser.add_argument("--case", type=int, help="Run this case alone.")
    options = parser.parse_args()
    if options.case is None:
        sys.exit(bool(fuzz(minutes=options.minutes, seed=options.seed, workers=options.workers,
                           out=options.out)))  # fmt: skip
    with tempfile.TemporaryDirectory() as logs:
        worker = Worker(options.seed, Path(logs) / "log")
        worker.run(options.case)
        wait([worker.connection], timeout=WALL_SECONDS)
        print(worker.result())
        worker.stop()


if __name__ == "__main__":
    main()
