"""The beginning of a run: what must hold before the first step, and what is written then."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from genmem.errors import InputError, UsageError
from genmem.report.files import check_folder_writable
from genmem.report.text import count
from genmem.results import Json
from genmem.training.checkpoints import Checkpoint, load_checkpoint
from genmem.training.data import TrainingImages
from genmem.training.diffusion import runs
from genmem.training.diffusion.settings import TrainingSettings, differing


def check_images(data: TrainingImages, settings: TrainingSettings) -> None:
    """Refuse images that cannot be trained on, or not be measured at the first snapshot.

    Raises:
        InputError: another shape than the network takes, or fewer than two different images
            though snapshots are to be measured: d1/d2 needs two.
    """
    expected = settings.network.image_shape
    if tuple(data.pixels.shape[1:]) != expected:
        raise InputError(
            f"{data.name}: expected images of shape {list(expected)} (channels, height, width), as "
            f"the network takes, got {list(data.pixels.shape[1:])}."
        )
    if settings.samples and all(np.array_equal(data.pixels[0], one) for one in data.pixels[1:]):
        raise InputError(
            f"{data.name}: expected at least two different images, got {count(len(data), 'image')} "
            "with the same pixels: snapshots are measured by the distances to the two nearest. "
            "Give more images, or ask for samples of 0."
        )


def check_new(folder: Path) -> None:
    """Raise UsageError where the folder holds a run already, or cannot be written."""
    if any((folder / name).is_file() for name in (runs.CHECKPOINT, runs.SETTINGS)):
        raise UsageError(
            f"{folder} holds a run already; go on with it by --resume, or name another folder."
        )
    check_folder_writable(folder)


def checkpoint_of(
    folder: Path, settings: TrainingSettings, data: TrainingImages, *, resume: bool
) -> Checkpoint | None:
    """The checkpoint to go on from; None for a new run.

    Raises:
        InputError: other images than the run began with, or a checkpoint that cannot be used.
        UsageError: a run that is there already, or other settings than it began with.
    """
    if not resume:
        check_new(folder)
        return None
    document = runs.read_settings(folder)
    other = differing(settings, runs.settings_in(document, str(folder / runs.SETTINGS)))
    if other:
        raise UsageError(
            f"{folder}: the run began with another {', '.join(other)}; resume it with the settings "
            f"in its {runs.SETTINGS}, or begin another run."
        )
    if document["data"]["digest"] != data.digest:
        raise InputError(
            f"{folder}: the run began with other training images ({document['data']['name']}, "
            f"{document['data']['count']:,} images); expected the same ones to resume it."
        )
    if not (folder / runs.CHECKPOINT).is_file():
        return None  # stopped before the first checkpoint
    return load_checkpoint(folder / runs.CHECKPOINT, kind=runs.KIND)


def prepare_folder(
    folder: Path, settings: TrainingSettings, data: TrainingImages, source: Mapping[str, Json]
) -> None:
    """Make a new run's folder, with its settings.

    Raises:
        UsageError: it cannot be made.
    """
    from genmem import __version__

    try:
        (folder / runs.SNAPSHOTS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make {folder}: {(error.strerror or '').lower()}.") from error
    described: dict[str, Json] = {
        "name": data.name,
        "count": len(data),
        "digest": data.digest,
        "duplicates": data.duplicates,
        "classes": list(data.classes),
    }
    versions = {"genmem": __version__, "torch": torch.__version__}
    runs.write_settings(
        folder,
        {
            "settings": settings.to_dict(),
            "data": described,
            "source": dict(source),
            "versions": versions,
        },
    )
