import numpy as np
import pytest
import torch

from genmem.errors import InputError, UsageError
from genmem.training.diffusion.sampler import Sampling, Schedule, heun, quantize, sample


class Gaussian:
    """The exact denoiser of images N(0, s²I): D = x·s²/(s² + σ²)."""

    def __init__(self, deviation=0.5):
        self.deviation = deviation
        self.calls = 0

    def denoise(self, x, sigma, labels=None):
        self.calls += 1
        share = self.deviation**2 / (self.deviation**2 + sigma.square())
        return x * share[:, None, None, None]


def test_noise_levels_are_those_of_the_paper():
    sigmas = Schedule().sigmas()
    assert len(sigmas) == 19
    assert sigmas[0] == pytest.approx(80)
    assert sigmas[17] == pytest.approx(0.002)
    assert sigmas[18] == 0
    third = (80 ** (1 / 7) + 2 / 17 * (0.002 ** (1 / 7) - 80 ** (1 / 7))) ** 7
    assert sigmas[2] == pytest.approx(third)
    assert (np.diff(sigmas) < 0).all()


def test_the_denoiser_is_called_35_times_in_18_steps():
    denoiser = Gaussian()
    heun(denoiser.denoise, torch.randn(2, 3, 4, 4))
    assert denoiser.calls == 35


def test_the_flow_of_a_gaussian_is_followed_to_its_exact_end():
    """dx/dσ = x·σ/(s² + σ²), so x(0) = x(σ)·s/√(s² + σ²)."""
    noise = torch.randn(4, 3, 4, 4, generator=torch.Generator().manual_seed(0)).double()
    exact = 80 * noise * 0.5 / (0.25 + 6400) ** 0.5
    errors = [
        float((heun(Gaussian().denoise, noise, schedule=Schedule(steps=n)) - exact).abs().max())
        for n in (36, 72)
    ]
    assert errors[0] < 0.03
    assert errors[1] < errors[0] / 3.5  # second order


def test_the_state_is_kept_in_float64_though_the_denoiser_gets_float32():
    seen = []

    def denoise(x, sigma, labels):
        seen.append((x.dtype, sigma.dtype, sigma.shape))
        return torch.zeros_like(x)

    assert heun(denoise, torch.randn(2, 3, 4, 4)).dtype == torch.float64
    assert set(seen) == {(torch.float32, torch.float32, torch.Size([2]))}


def test_every_pixel_value_comes_back_from_its_place_in_the_range():
    values = torch.arange(256, dtype=torch.float64)
    assert torch.equal(quantize(values / 127.5 - 1), values.to(torch.uint8))
    assert quantize(torch.tensor([-3.0, 3.0])).tolist() == [0, 255]


def test_a_sample_depends_on_seed_and_number_alone():
    whole = sample(Gaussian(), 7, shape=(3, 4, 4), sampling=Sampling(seed=3))
    assert np.array_equal(
        sample(Gaussian(), 7, shape=(3, 4, 4), sampling=Sampling(seed=3, batch_size=2)), whole
    )
    assert np.array_equal(
        sample(Gaussian(), 5, shape=(3, 4, 4), sampling=Sampling(seed=3)), whole[:5]
    )
    assert not np.array_equal(
        sample(Gaussian(), 7, shape=(3, 4, 4), sampling=Sampling(seed=4)), whole
    )


def test_labels_are_drawn_from_all_classes():
    seen = []

    class Watching(Gaussian):
        def denoise(self, x, sigma, labels=None):
            seen.append(labels)
            return super().denoise(x, sigma)

    sample(
        Watching(), 60, shape=(1, 2, 2), sampling=Sampling(classes=3, schedule=Schedule(steps=2))
    )
    counts = torch.bincount(seen[0], minlength=3)
    assert len(counts) == 3
    assert counts.min() > 8
    seen.clear()
    sample(Watching(), 2, shape=(1, 2, 2), sampling=Sampling(schedule=Schedule(steps=2)))
    assert seen == [None] * 3


def test_a_denoiser_that_has_diverged_gives_an_error_and_no_images():
    with pytest.raises(InputError, match="diverged"):
        quantize(torch.tensor([float("nan")]))


def test_a_denoiser_of_another_shape_is_refused():
    with pytest.raises(InputError, match="expected images of shape"):
        heun(lambda x, sigma, labels: x[:, :1], torch.randn(2, 3, 4, 4))


@pytest.mark.parametrize("wrong", [{"steps": 1}, {"sigma_min": 0.0}, {"sigma_max": 0.001}])
def test_a_schedule_that_is_none_is_refused(wrong):
    with pytest.raises(UsageError, match="schedule: expected"):
        Schedule(**wrong)


def test_no_samples_are_refused():
    with pytest.raises(UsageError, match="expected at least 1"):
        sample(Gaussian(), 0, shape=(3, 4, 4))
