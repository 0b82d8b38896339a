"""`genmem train …`: train a GAN or a diffusion model, or generate images with a trained GAN."""

from __future__ import annotations

from genmem.cli.config_options import config_command
from genmem.cli.options import command_group
from genmem.cli.train_diffusion import diffusion
from genmem.cli.train_gan import gan
from genmem.cli.train_sample import sample

train = command_group("train", "Train a GAN or a diffusion model, or sample from a trained GAN.")
train.command(cls=config_command("genmem.training.gan.config.GanConfig"))(gan)
train.command(
    cls=config_command(
        "genmem.training.common.config.ImageSelection",
        "genmem.training.diffusion.config.DiffusionConfig",
    )
)(diffusion)
train.command()(sample)
