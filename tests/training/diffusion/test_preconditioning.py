import math

import pytest
import torch
from torch import nn

from genmem.training.diffusion.preconditioning import (
    EDM,
    VE,
    VP,
    NetworkDenoiser,
    preconditioning,
    weighted_loss,
)

SIGMAS = [0.002, 0.1, 0.5, 1.0, 7.0, 80.0]
ALL = [VP(), VE(), EDM()]


def at(preconditioned, sigma):
    c = preconditioned.coefficients(torch.tensor([sigma], dtype=torch.float64))
    return {name: float(value) for name, value in c._asdict().items()}


@pytest.mark.parametrize("sigma", SIGMAS)
def test_edm_has_the_coefficients_of_its_table(sigma):
    root = math.sqrt(sigma**2 + 0.25)
    assert at(EDM(), sigma) == pytest.approx(
        {
            "skip": 0.25 / (sigma**2 + 0.25),
            "out": sigma * 0.5 / root,
            "into": 1 / root,
            "noise": math.log(sigma) / 4,
        }
    )


@pytest.mark.parametrize("sigma", SIGMAS)
def test_ve_has_the_coefficients_of_the_table(sigma):
    expected = {"skip": 1.0, "out": sigma, "into": 1.0, "noise": math.log(sigma / 2)}
    assert at(VE(), sigma) == pytest.approx(expected)


@pytest.mark.parametrize("t", [1e-5, 0.01, 0.3, 0.9, 1.0])
def test_vp_has_the_coefficients_of_the_table(t):
    sigma = math.sqrt(math.exp(0.5 * 19.9 * t**2 + 0.1 * t) - 1)
    assert at(VP(), sigma) == pytest.approx(
        {"skip": 1.0, "out": -sigma, "into": 1 / math.sqrt(sigma**2 + 1), "noise": 999 * t},
        rel=1e-6,
    )


def test_vp_inverts_its_own_schedule():
    t = torch.linspace(1e-5, 1, 50, dtype=torch.float64)
    assert torch.allclose(VP().t(VP().sigma(t)), t, rtol=1e-9)


@pytest.mark.parametrize("preconditioned", ALL)
def test_the_network_sees_inputs_of_unit_variance(preconditioned):
    """c_in²·(σ² + σ_data²) = 1 with the σ_data that each assumes; VE leaves inputs as they are."""
    sigma = torch.tensor(SIGMAS, dtype=torch.float64)
    data = {VP: 1.0, EDM: 0.5}.get(type(preconditioned))
    if data is None:
        assert torch.equal(preconditioned.coefficients(sigma).into, torch.ones_like(sigma))
    else:
        variance = preconditioned.coefficients(sigma).into ** 2 * (sigma**2 + data**2)
        assert torch.allclose(variance, torch.ones_like(sigma))


@pytest.mark.parametrize("preconditioned", ALL)
def test_the_weight_undoes_the_scale_of_the_network_s_output(preconditioned):
    sigma = torch.tensor(SIGMAS, dtype=torch.float64)
    scaled = preconditioned.weight(sigma) * preconditioned.coefficients(sigma).out ** 2
    assert torch.allclose(scaled, torch.ones_like(sigma))


def test_edm_s_loss_is_one_per_pixel_at_every_noise_level_for_an_untrained_network():
    """EDM, appendix B.6: with F = 0 the expected loss per pixel is 1 for data of σ_data."""
    random = torch.Generator().manual_seed(0)
    clean = 0.5 * torch.randn(4000, 1, 4, 4, generator=random)
    noise = torch.randn(clean.shape, generator=random)
    for sigma in (0.01, 0.5, 20.0):
        denoiser = NetworkDenoiser(Nothing(), EDM())
        loss = weighted_loss(denoiser, EDM(), clean, noise, torch.full((4000,), sigma))
        assert float(loss.mean()) / 16 == pytest.approx(1, rel=0.02)


class Nothing(nn.Module):
    """A network that says 0."""

    def forward(self, x, level, labels=None):
        self.level = level
        return torch.zeros_like(x)


def test_the_loss_is_the_weighted_squared_error_summed_over_pixels():
    clean = torch.randn(3, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    noise = torch.randn(3, 2, 4, 4, generator=torch.Generator().manual_seed(1))
    sigma = torch.tensor([0.1, 1.0, 5.0])
    found = weighted_loss(NetworkDenoiser(Nothing(), VE()), VE(), clean, noise, sigma)
    # F = 0 and c_skip = 1: D(y + n) = y + n, so the error is n = σ·noise, and λ = 1/σ².
    assert torch.allclose(found, noise.square().sum(dim=(1, 2, 3)))


@pytest.mark.parametrize("preconditioned", ALL)
def test_the_denoiser_is_the_sum_of_its_terms(preconditioned):
    class Answer(nn.Module):
        def forward(self, x, level, labels=None):
            return torch.sin(x) + level[:, None, None, None]

    x, sigma = torch.randn(2, 3, 4, 4), torch.tensor([0.3, 3.0])
    c = [value[:, None, None, None] for value in preconditioned.coefficients(sigma)]
    expected = c[0] * x + c[1] * (torch.sin(c[2] * x) + c[3])
    found = NetworkDenoiser(Answer(), preconditioned)(x, sigma)
    assert torch.allclose(found, expected, atol=1e-6)


def test_noise_levels_in_training_follow_the_papers_distributions():
    random = torch.Generator().manual_seed(0)
    edm = EDM().training_sigmas(20_000, random).log()
    assert float(edm.mean()) == pytest.approx(-1.2, abs=0.03)
    assert float(edm.std()) == pytest.approx(1.2, abs=0.03)
    ve = VE().training_sigmas(20_000, random).log()
    assert math.log(0.02) - 1e-5 <= float(ve.min()) < float(ve.max()) <= math.log(100) + 1e-5
    assert float(ve.mean()) == pytest.approx((math.log(0.02) + math.log(100)) / 2, abs=0.06)
    t = VP().t(VP().training_sigmas(20_000, random).double())
    assert float(t.mean()) == pytest.approx(0.5, abs=0.01)
    assert 0 < float(t.min()) < float(t.max()) <= 1 + 1e-6


def test_denoise_takes_a_number_for_sigma_and_keeps_the_type():
    denoiser = NetworkDenoiser(Nothing(), preconditioning("edm"))
    found = denoiser.denoise(torch.ones(2, 3, 4, 4, dtype=torch.float64), 0.5)
    assert found.dtype == torch.float64
    assert torch.allclose(found, torch.full_like(found, 0.5))
