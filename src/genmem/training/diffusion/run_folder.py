"""The folder of a diffusion run: what training writes there, and reading a model back from it.

RUN/config.json               the configuration
RUN/dataset.json              names and hash of the training images, where they came from, versions
RUN/log.jsonl                 loss, learning rate and memorization ratios by step
RUN/checkpoint.safetensors    everything needed to resume
RUN/snapshots/00012000.safetensors   averaged weights after 12,000 steps
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from genmem.errors import InputError, UsageError
from genmem.io.paths import to_path
from genmem.metrics.memorization_ratio import memorization_ratio
from genmem.results import Json, Result
from genmem.training.common.checkpoint import Checkpoint, load_checkpoint, load_module
from genmem.training.common.config import ImageSelection, read_config
from genmem.training.common.dataset import TrainingImages
from genmem.training.common.run_folder import CONFIG_FILE, no_run_error, write_json
from genmem.training.common.run_log import LOG_FILE, read_log
from genmem.training.diffusion.config import DiffusionConfig
from genmem.training.diffusion.networks import UNet
from genmem.training.diffusion.preconditioning import NetworkDenoiser, preconditioning
from genmem.training.diffusion.sampler import Denoiser, Sampling, sample

KIND = "diffusion"
"""Kind of the checkpoints."""

SNAPSHOT_KIND = "diffusion snapshot"
"""Kind of the snapshots."""

DATASET_FILE = "dataset.json"
SNAPSHOTS = "snapshots"

_DAMAGED = "Put the file back, or train a new run."


@dataclass(frozen=True, kw_only=True)
class DatasetRecord:
    """What a run keeps of its training images.

    Attributes:
        name: of the source.
        count: number of images.
        digest: hash of pixels and labels, 32 hexadecimal digits.
        duplicates: how many images repeat an earlier one.
        classes: names of the classes.
        source: how the images were loaded; runs that were started in Python may hold anything.
        versions: of genmem and torch.
    """

    name: str
    count: int
    digest: str
    duplicates: int = 0
    classes: tuple[str, ...] = ()
    source: Mapping[str, Json] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, data: TrainingImages, source: Mapping[str, Json]) -> DatasetRecord:
        """The record of a new run."""
        from genmem import __version__

        return cls(
            name=data.name,
            count=len(data),
            digest=data.digest,
            duplicates=data.duplicates,
            classes=data.classes,
            source=dict(source),
            versions={"genmem": __version__, "torch": torch.__version__},
        )

    def selection(self, folder: Path) -> ImageSelection | None:
        """How the images were loaded; None where the run was started in Python and says otherwise.

        Raises:
            InputError: a value is of another type than it must be.
        """
        if self.source.keys() - ImageSelection.model_fields.keys():
            return None
        try:
            return ImageSelection(**self.source)
        except UsageError as error:
            raise InputError(
                f"{folder / DATASET_FILE}: damaged: source.{error} {_DAMAGED}"
            ) from error


@dataclass(frozen=True, kw_only=True)
class TrainedModel:
    """A trained model, read back.

    Attributes:
        denoiser: with the averaged weights, in evaluation mode.
        config: of its training.
        step: after how many steps.
        classes: how many labels it is conditioned on; 0: none.
    """

    denoiser: NetworkDenoiser
    config: DiffusionConfig
    step: int
    classes: int


def build_denoiser(config: DiffusionConfig) -> NetworkDenoiser:
    """The configured network with fresh weights, in its preconditioning."""
    return NetworkDenoiser(UNet(config.network), preconditioning(config.parametrization))


def snapshot_file(folder: Path, step: int) -> Path:
    """Where the averaged weights after so many steps are."""
    return folder / SNAPSHOTS / f"{step:08d}.safetensors"


def snapshots(folder: Path) -> list[int]:
    """The steps of the snapshots in a run's folder, the earliest first."""
    files = (folder / SNAPSHOTS).glob("*.safetensors")
    return sorted(int(path.stem) for path in files if path.stem.isdigit())


def write_dataset_record(folder: Path, record: DatasetRecord) -> None:
    """Write RUN/dataset.json."""
    write_json(folder / DATASET_FILE, asdict(record))


