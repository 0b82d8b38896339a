"""Models to evaluate, by the name of a run's folder or a diffusers pipeline, and their images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from genmem.errors import InputError, UsageError
from genmem.formatting import capitalize
from genmem.images import Progress
from genmem.images.hub import PREFIX
from genmem.io.paths import to_path
from genmem.results import Json
from genmem.training.common.config import ImageSelection
from genmem.training.common.dataset import TrainingImages, load_training_images
from genmem.training.common.run_folder import CONFIG_FILE
from genmem.training.diffusion import run_folder
from genmem.training.diffusion.config import DiffusionConfig
from genmem.training.diffusion.evaluation.diffusers_loading import (
    INDEX,
    fetch_pipeline,
    read_pipeline,
)
from genmem.training.diffusion.labels import LabelKind, training_labels
from genmem.training.diffusion.run_folder import DatasetRecord
from genmem.training.diffusion.sampler import Denoiser, Schedule


@dataclass(frozen=True, kw_only=True)
class Model:
    """A denoiser and what must be known to evaluate it.

    Attributes:
        denoiser: see `Denoiser`.
        name: the last part of what was given.
        shape: [C, H, W]; H and W are None where the model takes any side.
        classes: labels it is conditioned on; 0: none.
        schedule: noise levels to sample at.
        facts: for the report.
        config: of the run's training; None for a pipeline.
        dataset: what the run keeps of its training images; None for a pipeline.
        selection: which images of a source the run took; all of them for a pipeline.
    """

    denoiser: Denoiser
    name: str
    shape: tuple[int, int | None, int | None]
    classes: int
    schedule: Schedule
    facts: Mapping[str, Json]
    config: DiffusionConfig | None = None
    dataset: DatasetRecord | None = None
    selection: ImageSelection = field(default_factory=ImageSelection)

    @property
    def label_kind(self) -> LabelKind:
        """What labels the model is conditioned on."""
        if self.config is not None:
            return self.config.label_kind
        return "true" if self.classes else "none"


def open_model(model: str | Path, *, device: str | torch.device = "cpu") -> Model:
    """Read a model.

    Args:
        model: the folder of a run of `genmem train diffusion`; the folder of a diffusers pipeline,
            or `hf:OWNER/NAME` for one on the hub.
        device: where to put it.

    Raises:
        InputError: it is none of these, or one that cannot be evaluated (see `read_pipeline`).
        UsageError: diffusers is needed and not installed.
    """
    text = str(model)
    if text.startswith(PREFIX):
        return _pipeline(fetch_pipeline(text), name=text, device=device)
    folder = to_path(model, name="model")
    if (folder / INDEX).is_file():
        return _pipeline(folder, name=folder.resolve().name, device=device)
    if (folder / run_folder.DATASET_FILE).is_file():
        return _run(folder, device=device)
    raise InputError(
        f"{model}: expected the folder of a run of genmem train diffusion "
        f"({CONFIG_FILE}) or of a diffusers pipeline ({INDEX}), "
        f"or {PREFIX}OWNER/NAME for one on the hub; found "
        f"{'neither file there' if folder.is_dir() else 'no such folder'}."
    )


def _pipeline(folder: Path, *, name: str, device: str | torch.device) -> Model:
    pipeline = read_pipeline(folder, name=name, device=device)
    return Model(
        denoiser=pipeline,
        name=name,
        shape=pipeline.shape,
        classes=pipeline.classes,
        schedule=pipeline.schedule(),
        facts={
            "kind": "diffusers pipeline",
            "predicts": pipeline.prediction,
            "time_steps": len(pipeline.sigmas),
            "sigma_from": float(pipeline.sigmas[0]),
            "sigma_to": float(pipeline.sigmas[-1]),
            "classes": pipeline.classes,
        },
    )


def _run(folder: Path, *, device: str | torch.device) -> Model:
    run = run_folder.load_run(folder, device=device)
    dataset = run_folder.read_dataset_record(folder)
    return Model(
        denoiser=run.denoiser,
        name=folder.resolve().name,
        shape=run.config.network.image_shape,
        classes=run.classes,
        schedule=Schedule(),
        facts={
            "kind": "run of genmem train diffusion",
            "step": run.step,
            "parametrization": run.config.parametrization,
            "labels": run.config.labels,
            "classes": run.classes,
        },
        config=run.config,
        dataset=dataset,
        selection=dataset.selection(folder) or ImageSelection(),
    )


def load_for(
    model: Model,
    source: Any,
    *,
    size: int | None = None,
    drop_duplicates: bool = False,
    skip_broken: bool = False,
    progress: Progress | None = None,
) -> TrainingImages:
    """The training images of a model, of its shape and with the labels of its training.

    The images that a run selected from its source, at its size, are selected again.

    Args:
        model: from `open_model`.
        source: whatever `open_images` takes.
        size: side to which images are resized; None: the run's, or as they are.
        drop_duplicates: leave out images that repeat an earlier one.
        skip_broken: leave out unreadable images.
        progress: called with the number of images read.

    Raises:
        InputError: images of another size than the model's, classes that are not the model's, or
            labels that only the images the run began with have.
        UsageError: `size` is not the run's.
    """
    selection = model.selection
    if size is not None and selection.size not in (None, size):
        raise UsageError(
            f"size: expected the run's {selection.size} pixels a side, got {size}. Leave it out."
        )
    data = load_training_images(
        source,
        selection.replace(
            size=selection.size if size is None else size,
            classes=model.label_kind == "true" or selection.classes,
            drop_duplicates=drop_duplicates or selection.drop_duplicates,
            skip_broken=skip_broken or selection.skip_broken,
        ),
        progress=progress,
    )
    data = _note_other_images(model, data)
    data = fit_channels(data, model.shape)
    return _with_model_labels(model, data)


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
        InputError: they cannot be read, or have no classes though the model is conditioned on them.
        UsageError: the model is conditioned on labels that no other image has (random, unique).
    """
    kind = model.label_kind
    if kind in ("random", "unique"):
        raise UsageError(
            f"test: the model is conditioned on {kind} labels, which only its training images "
            "have. Leave the test images out."
        )
    data = load_training_images(
        source,
        ImageSelection(
            size=train.size,
            classes=kind == "true",
            only=train.classes if kind == "true" else (),
            skip_broken=skip_broken,
        ),
        progress=progress,
    )
    return fit_channels(data, model.shape)


