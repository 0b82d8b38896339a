import copy

import numpy as np
import pytest
import torch

from genmem.errors import InputError, UsageError
from genmem.training.common.ema import update_average
from genmem.training.gan.augment import augmented
from genmem.training.gan.config import GanConfig, resumed_config
from genmem.training.gan.layers import SelfAttention
from genmem.training.gan.losses import discriminator_loss, generator_loss
from genmem.training.gan.networks import build_generator, build_networks


def settings(**given):
    return GanConfig(**{"model": "sagan", "train": "-", **given})


def parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(("model", "count"), [("sagan", 4_386_308), ("biggan", 9_416_196)])
def test_generators_have_the_papers_number_of_parameters(model, count):
    assert parameters(build_generator(settings(model=model), classes=10)) == count


@pytest.mark.parametrize("model", ["dcgan", "sagan", "biggan"])
@pytest.mark.parametrize("size", [16, 32, 64])
def test_every_model_makes_and_judges_images_of_every_size(model, size):
    width = 2 if size == 64 else 8
    given = settings(model=model, size=size, width=width)
    generator, discriminator = build_networks(given, classes=3)
    labels = torch.tensor([0, 1, 2, 2])
    images = generator(torch.randn(4, given.z_dim), labels)
    assert images.shape == (4, 3, size, size)
    assert images.abs().max() <= 1
    scores = discriminator(images, labels)
    assert scores.shape == (4,)
    scores.sum().backward()
    assert all(parameter.grad is not None for parameter in generator.parameters())


def test_attention_is_at_half_the_images_side():
    given = settings(width=8, discriminator_width=8)
    seen = []
    for module in build_networks(given, classes=3):
        for layer in module.modules():
            if isinstance(layer, SelfAttention):
                layer.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0].shape[2]))
    generator, discriminator = build_networks(given, classes=3)
    for module in (generator, discriminator):
        for layer in module.modules():
            if isinstance(layer, SelfAttention):
                layer.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0].shape[2]))
    labels = torch.tensor([0, 1])
    discriminator(generator(torch.randn(2, given.z_dim), labels), labels)
    assert seen == [16, 16]


@pytest.mark.parametrize("model", ["sagan", "biggan"])
def test_classes_change_the_image_and_the_score(model):
    generator, discriminator = build_networks(settings(model=model, width=8), classes=3)
    z = torch.randn(1, generator.z).expand(2, -1)
    first, second = generator.eval()(z, torch.tensor([0, 1]))
    assert not torch.allclose(first, second)
    pair = torch.stack([first, first])
    scores = discriminator.eval()(pair, torch.tensor([0, 1]))
    assert scores[0] != scores[1]


def test_the_seed_decides_the_weights_and_leaves_torchs_own_alone():
    state = torch.random.get_rng_state()
    first = build_generator(settings(width=8), classes=3)
    torch.random.set_rng_state(state)
    one, _ = build_networks(settings(width=8, seed=1), classes=3)
    again, _ = build_networks(settings(width=8, seed=1), classes=3)
    other, _ = build_networks(settings(width=8, seed=2), classes=3)
    assert torch.equal(torch.random.get_rng_state(), state)
    weight = "linear.parametrizations.weight.original"
    assert torch.equal(one.state_dict()[weight], again.state_dict()[weight])
    assert not torch.equal(one.state_dict()[weight], other.state_dict()[weight])
    assert first is not one


def test_a_model_that_learns_classes_refuses_one_class_and_names_the_one_that_does_not():
    with pytest.raises(InputError, match="dcgan"):
        build_networks(settings(width=8), classes=1)
    build_networks(settings(model="dcgan", width=8), classes=1)


def test_z_must_divide_into_biggans_chunks():
    with pytest.raises(UsageError, match="multiple of 4"):
        build_networks(settings(model="biggan", width=8, z_dim=81), classes=2)


def test_hinge_losses_are_those_of_the_paper():
    real, fake = np.array([2.0, 0.5, -1.0]), np.array([-3.0, 0.0, 0.25])
    slow = np.mean([max(0, 1 - r) for r in real]) + np.mean([max(0, 1 + f) for f in fake])
    tensors = torch.from_numpy(real), torch.from_numpy(fake)
    assert discriminator_loss(*tensors).item() == pytest.approx(slow)
    assert generator_loss(tensors[1]).item() == pytest.approx(-fake.mean())


