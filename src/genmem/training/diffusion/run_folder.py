"""A run's folder: what training leaves there, and denoisers read back from it.

RUN/settings.json              settings, the training images' names and hash, versions
RUN/log.jsonl                  loss, learning rate and ratios by step
RUN/checkpoint.safetensors     everything to go on from
RUN/snapshots/00012000.safetensors   averaged weights after 12,000 steps
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from genmem.errors import InputError, UsageError
from genmem.images import Progress
from genmem.io.atomic import atomic_write
from genmem.metrics.memorization_ratio import memorization_ratio
from genmem.results import Json, Result
from genmem.training.common import checkpoint, run_log
from genmem.training.common.checkpoint import Checkpoint, load_checkpoint, load_module
from genmem.training.common.dataset import TrainingImages
from genmem.training.diffusion.config import TrainingSettings, settings_from
from genmem.training.diffusion.networks import UNet
from genmem.training.diffusion.preconditioning import NetworkDenoiser, preconditioning
from genmem.training.diffusion.sampler import Denoiser, Schedule, sample

KIND = "diffusion"
SETTINGS = "settings.json"
CHECKPOINT = checkpoint.CHECKPOINT_FILE
LOG = run_log.FILE
SNAPSHOTS = "snapshots"

OF_THE_SOURCE = {
    "source": "a text",
    "size": "a number or null",
    "count": "a number or null",
    "seed": "a number",
    "classes": "true or false",
    "only": "a list of texts",
    "without_duplicates": "true or false",
    "skip_broken": "true or false",
}
"""What settings.json says of where the images came from: the arguments that load them. Nothing
where they were given in Python."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """A trained model, read back.

    Attributes:
        denoiser: with the averaged weights, in evaluation mode.
        settings: of its training.
        step: after how many steps.
        classes: how many labels it knows; 0: none.
    """

    denoiser: NetworkDenoiser
    settings: TrainingSettings
    step: int
    classes: int


def make_denoiser(settings: TrainingSettings) -> NetworkDenoiser:
    """The network of these settings, with fresh weights, in its preconditioning."""
    return NetworkDenoiser(UNet(settings.network), preconditioning(settings.parametrization))


def snapshot_file(folder: Path, step: int) -> Path:
    """Where the averaged weights after so many steps are."""
    return folder / SNAPSHOTS / f"{step:08d}.safetensors"


def snapshots(folder: Path) -> list[int]:
    """The steps of the snapshots in a run's folder, the earliest first."""
    found = (folder / SNAPSHOTS).glob("*.safetensors")
    return sorted(int(path.stem) for path in found if path.stem.isdigit())


def write_settings(folder: Path, document: dict[str, Json]) -> None:
    """Write RUN/settings.json."""
    with atomic_write(folder / SETTINGS) as file:
        file.write((json.dumps(document, indent=2, allow_nan=False) + "\n").encode())


def read_settings(folder: Path) -> dict[str, Json]:
    """Read RUN/settings.json.

    Raises:
        InputError: there is none, or it is not what `prepare_folder` wrote.
    """
    path = folder / SETTINGS
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read; expected the folder of a training run."
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON: {error}.") from error
    wrong = _wrong(found)
    if wrong:
        raise InputError(
            f"{path}: damaged, or no run's: expected {wrong}. Put the file back, or train anew."
        )
    return found


def ratios(folder: Path) -> dict[int, dict[str, Json]]:
    """The memorization ratios in a run's log, by the step of their snapshot, the earliest first.

    Returns:
        Of each `step`, `ratio`, `low` and `high` (95 %, Clopper and Pearson) and `samples`, how
        many were drawn. Lines that hold something else are passed over.

    Raises:
        InputError: the log cannot be read.
    """
    found = {}
    for line in run_log.read_log(folder / LOG):
        with suppress(KeyError, TypeError, ValueError):
            ratio = line["memorization_ratio"]
            low, high = ratio["interval"]["low"], ratio["interval"]["high"]
            samples = ratio["n"]["generated"]
            if 0 <= low <= ratio["value"] <= high <= 1 and samples >= 1:
                values = {"ratio": ratio["value"], "low": low, "high": high, "samples": samples}
                found[line["step"]] = {"step": line["step"], **values}
    return dict(sorted(found.items()))