def fit_channels(data: TrainingImages, shape: tuple[int, int | None, int | None]) -> TrainingImages:
    """The images with the model's number of channels: one, for grey images, or three.

    Raises:
        InputError: another size than the model's, or colors for a model of one channel.
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
            f"{data.name}: expected grey images, for a model of one channel, got colors."
        )
    return replace(data, pixels=grey.copy())


def _note_other_images(model: Model, data: TrainingImages) -> TrainingImages:
    """The images, with a note where they are not those that the run was trained on."""
    dataset, kind = model.dataset, model.label_kind
    if dataset is None or dataset.digest == data.digest:
        return data
    other = (
        f"these are not the images that the run was trained on ({dataset.name}, "
        f"{dataset.count:,} images)"
    )
    if kind in ("random", "unique"):
        raise InputError(
            f"{data.name}: {other}, and its {kind} labels are known for those only. Give the same "
            "source."
        )
    note = f"{capitalize(other)}: ratio and distances are to these."
    return replace(data, notes=(*data.notes, note))


def _with_model_labels(model: Model, data: TrainingImages) -> TrainingImages:
    """The images with the labels that the model was conditioned on."""
    if model.config is None or model.label_kind in ("none", "true"):
        return data
    labels, classes = training_labels(model.config.labels, data, seed=model.config.seed)
    return replace(data, labels=labels, classes=tuple(str(label) for label in range(classes)))
