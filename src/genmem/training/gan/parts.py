"""What a run is put together from, by its settings: images, device, rejection, measurements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import torch

from genmem.errors import InputError, UsageError
from genmem.images import Progress
from genmem.training.data import TrainingImages, in_classes_of, load_shared_images
from genmem.training.gan.measuring import Measuring
from genmem.training.gan.settings import Settings
from genmem.training.rejection import MemorizationRejection, ramp

if TYPE_CHECKING:
    from accelerate import Accelerator

Device = Literal["auto", "cpu", "cuda"]


def training_images(settings: Settings, progress: Progress | None = None) -> TrainingImages:
    """The images that these settings train on; `genmem.training.data` says how they are made.

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
        return Accelerator(mixed_precision=kinds[settings.precision], cpu=cpu)
    except ValueError as error:
        raise UsageError(
            "one process trains in one precision on one kind of device; start another process."
        ) from error


def make_rejection(
    settings: Settings, data: TrainingImages, accelerator: Accelerator, progress: Progress | None
) -> MemorizationRejection | None:
    """The rejection that the settings ask for; None where they name no tau."""
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


def make_measuring(
    settings: Settings, data: TrainingImages, accelerator: Accelerator, progress: Progress | None
) -> Measuring | None:
    """What measures samples at intervals; None where the settings name no backbone for it."""
    if not settings.measure_with:
        return None
    test = None
    if settings.test is not None:
        test = load_shared_images(settings.test, size=settings.size, progress=progress)
        test = in_classes_of(test, data)
    return Measuring(settings, data, test, device=accelerator.device.type, progress=progress)


def _categories(settings: Settings, data: TrainingImages) -> list[int] | None:
    if not settings.reject_by_class or data.labels is None:
        return None
    return data.labels.tolist()
