"""Models by name, for measuring: a run's folder, a diffusers pipeline; and the images for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from genmem.errors import InputError, UsageError
from genmem.images import Progress
from genmem.images.hub import PREFIX
from genmem.results import Json
from genmem.training.common.dataset import TrainingImages, load_training_images
from genmem.training.diffusion import run_folder
from genmem.training.diffusion.config import TrainingSettings, training_labels
from genmem.training.diffusion.evaluation.diffusers_loading import (
    INDEX,
    fetch_pipeline,
    read_pipeline,
)
from genmem.training.diffusion.sampler import Denoiser, Schedule


@dataclass(frozen=True, kw_only=True)
class Model:
    """A denoiser and what must be known to measure it.

    Attributes:
        denoiser: see `Denoiser`.
        name: the last part of what was given.
        shape: [C, H, W]; H and W are None where any side will do.
        classes: labels it is told; 0: none.
        schedule: noise levels to sample at.
        facts: for the report.
        settings: of the run's training; None for other people's models.
        record: the run's settings.json; empty for others.
    """

    denoiser: Denoiser
    name: str
    shape: tuple[int, int | None, int | None]
    classes: int
    schedule: Schedule
    facts: Mapping[str, Json]
    settings: TrainingSettings | None = None
    record: Mapping[str, Any]


def open_model(model: str | Path, *, device: str | torch.device = "cpu") -> Model:
    """Read a model.

    Args:
        model: the folder of a run of `genmem train diffusion`; the folder of a diffusers pipeline,
            or `hf:OWNER/NAME` for one on the hub.
        device: where to put it.

    Raises:
        InputError: it is none of these, or one that cannot be measured (see `read_pipeline`).
        UsageError: diffusers is needed and not installed.
    """
    text = str(model)
    if text.startswith(PREFIX):
        return _pipeline(fetch_pipeline(text), name=text, device=device)
    folder = Path(model)
    if (folder / INDEX).is_file():
        return _pipeline(folder, name=folder.resolve().name, device=device)
    if (folder / run_folder.SETTINGS).is_file():
        return _run(folder, device=device)
    raise InputError(
        f"{model}: expected the folder of a run of genmem train diffusion "
        f"({run_folder.SETTINGS}) or of a diffusers pipeline ({INDEX}), "
        f"or {PREFIX}OWNER/NAME for one on the hub; found "
        f"{'neither file there' if folder.is_dir() else 'no such folder'}."
    )


def _pipeline(folder: Path, *, name: str, device: str | torch.device) -> Model:
    found = read_pipeline(folder, name=name, device=device)
    return Model(
        denoiser=found,
        name=name,
        shape=found.shape,
        classes=found.classes,
        schedule=found.schedule(),
        facts={
            "kind": "diffusers pipeline",
            "predicts": found.prediction,
            "time_steps": len(found.sigmas),
            "sigma_from": float(found.sigmas[0]),
            "sigma_to": float(found.sigmas[-1]),
            "classes": found.classes,
        },
        record={},
    )


def _run(folder: Path, *, device: str | torch.device) -> Model:
    run = run_folder.load_run(folder, device=device)
    record = run_folder.read_settings(folder)
    run_folder.check_source(record["source"], str(folder / run_folder.SETTINGS))
    return Model(
        denoiser=run.denoiser,
        name=folder.resolve().name,
        shape=run.settings.network.image_shape,
        classes=run.classes,
        schedule=Schedule(),
        facts={
            "kind": "run of genmem train diffusion",
            "step": run.step,
            "parametrization": run.settings.parametrization,
            "labels": run.settings.labels,
            "classes": run.classes,
        },
        settings=run.settings,
        record=record,
    )


def load_for(
    model: Model,
    source: Any,
    *,
    size: int | None = None,
    without_duplicates: bool = False,
    skip_broken: bool = False,
    progress: Progress | None = None,
) -> TrainingImages:
    """The training images of a model, of its shape and with the labels that it was told.

    A run remembers which images of a source it took and at which size; these are taken again.

    Args:
        model: from `open_model`.
        source: whatever `open_images` takes.
        size: side to which images are resized; None: the run's, or as they are.
        without_duplicates: leave out images that repeat an earlier one.
        skip_broken: leave out unreadable images.
        progress: told how many images are read.

    Raises:
        InputError: images of another size than the model's, classes that are not the model's, or
            labels that only the images the run began with have.
        UsageError: `size` is not the run's.
    """
    chosen = dict(model.record.get("source") or {})
    if size is not None and chosen.get("size") not in (None, size):
        raise UsageError(
            f"size: the run was trained at {chosen['size']} pixels a side, got {size}; leave it "
            "out."
        )
    kind = _labels(model)
    data = load_training_images(
        source,
        size=chosen.get("size") if size is None else size,
        count=chosen.get("count"),
        seed=chosen.get("seed", 0),
        classes=kind == "true" or bool(chosen.get("classes")),
        only=chosen.get("only", ()),
        without_duplicates=without_duplicates or bool(chosen.get("without_duplicates")),
        skip_broken=skip_broken or bool(chosen.get("skip_broken")),
        progress=progress,
    )
    data = _same(model, data, kind)
    data = fitted(data, model.shape)
    return _told(model, data, kind)


def load_test_for(
    model: Model,
    source: Any,
    train: TrainingImages,
    *,
    skip_broken: bool = False,
    progress: Progress | None = None,
) -> TrainingImages:
    """Images that the model was not trained on, at the size of its training images.

    Raises:
        InputError: they cannot be read, or have no classes where the model is told them.
        UsageError: the model was told labels that no other image has (random, unique).
    """
    kind = _labels(model)
    if kind in ("random", "unique"):
        raise UsageError(
            f"test images: the model was told {kind} labels, which no image but those it was "
            "trained on has. Leave the test images out."
        )
    data = load_training_images(
        source,
        size=train.size,
        classes=kind == "true",
        only=train.classes if kind == "true" else (),
        skip_broken=skip_broken,
        progress=progress,
    )
    return fitted(data, model.shape)


def fitted(data: TrainingImages, shape: tuple[int, int | None, int | None]) -> TrainingImages:
    """The images, made grey for a model of one channel.

    Raises:
        InputError: another size than the model's, or colours for a model that knows none.
    """
    channels, side, _ = shape
    if side is not None and data.size != side:
        raise InputError(
            f"{data.name}: expected images of {side} × {side}, as the model makes them, got "
            f"{data.size} × {data.size}. Resize them: --size {side} (size={side} in Python)."
        )
    if channels == data.pixels.shape[1]:
        return data
    grey = data.pixels[:, :1]
    if not (data.pixels == grey).all():
        raise InputError(
            f"{data.name}: expected grey images, for a model of one channel, got colours."
        )
    return replace(data, pixels=grey.copy())


def _labels(model: Model) -> str:
    if model.settings is not None:
        return model.settings.labels
    return "true" if model.classes else "none"


def _same(model: Model, data: TrainingImages, kind: str) -> TrainingImages:
    """The images, with a note where they are not those that the run began with."""
    began = model.record.get("data")
    if not began or began["digest"] == data.digest:
        return data
    told = (
        f"these are not the images that the run was trained on ({began['name']}, "
        f"{began['count']:,} images)"
    )
    if kind in ("random", "unique"):
        raise InputError(
            f"{data.name}: {told}, and its {kind} labels are known for those only. Give the same "
            "source."
        )
    note = f"{told[0].upper()}{told[1:]}: ratio and distances are to these."
    return replace(data, notes=(*data.notes, note))


def _told(model: Model, data: TrainingImages, kind: str) -> TrainingImages:
    """The images with the labels that the model was told of them."""
    if model.settings is None or kind in ("none", "true"):
        return data
    labels, classes = training_labels(model.settings, data)
    return replace(data, labels=labels, classes=tuple(str(label) for label in range(classes)))