def read_dataset_record(folder: Path) -> DatasetRecord:
    """Read RUN/dataset.json.

    Raises:
        InputError: there is none, or it is damaged.
    """
    path = folder / DATASET_FILE
    document = _read(path)
    types: dict[str, tuple[type, str]] = {
        "name": (str, "text"),
        "count": (int, "a number"),
        "digest": (str, "text"),
        "source": (dict, "an object"),
    }
    for name, (expected, description) in types.items():
        if not isinstance(document.get(name), expected):
            raise InputError(f"{path}: damaged: expected {name!r}, {description}. {_DAMAGED}")
    document["classes"] = tuple(document.get("classes", ()))
    names = DatasetRecord.__dataclass_fields__
    return DatasetRecord(**{name: document[name] for name in names if name in document})


def read_run_config(folder: Path) -> DiffusionConfig:
    """The configuration in RUN/config.json.

    Raises:
        InputError: there is none, it is damaged, or another version's.
    """
    path = folder / CONFIG_FILE
    try:
        return DiffusionConfig(**_read(path))
    except UsageError as error:
        raise InputError(f"{path}: damaged, or of another version: {error} {_DAMAGED}") from error


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise no_run_error(path.parent, path.name)
    return read_config(path)


def memorization_ratios(folder: Path) -> dict[int, dict[str, Json]]:
    """The memorization ratios in a run's log, by the step of their snapshot, the earliest first.

    Returns:
        For each: `step`, `ratio`, `low` and `high` (95 %, Clopper and Pearson) and `samples`, how
        many were drawn. Other lines are ignored.

    Raises:
        InputError: the log cannot be read.
    """
    ratios = {}
    for line in read_log(folder / LOG_FILE):
        with suppress(KeyError, TypeError, ValueError):
            ratio = line["memorization_ratio"]
            low, high = ratio["interval"]["low"], ratio["interval"]["high"]
            samples = ratio["n"]["generated"]
            if 0 <= low <= ratio["value"] <= high <= 1 and samples >= 1:
                values = {"ratio": ratio["value"], "low": low, "high": high, "samples": samples}
                ratios[line["step"]] = {"step": line["step"], **values}
    return dict(sorted(ratios.items()))


def load_run(
    folder: str | Path, *, step: int | None = None, device: str | torch.device = "cpu"
) -> TrainedModel:
    """Read a trained model back.

    Args:
        folder: the run's.
        step: of the snapshot; None: the latest.
        device: where to put it.

    Raises:
        InputError: no run, no such snapshot, or one of another version.
    """
    folder = to_path(folder, name="folder")
    config = read_run_config(folder)
    steps = snapshots(folder)
    if step is None and steps:
        step = steps[-1]
    if step not in steps:
        raise InputError(
            f"{folder}: expected a snapshot after {step} steps, found "
            f"{', '.join(map(str, steps)) or 'none yet'}."
        )
    checkpoint = load_checkpoint(snapshot_file(folder, step), kind=SNAPSHOT_KIND)
    return TrainedModel(
        denoiser=averaged_denoiser(config, checkpoint).to(device),
        config=config,
        step=step,
        classes=config.network.classes,
    )


def averaged_denoiser(config: DiffusionConfig, checkpoint: Checkpoint) -> NetworkDenoiser:
    """The denoiser with a checkpoint's averaged weights, in evaluation mode."""
    denoiser = build_denoiser(config)
    load_module(denoiser, "ema", checkpoint)
    return denoiser.eval().requires_grad_(False)


def measure_memorization(
    denoiser: Denoiser,
    data: TrainingImages,
    *,
    samples: int = 10_000,
    sampling: Sampling | None = None,
) -> Result:
    """The memorization ratio of samples: share with d1/d2 < 1/3, in pixels.

    Args:
        denoiser: the model.
        data: what it was trained on; at least two different images.
        samples: how many are drawn.
        sampling: how they are drawn; None: the defaults.

    Raises:
        UsageError: `samples` is below 1.
    """
    sampling = sampling or Sampling()
    drawn = sample(denoiser, samples, shape=data.pixels.shape[1:], sampling=sampling)
    generated, train = (
        torch.from_numpy(np.ascontiguousarray(pixels).reshape(len(pixels), -1))
        .to(sampling.device)
        .to(torch.float32)
        for pixels in (drawn, data.pixels)
    )
    return memorization_ratio(generated=generated, train=train)
