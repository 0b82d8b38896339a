"""A whole study: for every value of a factor and every seed, the trainings that find its EMM.

DIR/study.json       the threads of a training, once chosen, so that numbers do not depend on how
                     many trainings go side by side later
DIR/trials/KEY/      one training each (see `trial`)

What is trained next follows from the outcomes alone, so a study that was interrupted and begun
again in its folder, with more processes or fewer, ends with the same numbers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from genmem.errors import InputError, UsageError
from genmem.images import Progress
from genmem.io.atomic import atomic_write
from genmem.training.common.checkpoint import CHECKPOINT_FILE
from genmem.training.emm.bisection import next_size
from genmem.training.emm.dataset import Source, training_images
from genmem.training.emm.factors import Configuration, vary
from genmem.training.emm.trial import Trial, outcome, tidy, write_task
from genmem.training.sweep.pool import Workers

STUDY = "study.json"
TRIALS = "trials"

BASE = ("", "")
"""The factor and the value of the configuration without a factor."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is to be found out.

    Attributes:
        source: the images.
        second: a second source, of which the factor "diversity" takes a share.
        base: the configuration that every factor is varied from.
        factors: the values of every factor to be varied; none: the base alone.
        sizes: training-set sizes, ascending.
        every_size: train at every size, instead of looking for the EMM.
        epsilon: ε; the EMM is where the ratio falls below 1 − ε.
        seeds: trainings with seeds 0, 1, … of everything.
        without_duplicates: leave repeated training images out.
    """

    source: Source
    second: Source | None = None
    base: Configuration
    factors: tuple[tuple[str, tuple[str, ...]], ...] = ()
    sizes: tuple[int, ...]
    every_size: bool = False
    epsilon: float = 0.1
    seeds: int = 3
    without_duplicates: bool = False

    def __post_init__(self) -> None:
        if not self.sizes or list(self.sizes) != sorted(set(self.sizes)) or self.sizes[0] < 2:
            raise UsageError(
                "sizes: expected ascending whole numbers from 2 on (d1/d2 needs two images), got "
                f"{', '.join(map(str, self.sizes)) or 'none'}."
            )
        if not 0 < self.epsilon < 1:
            raise UsageError(f"epsilon: expected a share between 0 and 1, got {self.epsilon}.")
        if self.seeds < 1:
            raise UsageError(f"seeds: expected at least 1, got {self.seeds}.")
        for factor, values in self.factors:
            if not values:
                raise UsageError(f"factor {factor}: expected values V1,V2,…, got none.")
        there = self.source.count + (self.second.count if self.second else 0)
        if self.sizes[-1] > there:
            raise InputError(
                f"{self.source.name}: a training set of {self.sizes[-1]:,} images was asked for, "
                f"larger than the data set, which has {there:,}. Ask for smaller sizes, or give "
                "more images."
            )

    @property
    def threshold(self) -> float:
        """1 − ε, without what binary fractions add to it."""
        return round(1 - self.epsilon, 12)

    def configurations(self) -> dict[tuple[str, str], Configuration]:
        """By factor and value, in the order asked for."""
        if not self.factors:
            return {BASE: self.base}
        return {
            (factor, value): vary(self.base, factor, value)
            for factor, values in self.factors
            for value in values
        }


class Study:
    """A request in its folder."""

    def __init__(self, request: Request, folder: Path, *, threads: int) -> None:
        """Begin a study in `folder`, or go on with it.

        Args:
            request: what is to be found out.
            folder: of the study; made.
            threads: torch's threads in every training, unless the study has chosen before: see the
                attribute `threads` for what holds.

        Raises:
            InputError: the folder's study.json cannot be read.
            UsageError: fewer than 1 thread, or the folder cannot be made.
        """
        if threads < 1:
            raise UsageError(f"threads: expected at least 1, got {threads}.")
        self.request, self.folder = request, folder
        self.configurations = request.configurations()
        try:
            (folder / TRIALS).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"cannot make {folder}: {(error.strerror or '').lower()}.") from error
        self.threads = _kept_threads(folder / STUDY, threads)
        self._finished: dict[str, dict[str, Any]] = {}

    def trial(self, name: tuple[str, str], count: int, seed: int) -> Trial:
        """The training of one configuration at one size with one seed."""
        configuration = self.configurations[name]
        request = self.request
        return Trial(
            configuration=configuration,
            count=count,
            seed=seed,
            source=request.source,
            second=request.second if configuration.second_share else None,
            without_duplicates=request.without_duplicates,
            threads=self.threads,
        )

    def place(self, trial: Trial) -> Path:
        """The trial's folder."""
        return self.folder / TRIALS / trial.key

    def outcomes(self, name: tuple[str, str], seed: int) -> dict[int, dict[str, Any]]:
        """What is finished of one configuration and seed, by |D|."""
        found = {}
        for count in self.request.sizes:
            trial = self.trial(name, count, seed)
            if trial.key not in self._finished:
                there = outcome(self.place(trial))
                if there is None:
                    continue
                self._finished[trial.key] = there
            found[count] = self._finished[trial.key]
        return found

    def check_images(self, *, progress: Progress | None = None) -> tuple[str, ...]:
        """Read the largest training set of every kind, before hours of training end in an error.

        Where classes are drawn by the seed, that of every seed.

        Returns:
            Sentences about the images that whoever reads the study must know (duplicates).
        """
        notes: dict[str, None] = {}
        seen = set()
        for configuration in self.configurations.values():
            kind = (
                configuration.size,
                configuration.classes,
                configuration.second_share,
                configuration.training.labels == "true",
            )
            if kind in seen:
                continue
            seen.add(kind)
            drawn = configuration.classes is not None and self.request.seeds > 1
            for seed in range(self.request.seeds if drawn else 1):
                data = training_images(
                    self.request.source,
                    self.request.second,
                    configuration,
                    count=self.request.sizes[-1],
                    seed=seed,
                    without_duplicates=self.request.without_duplicates,
                    progress=progress,
                )
                of = f"Seed {seed}: " if drawn else ""
                notes |= dict.fromkeys(of + note for note in data.notes)
        return tuple(notes)

    def go(self, workers: Workers, *, progress: Progress | None = None) -> None:
        """Do all trainings that are still to be done.

        Raises:
            UsageError: another process is at work in the folder.
            StoppedError: a training was asked to stop; all have saved.
            GenmemError: a training cannot be done.
        """
        try:
            with FileLock(self.folder / ".lock", timeout=0):
                self._go(workers, progress)
        except Timeout as error:
            raise UsageError(
                f"{self.folder}: another genmem emm is at work there; wait for it, or name another "
                "folder."
            ) from error

    def _go(self, workers: Workers, progress: Progress | None) -> None:
        going: set[Path] = set()
        done = 0
        self._tidy()
        try:
            while True:
                for trial in self.wanted():
                    place = self.place(trial)
                    if len(going) == workers.places:
                        break
                    if place not in going:
                        write_task(place, trial)
                        workers.start(place)
                        going.add(place)
                if not going:
                    return
                place, _ = workers.wait()
                going.discard(place)
                done += 1
                if progress:
                    progress("trainings", done, None)
        finally:
            workers.stop()

    def _tidy(self) -> None:
        """Clear away what a trial left that was killed just when it had finished."""
        for checkpoint in (self.folder / TRIALS).glob(f"*/{CHECKPOINT_FILE}"):
            found = outcome(checkpoint.parent)
            if found is not None:
                tidy(checkpoint.parent, keep=found["step"])

    def wanted(self) -> Iterator[Trial]:
        """The trainings that can be done now, each once, seed by seed."""
        seen = set()
        for seed in range(self.request.seeds):
            for name in self.configurations:
                for count in self._next_sizes(name, seed):
                    trial = self.trial(name, count, seed)
                    if trial.key not in seen:
                        seen.add(trial.key)
                        yield trial

    def _next_sizes(self, name: tuple[str, str], seed: int) -> Sequence[int]:
        outcomes = self.outcomes(name, seed)
        if self.request.every_size:
            return [size for size in self.request.sizes if size not in outcomes]
        ratios = {count: one["ratio"] for count, one in outcomes.items()}
        size = next_size(self.request.sizes, ratios, threshold=self.request.threshold)
        return [] if size is None else [size]


def _kept_threads(path: Path, threads: int) -> int:
    """The threads that the study was begun with; `threads` for a new one."""
    try:
        if path.is_file():
            kept = json.loads(path.read_text(encoding="utf-8"))["threads"]
            if type(kept) is not int or kept < 1:
                raise ValueError(kept)
            return kept
    except (OSError, ValueError, KeyError, TypeError, RecursionError, UsageError) as error:
        raise InputError(
            f"{path}: cannot be read; expected the folder of a study. Where it is one, write "
            '{"threads": N} into the file, N as in its trials/*/task.json; else name another '
            "folder."
        ) from error
    with atomic_write(path) as file:
        file.write((json.dumps({"threads": threads}) + "\n").encode())
    return threads