def test_the_moving_average_follows_weights_and_copies_buffers():
    model = torch.nn.BatchNorm1d(2)
    average = copy.deepcopy(model)
    with torch.no_grad():
        model.weight.fill_(3.0)
    model.running_mean.fill_(5.0)
    update_average(average, model, decay=0.75)
    torch.testing.assert_close(average.weight.detach(), torch.tensor([1.5, 1.5]))
    assert torch.equal(average.running_mean, model.running_mean)
    update_average(average, model, decay=0.0)
    assert torch.equal(average.weight, model.weight)


class Fixed:
    """Stands in for a random generator: gives the same number everywhere."""

    def __init__(self, value, whole):
        self.value, self.whole = value, whole

    def random(self, shape, dtype=None):
        return np.full(shape, self.value, dtype)

    def integers(self, low, high, size, endpoint=False):
        return np.full(size, self.whole(low, high))


def test_augmentation_is_color_then_translation_then_cutout():
    """Brightness ± .5, saturation × 2r, contrast × (r + .5), a shift, a hole of half the side."""
    x = np.random.default_rng(0).uniform(-1, 1, (1, 3, 16, 16))
    r = 0.75
    bright = x + (r - 0.5)
    gray = bright.mean(axis=1, keepdims=True)
    saturated = gray + (bright - gray) * 2 * r
    mean = saturated.mean()
    expected = mean + (saturated - mean) * (r + 0.5)
    moved = np.zeros_like(expected)
    moved[:, :, 2:, 2:] = expected[:, :, :-2, :-2]
    moved[:, :, 12:, 12:] = 0
    found = augmented(torch.from_numpy(x).float(), Fixed(r, lambda low, high: high))
    np.testing.assert_allclose(found, moved, atol=1e-5)


def test_augmentation_differs_by_image_and_lets_gradients_through():
    x = torch.rand(1, 3, 16, 16).expand(6, -1, -1, -1).clone().requires_grad_(True)
    found = augmented(x, np.random.default_rng(0))
    assert not torch.equal(found[0], found[1])
    found.sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0


def test_settings_of_the_paper_come_with_the_model():
    biggan = settings(model="biggan")
    assert (biggan.z_dim, biggan.width, biggan.discriminator_width) == (80, 384, 192)
    assert (biggan.ema_decay, biggan.ema_start) == (0.9999, 1_000)
    sagan = settings()
    assert (sagan.z_dim, sagan.width, sagan.discriminator_width) == (128, 256, 128)
    assert sagan.ema_decay == 0
    for one in (biggan, sagan):
        assert (one.batch_size, one.discriminator_steps, one.steps) == (64, 5, 100_000)
        assert (one.learning_rate, one.beta1, one.beta2, one.adam_eps) == (2e-4, 0.5, 0.999, 1e-6)
    assert settings(width=16).discriminator_width == 8


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"stepz": 3}, "did you mean steps"),
        ({"steps": 0}, "at least 1"),
        ({"steps": "many"}, "expected a whole number"),
        ({"flips": 1}, "expected true or false"),
        ({"size": 20}, "16, 32, 64"),
        ({"model": "vae"}, "dcgan, sagan, biggan"),
        ({"tau": 2.5}, "tau"),
        ({"tau": "big"}, "auto"),
        ({"precision": "int8"}, "full, bf16, fp16"),
        ({"mode": "drop"}, "filter, resample"),
        ({"search": "exat"}, "auto, exact, pruned, faiss"),
        ({"search": "faiss", "reject_by_class": True, "tau": 0.1}, "images of all classes"),
        ({"evaluate_with": ["pixels", "pixels"]}, "named twice"),
        ({"learning_rate": 2}, "learning_rate"),
        ({"train": None}, "expected text"),
        ({"limit": 1}, "limit"),
    ],
)
def test_settings_that_are_not_possible_are_refused(given, words):
    with pytest.raises(UsageError, match=words):
        settings(**given)


def test_settings_survive_their_own_json():
    given = settings(tau="auto", evaluate_with=["pixels"])
    assert GanConfig(**given.to_dict()) == given


def test_a_resumed_run_may_train_longer_but_not_otherwise():
    given = settings(width=8)
    assert resumed_config(given, {"steps": 7, "evaluate_with": ["pixels"]}).steps == 7
    with pytest.raises(UsageError, match="width = 8"):
        resumed_config(given, {"width": 9})
