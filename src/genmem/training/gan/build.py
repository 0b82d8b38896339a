"""What a GAN training is put together from: images, rejection, evaluator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genmem.errors import InputError, UsageError
from genmem.features.registry import find_backbone
from genmem.images import Progress
from genmem.training.common.dataset import TrainingImages, in_classes_of, load_shared_images
from genmem.training.gan.config import GanConfig
from genmem.training.gan.evaluation import Evaluator
from genmem.training.rejection.rejection import MemorizationRejection, ramp

if TYPE_CHECKING:
    from accelerate import Accelerator


def check_backbones(config: GanConfig) -> None:
    """Look up the backbones that the configuration names, without opening them.

    Raises:
        UsageError: an unknown one, or one that cannot be run at that size.
    """
    for name in (
        *(config.evaluate_with if config.evaluates else ()),
        *(() if config.tau is None else (config.backbone,)),
    ):
        find_backbone(name)


def training_images(config: GanConfig, progress: Progress | None = None) -> TrainingImages:
    """The images to train on, as `load_shared_images` reads them.

    Raises:
        InputError: fewer than two images, unreadable ones, or classes that some images lack.
    """
    data = load_shared_images(config.train, size=config.size, limit=config.limit, progress=progress)
    if len(data) < 2:
        raise InputError(
            f"{config.train}: expected at least 2 images, got {len(data)}: a GAN of one image is "
            "a copy."
        )
    return data


def held_out_images(
    config: GanConfig, data: TrainingImages, progress: Progress | None
) -> TrainingImages | None:
    """The held-out images; None where the configuration names none, or nothing is evaluated.

    Raises:
        InputError: unreadable images, fewer than two, or a class that the training images lack.
    """
    if config.test is None or not config.evaluates:
        return None
    test = load_shared_images(config.test, size=config.size, progress=progress)
    if len(test) < 2:
        raise InputError(
            f"{config.test}: expected at least 2 held-out images, got {len(test)}. Give more, or "
            "leave --test out."
        )
    return in_classes_of(test, data)


def build_rejection(
    config: GanConfig, data: TrainingImages, accelerator: Accelerator, progress: Progress | None
) -> MemorizationRejection | None:
    """The configured rejection; None without a τ.

    Raises:
        UsageError: rejection by class where the model, or the images, have no classes.
    """
    if config.tau is None:
        return None
    return MemorizationRejection(
        data.pixels,
        backbone=config.backbone,
        tau=config.tau,
        mode=config.mode,
        max_tries=config.max_tries,
        warm_up=config.warm_up,
        schedule=ramp(config.ramp) if config.ramp else None,
        flips=config.reject_flips,
        categories=_categories(config, data),
        search=config.search,
        half=config.half,
        device=accelerator.device,
        progress=progress,
    )


def build_evaluator(
    config: GanConfig,
    data: TrainingImages,
    test: TrainingImages | None,
    accelerator: Accelerator,
    progress: Progress | None,
) -> Evaluator | None:
    """What evaluates samples at intervals; None where nothing is to be evaluated."""
    if not config.evaluates:
        return None
    return Evaluator(config, data, test, device=accelerator.device.type, progress=progress)


def _categories(config: GanConfig, data: TrainingImages) -> list[int] | None:
    if not config.reject_by_class:
        return None
    if not config.knows_classes:
        raise UsageError(
            f"reject_by_class: {config.model} is unconditional: its images have no class. Leave it "
            "out, or train sagan or biggan."
        )
    if data.labels is None:
        raise UsageError(
            f"reject_by_class: the images of {config.train} have no classes. Leave it out, or put "
            "each class in a folder of its own."
        )
    return data.labels.tolist()
