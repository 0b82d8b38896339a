"""A training step against the same step written out slowly, from the papers' algorithms."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from genmem.training.common.dataset import TrainingImages
from genmem.training.gan.augment import augmented
from genmem.training.gan.config import GanConfig
from genmem.training.gan.trainer import GanTrainer

from ..fixtures import cpu_accelerator
from ..launcher import run_program

PROGRAM = Path(__file__).with_name("unequal_processes.py")
KEPT = [0, 2, 3]
"""Places of a batch of five that the stub lets pass."""


class Stub:
    """A rejection that accepts the images at `KEPT`, whatever they are."""

    def __init__(self):
        self.seen = []

    def sample_labelled(self, draw, labels):
        images = draw(labels)
        self.seen.append(images.detach().clone())
        return images[KEPT], labels[KEPT]

    def __call__(self, images, labels=None):
        raise AssertionError("only the generator's step rejects")


def noise_images():
    """Ten images of noise in two classes: none looks like its mirror image."""
    pixels = np.random.default_rng(5).integers(0, 256, (10, 3, 16, 16), dtype=np.uint8)
    return TrainingImages(
        pixels=pixels,
        labels=np.arange(10) % 2,
        classes=("cat", "dog"),
        ids=tuple(map(str, range(10))),
        name="noise",
        duplicates=0,
        notes=(),
    )


@pytest.fixture
def config():
    return GanConfig(
        **{
            "model": "sagan",
            "train": "noise",
            "size": 16,
            "width": 4,
            "z_dim": 8,
            "batch_size": 5,
            "discriminator_steps": 2,
            "learning_rate": 1e-3,
            "ema_decay": 0.5,
            "ema_start": 2,
            "augment": True,
            "tau": 0.1,
            "seed": 3,
        }
    )


class Slow:
    """The same run, a line of the algorithm at a time."""

    def __init__(self, training):
        self.config, self.data = training.config, training.data
        self.generator = copy.deepcopy(training.generator)
        self.discriminator = copy.deepcopy(training.discriminator)
        self.average = copy.deepcopy(training.average)
        self.adams = [self.adam(self.generator), self.adam(self.discriminator)]
        self.steps = 0
        self.mirrored = 0

    def adam(self, module):
        s = self.config
        return torch.optim.Adam(
            module.parameters(), lr=s.learning_rate, betas=(s.beta1, s.beta2), eps=s.adam_eps
        )

    def real(self, number, rng):
        """The next batch in the order of its pass, each image mirrored with probability 1/2."""
        size, images, labels = self.config.batch_size, [], []
        first = (self.steps * self.config.discriminator_steps + number) * size
        mirror = rng.random(size) < 0.5
        for position in range(first, first + size):
            turn = np.random.default_rng([self.config.seed, 1, position // 10]).permutation(10)
            chosen = turn[position % 10]
            image = self.data.pixels[chosen]
            images.append(image[:, :, ::-1].copy() if mirror[position - first] else image)
            labels.append(self.data.labels[chosen])
        self.mirrored += int(mirror.sum())
        return torch.from_numpy(np.stack(images)) / 127.5 - 1, torch.tensor(labels)

    def asked(self, rng):
        labels = torch.from_numpy(rng.integers(2, size=self.config.batch_size))
        noise = rng.standard_normal((len(labels), self.config.z_dim), dtype=np.float32)
        return torch.from_numpy(noise), labels

    def step(self):
        rng = np.random.default_rng([self.config.seed, 0, self.steps, 0])
        for number in range(self.config.discriminator_steps):
            real, real_labels = self.real(number, rng)
            noise, labels = self.asked(rng)
            fake = self.generator(noise, labels).detach()  # all of them
            images = augmented(torch.cat([real, fake]), rng)
            scores = self.discriminator(images, torch.cat([real_labels, labels]))
            hinge = functional.relu(1 - scores[:5]).mean() + functional.relu(1 + scores[5:]).mean()
            self.adams[1].zero_grad()
            hinge.backward()
            self.adams[1].step()
        noise, labels = self.asked(rng)
        accepted = self.generator(noise, labels)[KEPT]  # chosen first, augmented afterwards
        loss = -self.discriminator(augmented(accepted, rng), labels[KEPT]).mean()
        self.adams[0].zero_grad()
        loss.backward()
        self.adams[0].step()
        weights = self.generator.state_dict()
        for name, kept in self.average.state_dict().items():
            latest = weights[name]
            if self.steps >= self.config.ema_start and name in dict(
                self.generator.named_parameters()
            ):
                latest = 0.5 * kept + 0.5 * latest
            kept.copy_(latest)
        self.steps += 1
        return {"discriminator_loss": hinge.item(), "generator_loss": loss.item()}


def assert_same(module, slow):
    for (name, fast), (_, expected) in zip(
        module.state_dict().items(), slow.state_dict().items(), strict=True
    ):
        torch.testing.assert_close(fast, expected, rtol=1e-4, atol=1e-6, msg=name)


def test_steps_are_those_written_out_slowly_with_rejection_augmentation_flips_and_average(config):
    accelerator = cpu_accelerator(config)
    training = GanTrainer(config, noise_images(), accelerator, Stub())
    slow = Slow(training)
    for _ in range(4):
        assert training.step() == pytest.approx(slow.step(), rel=1e-4)
        assert_same(training.generator, slow.generator)
        assert_same(training.discriminator, slow.discriminator)
        assert_same(training.average, slow.average)
    assert 0 < slow.mirrored < 4 * 2 * 5


def test_what_is_judged_is_the_generator_s_own_image_before_augmentation(config):
    stub = Stub()
    training = GanTrainer(config, noise_images(), cpu_accelerator(config), stub)
    training.step()
    (seen,) = stub.seen  # once a step, all of the batch
    assert len(seen) == config.batch_size
    assert seen.abs().max() <= 1  # tanh's range, which augmentation leaves


def test_two_processes_of_unequal_survivors_take_the_gradient_of_one_over_all_of_them(tmp_path):
    run_program(PROGRAM, tmp_path)
    found = [json.loads((tmp_path / f"{process}.json").read_text()) for process in range(2)]
    assert [one["count"] for one in found] == [3, 1]
    sums = [torch.tensor(one["gradient_of_sum"]) for one in found]
    expected = (sums[0] + sums[1]) / 4
    assert expected.abs().max() > 0
    for one in found:
        taken = torch.tensor(one["gradient_taken"])
        torch.testing.assert_close(taken, expected, rtol=1e-4, atol=1e-7)
    mean_of_means = (sums[0] / 3 + sums[1]) / 2
    assert (mean_of_means - expected).abs().max() > 100 * (taken - expected).abs().max()


def test_running_statistics_that_are_no_numbers_are_noticed(config):
    training = GanTrainer(config, noise_images(), cpu_accelerator(config), None)
    assert training.is_finite()
    name, value = next(
        (name, value) for name, value in training.generator.named_buffers() if "running" in name
    )
    value[0] = float("nan")
    assert not training.is_finite(), name