def _wrong(document: Json) -> str | None:
    """What is not there as `prepare_folder` writes it; None: all is."""
    if not isinstance(document, dict):
        return "a JSON object"
    for name in ("settings", "data", "source"):
        if not isinstance(document.get(name), dict):
            return f"an object {name!r}"
    for name, kind in {"name": str, "digest": str, "count": int}.items():
        if not isinstance(document["data"].get(name), kind):
            return f"{name!r} of the data, {'a number' if kind is int else 'a text'}"
    return None


def check_source(source: Mapping[str, Json], where: str) -> None:
    """Raise InputError where a value of a run's source is not what its images can be loaded by.

    Args:
        source: of RUN/settings.json; what a run that was begun in Python says of its own is passed
            over.
        where: the file, for the message.
    """
    for name, kind in OF_THE_SOURCE.items():
        if name in source and not _is_right(name, source[name]):
            raise InputError(
                f"{where}: damaged: expected {name!r} of the source, {kind}, got "
                f"{source[name]!r}. Put the file back, or train anew."
            )


def _is_right(name: str, value: Json) -> bool:
    """Whether a value of the source is of the type that `OF_THE_SOURCE` names."""
    if name == "only":
        return isinstance(value, list) and all(isinstance(one, str) for one in value)
    if name == "source":
        return isinstance(value, str)
    if name in ("size", "count") and value is None:
        return True
    return isinstance(value, int) and isinstance(value, bool) == (
        name not in ("size", "count", "seed")
    )


def settings_in(document: dict[str, Json], where: str) -> TrainingSettings:
    """The settings in a run's settings.json.

    Args:
        document: from `read_settings`.
        where: the file, for the message.

    Raises:
        InputError: they are another version's, or a value cannot be.
    """
    try:
        return settings_from(document["settings"])
    except UsageError as error:
        raise InputError(f"{where}: damaged: {error} Put the file back, or train anew.") from error


def load_run(
    folder: str | Path, *, step: int | None = None, device: str | torch.device = "cpu"
) -> Run:
    """Read a model back.

    Args:
        folder: the run's.
        step: of the snapshot; None: the latest.
        device: where to put it.

    Raises:
        InputError: no run, no such snapshot, or one of another version.
    """
    folder = Path(folder)
    settings = settings_in(read_settings(folder), str(folder / SETTINGS))
    there = snapshots(folder)
    if step is None and there:
        step = there[-1]
    if step not in there:
        raise InputError(
            f"{folder}: expected a snapshot after {step} steps, found "
            f"{', '.join(map(str, there)) or 'none yet'}."
        )
    checkpoint = load_checkpoint(snapshot_file(folder, step), kind=f"{KIND} snapshot")
    return Run(
        denoiser=averaged(settings, checkpoint).to(device),
        settings=settings,
        step=step,
        classes=settings.network.classes,
    )


def averaged(settings: TrainingSettings, checkpoint: Checkpoint) -> NetworkDenoiser:
    """The denoiser with a checkpoint's averaged weights, in evaluation mode."""
    denoiser = make_denoiser(settings)
    load_module(denoiser, "ema", checkpoint)
    return denoiser.eval().requires_grad_(False)


def memorized(
    denoiser: Denoiser,
    data: TrainingImages,
    *,
    samples: int = 10_000,
    classes: int = 0,
    seed: int = 0,
    batch_size: int = 256,
    device: str | torch.device = "cpu",
    schedule: Schedule | None = None,
    progress: Progress | None = None,
) -> Result:
    """The memorization ratio of samples: d1/d2 < 1/3, in pixels.

    Args:
        denoiser: the model.
        data: what it was trained on; at least two different images.
        samples: how many are drawn.
        classes: labels it knows, drawn uniformly; 0: none.
        seed: of the samples.
        batch_size: samples at a time.
        device: where the model is.
        schedule: noise levels; None: the paper's.
        progress: told how many samples are done.
    """
    if samples < 1:
        raise UsageError(f"samples: expected at least 1, got {samples}.")
    drawn = sample(
        denoiser,
        samples,
        shape=data.pixels.shape[1:],
        classes=classes,
        seed=seed,
        batch_size=batch_size,
        device=device,
        schedule=schedule,
        progress=progress,
    )
    generated, train = (
        torch.from_numpy(np.ascontiguousarray(pixels).reshape(len(pixels), -1))
        .to(device)
        .to(torch.float32)
        for pixels in (drawn, data.pixels)
    )
    return memorization_ratio(generated=generated, train=train)
