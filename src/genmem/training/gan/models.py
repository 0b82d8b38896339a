"""Settings → generator and discriminator."""

from __future__ import annotations

import torch
from torch import nn

from genmem.errors import InputError
from genmem.training.gan.biggan import BigGanGenerator
from genmem.training.gan.dcgan import DcganDiscriminator, DcganGenerator
from genmem.training.gan.residual import ProjectionDiscriminator
from genmem.training.gan.sagan import SaganGenerator
from genmem.training.gan.settings import Settings


def knows_classes(model: str) -> bool:
    """Whether the networks of this model look at labels."""
    return model != "dcgan"


def build_generator(settings: Settings, *, classes: int) -> nn.Module:
    """z [b, z] and labels [b] → images [b, 3, size, size] in [−1, 1]."""
    size, width, z = settings.size, settings.width, settings.z
    if settings.model == "dcgan":
        return DcganGenerator(size=size, width=width, z=z)
    kind = SaganGenerator if settings.model == "sagan" else BigGanGenerator
    return kind(size=size, width=width, classes=classes, z=z, attention=settings.attention)


def build_discriminator(settings: Settings, *, classes: int) -> nn.Module:
    """Images [b, 3, size, size] and labels [b] → scores [b]."""
    size, width = settings.size, settings.discriminator_width
    if settings.model == "dcgan":
        return DcganDiscriminator(size=size, width=width)
    return ProjectionDiscriminator(
        size=size, width=width, classes=classes, attention=settings.attention
    )


def build_models(settings: Settings, *, classes: int) -> tuple[nn.Module, nn.Module]:
    """Generator and discriminator with the weights that the seed decides.

    Raises:
        InputError: the model needs classes and there is one.
        UsageError: z does not divide into BigGAN's chunks.
    """
    if knows_classes(settings.model) and classes < 2:
        raise InputError(
            f"{settings.data}: {settings.model} learns classes and found one; put each class in a "
            "folder of its own, or take --model dcgan, which needs none."
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        return (
            build_generator(settings, classes=classes),
            build_discriminator(settings, classes=classes),
        )
