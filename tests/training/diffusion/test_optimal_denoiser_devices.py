"""The optimal denoiser on a device, which is emulated, and in programs that change precision."""

import pytest
import torch

from genmem.training.diffusion.optimal_denoiser import OptimalDenoiser

from ...emulated_devices import EmulatedDevice, EmulatedTf32

RANDOM = torch.Generator().manual_seed(0)
IMAGES = torch.randint(0, 256, (200, 3, 8, 8), dtype=torch.uint8, generator=RANDOM)
LABELS = torch.arange(200) % 5
X = torch.randn(32, 3, 8, 8, generator=RANDOM)
SIGMAS = (10.0, 0.5, 0.01)


def denoised(sigma, *, images=IMAGES, x=X, labels=None, device="cpu"):
    return OptimalDenoiser(images, labels=LABELS, device=device).denoise(x, sigma, labels)


@pytest.mark.parametrize("sigma", SIGMAS)
@pytest.mark.parametrize("device", ["cuda", "mps"])
@pytest.mark.parametrize("free", [0, 2**33])
def test_images_denoised_on_a_device_are_those_of_the_cpu(device, sigma, free):
    by_class = denoised(sigma, labels=LABELS[:32])
    expected = denoised(sigma)
    with EmulatedDevice(device, free=free) as emulated:
        x, labels = emulated.put(X), emulated.put(LABELS[:32])
        result = denoised(sigma, x=x, device=device)
        result_by_class = denoised(sigma, x=x, labels=labels, device=device)
        level = emulated.put(torch.full((32,), sigma))
        levels = denoised(level, images=emulated.put(IMAGES), x=x, device=device)
        assert result.device == result_by_class.device == levels.device == emulated.device
    for value, right in ((result, expected), (result_by_class, by_class), (levels, expected)):
        assert (torch.as_tensor(value).cpu() - right).abs().max() < 1e-6


@pytest.mark.parametrize("sigma", SIGMAS)
def test_a_gpu_is_waited_for_a_few_times_for_each_class(sigma):
    with EmulatedDevice("cuda", free=2**33) as emulated:
        denoiser = OptimalDenoiser(IMAGES, labels=LABELS, device="cuda")
        x, labels = emulated.put(X), emulated.put(LABELS[:32])
        emulated.waits.clear()
        denoiser.denoise(x, sigma, labels)
    assert emulated.waits.total() <= 4 + 5 * 5


@pytest.mark.parametrize("sigma", SIGMAS)
def test_autocast_and_tf32_change_nothing(sigma):
    expected = denoised(sigma)
    with torch.autocast("cpu", dtype=torch.bfloat16), EmulatedTf32() as products:
        assert torch.equal(denoised(sigma), expected)
    assert set(products.products) == {"ieee"}
