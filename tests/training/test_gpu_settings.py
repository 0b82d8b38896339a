"""What trainings do otherwise on a GPU, as far as a CPU can tell."""

import copy
from typing import Any

import numpy as np
import torch

from genmem.training.common.dataset import TrainingImages
from genmem.training.diffusion.config import DiffusionConfig, UNetConfig
from genmem.training.diffusion.trainer import DiffusionTrainer
from genmem.training.gan.config import GanConfig
from genmem.training.gan.trainer import GanTrainer, load_gan_state

from .fixtures import cpu_accelerator

IMAGES = TrainingImages(
    pixels=np.random.default_rng(0).integers(0, 256, (8, 3, 16, 16), dtype=np.uint8),
    labels=None,
    classes=(),
    ids=tuple(map(str, range(8))),
    name="noise",
    duplicates=0,
    notes=(),
)
NETWORK = UNetConfig(image_size=16, channels=8, multipliers=(1, 2), blocks=1, attention=(8,))


def gan_trainer() -> Any:
    values = {"model": "dcgan", "train": "noise", "size": 16, "width": 4, "batch_size": 4}
    config = GanConfig(**values)
    return GanTrainer(config, IMAGES, cpu_accelerator(config), None)


def test_adam_of_a_gan_is_fused_on_cuda_and_takes_the_same_steps():
    trainer = gan_trainer()
    modules = trainer.generator, copy.deepcopy(trainer.generator)
    plain = trainer._adam(modules[0])
    trainer.device = torch.device("cuda")
    fused = trainer._adam(modules[1])
    assert (plain.defaults["fused"], fused.defaults["fused"]) == (None, True)
    for module, adam in zip(modules, (plain, fused), strict=True):
        for parameter in module.parameters():
            parameter.grad = torch.ones_like(parameter)
        adam.step()
    for first, second in zip(*(module.parameters() for module in modules), strict=True):
        torch.testing.assert_close(first, second)


def test_a_checkpoint_states_the_device(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    gan_trainer().save(path)
    assert load_gan_state(path)["device"] == "cpu"


def test_the_u_net_gives_the_same_with_its_channels_last():
    config = DiffusionConfig(network=NETWORK, batch_size=4, steps=2)
    model = DiffusionTrainer(IMAGES, None, config, cpu_accelerator(config)).ema.module
    for parameter in model.parameters():  # last layers begin at 0
        torch.nn.init.normal_(parameter, std=0.1)
    last = copy.deepcopy(model).to(memory_format=torch.channels_last)
    x = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    sigma = torch.full((4,), 0.5)
    with torch.no_grad():
        torch.testing.assert_close(last(x, sigma, None), model(x, sigma, None))
