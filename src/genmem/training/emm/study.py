"""A whole study: for every value of a factor and every seed, the trials that find its EMM.

DIR/study.json       the threads of a trial, fixed when the study begins, so that numbers do not
                     depend on how many trials run at the same time later
DIR/trials/KEY/      one trial each (see `trial`)

Which trial is next follows from the results alone, so a study that was interrupted and started
again in its folder, with more processes or fewer, ends with the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from genmem.errors import InputError, UsageError
from genmem.images import Progress
from genmem.io.documents import Document
from genmem.study_results.emm import TrialResult
from genmem.training.common.checkpoint import CHECKPOINT_FILE
from genmem.training.common.config import Device
from genmem.training.common.run_folder import create_run_folder
from genmem.training.emm.bisection import next_size
from genmem.training.emm.dataset import SourceInfo
from genmem.training.emm.factors import TrialConfig, apply_factor
from genmem.training.emm.trial import RUN_KIND, Trial, load_result, prune_snapshots
from genmem.training.sweep.run_spec import RunSpec
from genmem.training.sweep.runner import Backend, run_all

STUDY_FILE = "study.json"
TRIALS = "trials"

Setting = tuple[str, str]
"""A factor and its value."""

BASE: Setting = ("", "")
"""The setting of a study without a factor."""


@dataclass(frozen=True, kw_only=True)
class StudyConfig:
    """What a study is to find.

    Attributes:
        source: the images.
        second_source: more images, of which the factor "diversity" takes a share.
        base: the configuration that every factor is varied from.
        factors: the values of every factor to be varied; none: the base alone.
        sizes: training-set sizes, ascending.
        every_size: train at every size, instead of searching for the EMM.
        epsilon: ε; the EMM is where the ratio falls below 1 − ε.
        seeds: repeat all with seeds 0, 1, ….
        drop_duplicates: leave repeated training images out.
    """

    source: SourceInfo
    second_source: SourceInfo | None = None
    base: TrialConfig
    factors: tuple[tuple[str, tuple[str, ...]], ...] = ()
    sizes: tuple[int, ...]
    every_size: bool = False
    epsilon: float = 0.1
    seeds: int = 3
    drop_duplicates: bool = False

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
        available = self.source.count + (self.second_source.count if self.second_source else 0)
        if self.sizes[-1] > available:
            raise InputError(
                f"{self.source.name}: expected at most {available:,} training images, as many as "
                f"there are, got a size of {self.sizes[-1]:,}. Ask for smaller sizes, or give more "
                "images."
            )

    @property
    def threshold(self) -> float:
        """1 − ε, without the rounding error of binary fractions."""
        return round(1 - self.epsilon, 12)

    def settings(self) -> dict[Setting, TrialConfig]:
        """Configurations by factor and value, in the order asked for."""
        if not self.factors:
            return {BASE: self.base}
        return {
            (factor, value): apply_factor(self.base, factor, value)
            for factor, values in self.factors
            for value in values
        }


class EmmStudy:
    """A study in its folder."""

    def __init__(self, config: StudyConfig, folder: Path, *, threads: int) -> None:
        """Begin a study in `folder`, or resume it.

        Args:
            config: what to find.
            folder: of the study; made.
            threads: torch's threads in every trial, where the study is new. The attribute
                `threads` says what holds.

        Raises:
            InputError: the folder's study.json cannot be read.
            UsageError: fewer than 1 thread, or the folder cannot be made.
        """
        if threads < 1:
            raise UsageError(f"threads: expected at least 1, got {threads}.")
        self.config, self.folder = config, folder
        self.settings = config.settings()
        create_run_folder(folder, TRIALS)
        self.threads = _study_threads(folder / STUDY_FILE, threads)
        self._results: dict[str, TrialResult] = {}

    def trial(self, setting: Setting, size: int, seed: int) -> Trial:
        """The trial of one setting at one |D| with one seed."""
        config = self.settings[setting]
        return Trial(
            config=config,
            size=size,
            seed=seed,
            source=self.config.source,
            second_source=self.config.second_source if config.second_share else None,
            drop_duplicates=self.config.drop_duplicates,
            threads=self.threads,
        )

    def trial_folder(self, trial: Trial) -> Path:
        """DIR/trials/KEY."""
        return self.folder / TRIALS / trial.key

    def results(self, setting: Setting, seed: int) -> dict[int, TrialResult]:
        """Results of the finished trials of one setting and seed, by |D|.

        Raises:
            InputError: a result's file is damaged.
        """
        results = {}
        for size in self.config.sizes:
            trial = self.trial(setting, size, seed)
            if trial.key not in self._results:
                result = load_result(self.trial_folder(trial))
                if result is None:
                    continue
                self._results[trial.key] = result
            results[size] = self._results[trial.key]
        return results

    def check_images(self, *, progress: Progress | None = None) -> tuple[str, ...]:
        """Read the largest training set of every kind, before hours of training end in an error.

        Where classes are drawn by the seed, that of every seed.

        Args:
            progress: told how many images are read.

        Returns:
            Sentences about the images that readers of the study must know (duplicates).

        Raises:
            InputError: images that cannot be trained with.
        """
        notes: dict[str, None] = {}
        checked = set()
        for setting, config in self.settings.items():
            labeled = config.training.label_kind == "true"
            kind = (config.side, config.classes, config.second_share, labeled)
            if kind in checked:
                continue
            checked.add(kind)
            by_seed = config.classes is not None and self.config.seeds > 1
            for seed in range(self.config.seeds if by_seed else 1):
                images = self.trial(setting, self.config.sizes[-1], seed).load_images(progress)
                prefix = f"Seed {seed}: " if by_seed else ""
                notes |= dict.fromkeys(prefix + note for note in images.notes)
        return tuple(notes)

    def run(
        self, backend: Backend, *, device: Device = "auto", progress: Progress | None = None
    ) -> None:
        """Do all trials that are left.

        Args:
            backend: does the trials.
            device: "auto", "cpu" or "cuda".
            progress: told how many trials are finished.

        Raises:
            UsageError: another process is running a study in the folder.
            StoppedError: a trial was asked to stop; all have saved.
            GenmemError: a trial cannot be done.
        """
        finished = 0

        def report(spec: RunSpec) -> None:
            nonlocal finished
            finished += 1
            if progress:
                progress("trials", finished, None)

        self._clean_up()
        run_all(
            lambda: (self.run_spec(trial, device) for trial in self.pending_trials()),
            backend,
            folder=self.folder,
            on_finished=report,
        )

    def run_spec(self, trial: Trial, device: Device) -> RunSpec:
        """What a backend needs to do a trial."""
        return RunSpec(
            kind=RUN_KIND,
            config=trial.to_dict(),
            folder=self.trial_folder(trial),
            device=device,
        )

    def _clean_up(self) -> None:
        """Delete what a trial left that was killed just when it had finished."""
        for checkpoint in (self.folder / TRIALS).glob(f"*/{CHECKPOINT_FILE}"):
            result = load_result(checkpoint.parent)
            if result is not None:
                prune_snapshots(checkpoint.parent, keep=result.step)

    def pending_trials(self) -> Iterator[Trial]:
        """The trials that can be done now, each once, seed by seed."""
        keys = set()
        for seed in range(self.config.seeds):
            for setting in self.settings:
                for size in self._pending_sizes(setting, seed):
                    trial = self.trial(setting, size, seed)
                    if trial.key not in keys:
                        keys.add(trial.key)
                        yield trial

    def _pending_sizes(self, setting: Setting, seed: int) -> Sequence[int]:
        results = self.results(setting, seed)
        if self.config.every_size:
            return [size for size in self.config.sizes if size not in results]
        ratios = {size: result.ratio for size, result in results.items()}
        size = next_size(self.config.sizes, ratios, threshold=self.config.threshold)
        return [] if size is None else [size]


@dataclass(frozen=True, kw_only=True)
class StudyFile(Document):
    """DIR/study.json: what is fixed when a study begins."""

    threads: Annotated[int, Field(ge=1, strict=True)]


def _study_threads(path: Path, threads: int) -> int:
    """The threads that the study was begun with; `threads` for a new one, which are stored."""
    if not path.is_file():
        StudyFile(threads=threads).save(path)
        return threads
    try:
        return StudyFile.load(path).threads
    except InputError as error:
        raise InputError(
            f"{path}: cannot be read; expected the folder of a study. If it is one, write "
            '{"threads": N} into the file, N as in its trials/*/trial.json; otherwise name another '
            "folder."
        ) from error
