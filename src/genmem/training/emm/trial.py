"""One trial of a study: a folder named by the hash of all that decides its numbers.

FOLDER/trial.json    what is trained (a `Trial`), for people to read
FOLDER/result.json   what was found (a `TrialResult`): there once the trial is finished
FOLDER/…             the training's own files while it runs (see `training.diffusion.run_folder`)
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import torch

from genmem.errors import InputError
from genmem.images import Progress
from genmem.io.documents import Document
from genmem.study_results.emm import Snapshot, TrialResult
from genmem.training.common.checkpoint import CHECKPOINT_FILE
from genmem.training.common.dataset import TrainingImages
from genmem.training.common.run_folder import CONFIG_FILE
from genmem.training.diffusion import run_folder
from genmem.training.diffusion.config import DiffusionConfig
from genmem.training.diffusion.train import train
from genmem.training.emm.dataset import SourceInfo, load_trial_images, refuse_changed_source
from genmem.training.emm.factors import TrialConfig
from genmem.training.emm.memorized_samples import find_memorized_samples
from genmem.training.sweep.run_spec import RunSpec

FORMAT = "genmem emm trial 1"
"""Part of every key; raised when numbers of older trials are not comparable with newer ones."""

TRIAL_FILE, RESULT_FILE = "trial.json", "result.json"

RUN_KIND = "genmem.training.emm.trial:run_trial"
"""See `RunSpec.kind`."""


@dataclass(frozen=True, kw_only=True)
class Trial(Document):
    """One training, and the measurement of its snapshots.

    Attributes:
        config: what is trained.
        size: |D|.
        seed: of the training set, the weights, their noise and the samples.
        source: the images.
        second_source: more images, for a configuration that takes a share of them.
        drop_duplicates: leave repeated images out.
        threads: torch's threads, on which the last bits of a CPU's results depend.
    """

    config: TrialConfig
    size: int
    seed: int
    source: SourceInfo
    second_source: SourceInfo | None = None
    drop_duplicates: bool = False
    threads: int = 1

    @property
    def key(self) -> str:
        """16 hexadecimal digits that name the folder: a hash of all but where the images lie."""
        content = self.to_dict() | {
            "format": FORMAT,
            "source": self.source.digest,
            "second_source": None if self.second_source is None else self.second_source.digest,
        }
        encoded = json.dumps(content, sort_keys=True).encode()
        return blake2b(encoded, digest_size=8).hexdigest()

    @property
    def training_config(self) -> DiffusionConfig:
        """Of the training, with this trial's seed."""
        return self.config.training.replace(seed=self.seed)

    def load_images(self, progress: Progress | None = None) -> TrainingImages:
        """The training set.

        Raises:
            InputError, UsageError: see `load_trial_images`.
        """
        return load_trial_images(
            self.source,
            self.second_source,
            self.config,
            size=self.size,
            seed=self.seed,
            drop_duplicates=self.drop_duplicates,
            progress=progress,
        )


def run_trial(
    spec: RunSpec,
    *,
    progress: Progress | None = None,
    on_stop: Callable[[], None] | None = None,
) -> bool:
    """Do a trial, or continue it; arguments and result are those of `sweep.run_spec.execute`.

    Raises:
        InputError, UsageError: images or a configuration that cannot be trained with (see
            `training.diffusion.train`), or other images than the study began with.
    """
    if load_result(spec.folder) is not None:
        return True
    trial = Trial.from_dict(spec.config)
    trial.save(spec.folder / TRIAL_FILE)
    threads = torch.get_num_threads()
    torch.set_num_threads(trial.threads)
    try:
        for source in filter(None, (trial.source, trial.second_source)):
            refuse_changed_source(source, progress=progress)
        data = trial.load_images(progress)
        training = train(
            data,
            spec.folder,
            trial.training_config,
            resume=(spec.folder / CONFIG_FILE).is_file(),
            device=spec.device,
            progress=progress,
            on_stop=on_stop,
        )
        if training.interrupted or training.stop_requested:
            return False
        result = _collect_result(trial, data, spec)
    finally:
        torch.set_num_threads(threads)
    result.save(spec.folder / RESULT_FILE)
    prune_snapshots(spec.folder, keep=result.step)
    return True


def _collect_result(trial: Trial, data: TrainingImages, spec: RunSpec) -> TrialResult:
    """The ratio of every snapshot, and memorized samples of the best one.

    Raises:
        InputError: a ratio is missing in the log, and its snapshot too.
    """
    device = "cuda" if spec.device != "cpu" and torch.cuda.is_available() else "cpu"
    ratios = run_folder.memorization_ratios(spec.folder)
    missing = set(trial.training_config.snapshot_steps(len(data))) - ratios.keys()
    if missing:
        raise InputError(
            f"{spec.folder}: both the ratio after {min(missing)} steps and its snapshot are "
            "missing. Delete the folder to do the trial again."
        )
    snapshots = tuple(Snapshot(**ratio) for ratio in ratios.values())
    best = max(snapshots, key=lambda snapshot: (snapshot.ratio, snapshot.step))
    model = run_folder.load_run(spec.folder, step=best.step, device=device)
    return TrialResult(
        ratio=best.ratio,
        step=best.step,
        snapshots=snapshots,
        duplicates=data.duplicates,
        digest=data.digest,
        memorized_samples=find_memorized_samples(
            model, data, seed=model.config.seed, device=device
        ),
    )


def prune_snapshots(folder: Path, *, keep: int) -> None:
    """Delete what only an unfinished training needs: all but the snapshot of step `keep`."""
    (folder / CHECKPOINT_FILE).unlink(missing_ok=True)
    for step in run_folder.snapshots(folder):
        if step != keep:
            run_folder.snapshot_file(folder, step).unlink(missing_ok=True)


def load_result(folder: Path) -> TrialResult | None:
    """What a finished trial found; None: it is not finished.

    Raises:
        InputError: the file is damaged.
    """
    path = folder / RESULT_FILE
    if not path.is_file():
        return None
    try:
        result = TrialResult.load(path)
    except InputError as error:
        raise InputError(f"{error} Delete its folder to do the trial again.") from error
    if result.step not in [snapshot.step for snapshot in result.snapshots]:
        raise InputError(
            f"{path}: cannot be read (no snapshot of step {result.step}). Delete its folder to do "
            "the trial again."
        )
    return result
