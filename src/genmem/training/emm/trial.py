"""One training of a study: a folder named by the hash of all that decides its numbers.

FOLDER/task.json      what is to be trained (a `Trial`)
FOLDER/outcome.json   what was found: there once the trial is finished, written last
FOLDER/…              the training's own files while it runs (see `training.diffusion.runs`)

A trial that was interrupted, however hard, goes on from its checkpoint and finds the same numbers
as one that was not; a finished one is never done again. When it is finished its checkpoint and all
snapshots but the one with the largest ratio are deleted.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock

from genmem.errors import InputError
from genmem.images import Progress
from genmem.report.files import written_whole
from genmem.results import Json, to_json
from genmem.training.data import TrainingImages
from genmem.training.diffusion import runs
from genmem.training.diffusion.loop import train
from genmem.training.diffusion.settings import TrainingSettings
from genmem.training.diffusion.state import Device
from genmem.training.emm.exhibits import exhibits
from genmem.training.emm.factors import Configuration, configuration_from
from genmem.training.emm.images import Source, training_images
from genmem.training.runlog import read_log

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
    def settings(self) -> TrainingSettings:
        """Of the training, with this trial's seed."""
        return replace(self.configuration.training, seed=self.seed)

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
    _write(folder / TASK, trial.to_dict())


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
    kinds = {"ratio": (int, float), "step": int, "duplicates": int}
    kinds |= {"snapshots": list, "exhibits": list}
    for name, kind in kinds.items():
        if not isinstance(found.get(name), kind):
            raise _damaged(path, f"no {name}")
    return found


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
        resume=(folder / runs.SETTINGS).is_file(),
        device=device,
        progress=progress,
        on_stop=on_stop,
    )
    if ending.interrupted or ending.asked:
        return None
    found = _measured(data, folder, device)
    _write(folder / OUTCOME, found)
    _tidy(folder, keep=found["step"])
    return found


def _measured(data: TrainingImages, folder: Path, device: Device) -> dict[str, Json]:
    """The ratios that training logged, and pictures of the best snapshot's samples."""
    lines = [line for line in read_log(folder / runs.LOG) if "memorization_ratio" in line]
    if not lines:
        raise InputError(f"{folder}: the training's log holds no memorization ratio.")
    snapshots = [
        {
            "step": line["step"],
            "ratio": line["memorization_ratio"]["value"],
            "low": line["memorization_ratio"]["interval"]["low"],
            "high": line["memorization_ratio"]["interval"]["high"],
            "samples": line["memorization_ratio"]["n"]["generated"],
        }
        for line in lines
    ]
    best = max(snapshots, key=lambda one: (one["ratio"], one["step"]))
    on = "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"
    run = runs.load_run(folder, step=best["step"], device=on)
    return {
        "ratio": best["ratio"],
        "step": best["step"],
        "snapshots": snapshots,
        "duplicates": data.duplicates,
        "digest": data.digest,
        "exhibits": exhibits(run, data, seed=run.settings.seed, device=on),
    }


def _tidy(folder: Path, *, keep: int) -> None:
    """Delete what only an unfinished training needs."""
    (folder / runs.CHECKPOINT).unlink(missing_ok=True)
    for step in runs.snapshots(folder):
        if step != keep:
            runs.snapshot_file(folder, step).unlink(missing_ok=True)


def _write(path: Path, document: Json) -> None:
    with written_whole(path) as file:
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
