"""One training of a study: a folder named by the hash of all that decides its numbers.

FOLDER/task.json      what is to be trained (a `Trial`)
FOLDER/outcome.json   what was found: there once the trial is finished, written last
FOLDER/…              the training's own files while it runs (see `training.diffusion.runs`)
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock

from genmem.errors import InputError
from genmem.images import Progress
from genmem.io.atomic import atomic_write
from genmem.results import Json, to_json
from genmem.training.common.checkpoint import CHECKPOINT_FILE
from genmem.training.common.config import Device
from genmem.training.common.dataset import TrainingImages
from genmem.training.common.run_folder import CONFIG_FILE
from genmem.training.diffusion import run_folder
from genmem.training.diffusion.config import DiffusionConfig
from genmem.training.diffusion.train import train
from genmem.training.emm.dataset import Source, training_images
from genmem.training.emm.factors import Configuration, configuration_from
from genmem.training.emm.memorized_samples import exhibits


def do_trial(
    folder: Path,
    *,
    device: Device = "auto",
    progress: Progress | None = None,
    on_stop: Callable[[], None] | None = None,
) -> dict[str, Json] | None:
    """Do the trial that FOLDER/task.json describes, or go on with it.

    A second process that is given the same folder waits for the first.

    Args:
        folder: the trial's.
        device: where to train.
        progress: told how far training and measuring are.
        on_stop: called at the first Ctrl-C or SIGTERM, to say that it was heard.

    Returns:
        What it found, as `outcome` reads it; None: it was asked to stop (Ctrl-C or SIGTERM), and
        has saved.

    Raises:
        InputError, UsageError: images or settings that cannot be trained with (see
            `training.diffusion.train`), or other images than the study began with.
    """
    with FileLock(folder / ".lock"):
        found = outcome(folder)
        if found is not None:
            return found
        trial = read_task(folder)
        threads = torch.get_num_threads()
        torch.set_num_threads(trial.threads)
        try:
            return _do(trial, folder, device, progress, on_stop)
        finally:
            torch.set_num_threads(threads)


def _do(
    trial: Trial,
    folder: Path,
    device: Device,
    progress: Progress | None,
    on_stop: Callable[[], None] | None,
) -> dict[str, Json] | None:
    data = training_images(
        trial.source,
        trial.second,
        trial.configuration,
        count=trial.count,
        seed=trial.seed,
        without_duplicates=trial.without_duplicates,
        progress=progress,
    )
    ending = train(
        data,
        folder,
        trial.settings,
        resume=(folder / CONFIG_FILE).is_file(),
        device=device,
        progress=progress,
        on_stop=on_stop,
    )
    if ending.interrupted or ending.stop_requested:
        return None
    found = _measured(trial, data, folder, device)
    write_document(folder / OUTCOME, found)
    tidy(folder, keep=found["step"])
    return found


def _measured(trial: Trial, data: TrainingImages, folder: Path, device: Device) -> dict[str, Json]:
    """The ratio of every snapshot, and pictures of the best one's samples.

    Raises:
        InputError: a ratio is lost, and its snapshot too.
    """
    on = "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"
    ratios = run_folder.memorization_ratios(folder)
    lost = set(trial.settings.snapshot_steps(len(data))) - ratios.keys()
    if lost:
        raise InputError(
            f"{folder}: neither the ratio after {min(lost)} steps is there nor its snapshot. "
            "Delete the folder to do the trial anew."
        )
    snapshots = list(ratios.values())
    best = max(snapshots, key=lambda one: (one["ratio"], one["step"]))
    run = run_folder.load_run(folder, step=best["step"], device=on)
    return {
        "ratio": best["ratio"],
        "step": best["step"],
        "snapshots": snapshots,
        "duplicates": data.duplicates,
        "digest": data.digest,
        "exhibits": exhibits(run, data, seed=run.config.seed, device=on),
    }


def tidy(folder: Path, *, keep: int) -> None:
    """Delete what only an unfinished training needs: all but the snapshot of step `keep`."""
    (folder / CHECKPOINT_FILE).unlink(missing_ok=True)
    for step in run_folder.snapshots(folder):
        if step != keep:
            run_folder.snapshot_file(folder, step).unlink(missing_ok=True)


FORMAT = "genmem emm trial 1"
"""Part of every key; raised when the numbers of older trials no longer stand beside newer ones."""

TASK = "task.json"
OUTCOME = "outcome.json"


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One training, and the measurement of its snapshots.

    Attributes:
        configuration: what is trained.
        count: |D|.
        seed: of the training set, the weights, their noise and the samples.
        source: the images.
        second: those of the second source, for a configuration that takes a share of it.
        without_duplicates: leave repeated images out.
        threads: torch's threads, on which the last bits of a CPU's results depend.
    """

    configuration: Configuration
    count: int
    seed: int
    source: Source
    second: Source | None = None
    without_duplicates: bool = False
    threads: int = 1

    @property
    def key(self) -> str:
        """16 hexadecimal digits that name the folder: a hash of all but where the images lie."""
        decides = {
            "format": FORMAT,
            "configuration": self.configuration.to_dict(),
            "count": self.count,
            "seed": self.seed,
            "source": self.source.digest,
            "second": None if self.second is None else self.second.digest,
            "without_duplicates": self.without_duplicates,
            "threads": self.threads,
        }
        content = json.dumps(decides, sort_keys=True).encode()
        return blake2b(content, digest_size=8).hexdigest()

    @property
    def settings(self) -> DiffusionConfig:
        """Of the training, with this trial's seed."""
        return self.configuration.training.replace(seed=self.seed)

    def to_dict(self) -> dict[str, Json]:
        """As plain JSON; `trial_from` reads it."""
        return to_json({**asdict(self), "configuration": self.configuration.to_dict()})


