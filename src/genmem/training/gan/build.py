"""What a run is put together from, by its settings: images, device, rejection, measurements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import torch

from genmem.errors import InputError, UsageError
from genmem.images import Progress
from genmem.training.common.dataset import TrainingImages, in_classes_of, load_shared_images
from genmem.training.common.distributed import patience
from genmem.training.gan.config import Settings
from genmem.training.gan.evaluation import Measuring
from genmem.training.gan.networks import knows_classes
from genmem.training.rejection.embedding import find_embedding
from genmem.training.rejection.rejection import MemorizationRejection, ramp

if TYPE_CHECKING:
    from accelerate import Accelerator

Device = Literal["auto", "cpu", "cuda"]


def check_backbones(settings: Settings) -> None:
    """Look up the backbones that the settings name, without opening them.

    Raises:
        UsageError: an unknown one, or one that cannot be run at that size.
    """
    measured = settings.measure_with if settings.measure_every else ()
    for name in (*measured, *(() if settings.tau is None else (settings.embedding,))):
        find_embedding(name)


def training_images(settings: Settings, progress: Progress | None = None) -> TrainingImages:
    """The images that these settings train on, as `genmem.training.common.dataset` makes them.

    Raises:
        InputError: fewer than two images, unreadable ones, or classes that some have not.
    """
    data = load_shared_images(
        settings.data, size=settings.size, limit=settings.limit, progress=progress
    )
    if len(data) < 2:
        raise InputError(
            f"{settings.data}: expected at least 2 images, got {len(data)}: a GAN of one image is "
            "a copy."
        )
    return data


def make_accelerator(settings: Settings, device: Device) -> Accelerator:
    """Where to train, in the settings' precision; the processes are those accelerate launched.

    Raises:
        UsageError: accelerate, the device or the precision is not there.
    """
    try:
        from accelerate import Accelerator
    except ImportError as error:
        raise UsageError("training needs accelerate: pip install 'genmem[train]'.") from error
    if device == "cuda" and not torch.cuda.is_available():
        raise UsageError("device 'cuda' is not available here; use auto or cpu.")
    kinds = {"full": "no", "bf16": "bf16", "fp16": "fp16"}
    cpu = device == "cpu" or not torch.cuda.is_available()
    if settings.precision == "fp16" and cpu:
        raise UsageError("precision 'fp16' needs a GPU; use full, or bf16, which a CPU can.")
    try:
        return Accelerator(
            mixed_precision=kinds[settings.precision], cpu=cpu, kwargs_handlers=[patience()]
        )
    except ValueError as error:
        raise UsageError(
            "one process trains in one precision on one kind of device; start another process."
        ) from error


def make_rejection(
    settings: Settings, data: TrainingImages, accelerator: Accelerator, progress: Progress | None
) -> MemorizationRejection | None:
    """The rejection that the settings ask for; None where they name no tau.

    Raises:
        UsageError: rejection by class where the model, or the images, know no classes.
    """
    if settings.tau is None:
        return None
    tau: Any = settings.tau
    mode: Any = settings.mode
    return MemorizationRejection(
        data.pixels,
        embedding=settings.embedding,
        tau=tau,
        mode=mode,
        max_tries=settings.max_tries,
        warm_up=settings.warm_up,
        schedule=ramp(settings.ramp) if settings.ramp else None,
        flips=settings.reject_flips,
        categories=_categories(settings, data),
        search=settings.search,
        half=settings.half,
        device=accelerator.device,
        progress=progress,
    )


def held_out_images(
    settings: Settings, data: TrainingImages, progress: Progress | None
) -> TrainingImages | None:
    """The held-out images; None where the settings name none, or nothing is measured.

    Raises:
        InputError: unreadable images, fewer than two, or a class that the training images have not.
    """
    if settings.test is None or not settings.measure_every or not settings.measure_with:
        return None
    test = load_shared_images(settings.test, size=settings.size, progress=progress)
    if len(test) < 2:
        raise InputError(
            f"{settings.test}: expected at least 2 held-out images, got {len(test)}. Give more, or "
            "leave --test out."
        )
    return in_classes_of(test, data)


def make_measuring(
    settings: Settings,
    data: TrainingImages,
    test: TrainingImages | None,
    accelerator: Accelerator,
    progress: Progress | None,
) -> Measuring | None:
    """What measures samples at intervals; None where the settings say never, or with nothing."""
    if not settings.measure_every or not settings.measure_with:
        return None
    return Measuring(settings, data, test, device=accelerator.device.type, progress=progress)


def _categories(settings: Settings, data: TrainingImages) -> list[int] | None:
    if not settings.reject_by_class:
        return None
    if not knows_classes(settings.model):
        raise UsageError(
            f"reject_by_class: {settings.model} knows no classes, so its images are of none to "
            "look in. Leave it out, or train sagan or biggan."
        )
    if data.labels is None:
        raise UsageError(
            f"reject_by_class: the images of {settings.data} have no classes. Leave it out, or put "
            "each class in a folder of its own."
        )
    return data.labels.tolist()