def trial_from(document: dict[str, Any]) -> Trial:
    """The trial that `to_dict` wrote."""
    sources = {
        role: None
        if document[role] is None
        else Source(**{**document[role], "classes": tuple(document[role]["classes"])})
        for role in ("source", "second")
    }
    configuration = configuration_from(document["configuration"])
    return Trial(**{**document, **sources, "configuration": configuration})


def write_task(folder: Path, trial: Trial) -> None:
    """Make the trial's folder, with what another process needs to do it."""
    folder.mkdir(parents=True, exist_ok=True)
    write_document(folder / TASK, trial.to_dict())


def read_task(folder: Path) -> Trial:
    """What `write_task` left.

    Raises:
        InputError: it is not there, or damaged.
    """
    path = folder / TASK
    found = _read(path)
    try:
        return trial_from(found)
    except (KeyError, TypeError, AttributeError) as error:
        raise _damaged(path, repr(error)) from error


def outcome(folder: Path) -> dict[str, Json] | None:
    """What a finished trial found; None: it is not finished.

    Returns:
        `ratio`, the largest over the snapshots; `step`, whose it is; `snapshots`, each with its
        `step`, `ratio`, `low` and `high` (95 %, Clopper and Pearson) and `samples`; `duplicates`;
        `digest` of the training images; `exhibits`.

    Raises:
        InputError: the file is damaged.
    """
    path = folder / OUTCOME
    if not path.is_file():
        return None
    found = _read(path)
    for name, is_right in _PARTS.items():
        try:
            right = is_right(found[name])
        except (KeyError, TypeError, ValueError):
            right = False
        if not right:
            raise _damaged(path, f"no {name}, or a strange one")
    if found["step"] not in [one["step"] for one in found["snapshots"]]:
        raise _damaged(path, f"no snapshot of step {found['step']}")
    return found


def _is_snapshot(one: Any) -> bool:
    whole = one["step"] >= 1 and one["samples"] >= 1
    return whole and 0 <= one["low"] <= one["ratio"] <= one["high"] <= 1


def _is_exhibit(one: Any) -> bool:
    numbers = [one["sample"], one["d1"], one["d2"], one["ratio"]]
    texts = [one["nearest"], one["second"], *one["pictures"]]
    return (
        all(number >= 0 for number in numbers)
        and all(isinstance(text, str) for text in texts)
        and len(texts) == 5
    )


_PARTS: dict[str, Callable[[Any], bool]] = {
    "ratio": lambda found: 0 <= found <= 1,
    "step": lambda found: found >= 1,
    "duplicates": lambda found: found >= 0,
    "snapshots": lambda found: len(found) > 0 and all(map(_is_snapshot, found)),
    "exhibits": lambda found: all(map(_is_exhibit, found)),
}
"""Of an outcome: what is right of each. What else would raise KeyError or TypeError is not."""


def write_document(path: Path, document: Json) -> None:
    """Write a JSON file, whole or not at all."""
    with atomic_write(path) as file:
        file.write((json.dumps(to_json(document), allow_nan=False) + "\n").encode())


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(path, str(error)) from error
    if not isinstance(found, dict):
        raise _damaged(path, "no JSON object")
    return found


def _damaged(path: Path, why: str) -> InputError:
    return InputError(f"{path}: cannot be read ({why}). Delete its folder to do the trial anew.")
