import numpy as np
import pytest
import torch

from genmem.errors import InputError, UsageError
from genmem.metrics.memorization_ratio import memorization_ratio
from genmem.training.diffusion import streaming_softmax
from genmem.training.diffusion.optimal_denoiser import OptimalDenoiser
from genmem.training.diffusion.sampler import Sampling, heun, quantize, sample

SIGMAS = (80.0, 20.0, 10.0, 5.0, 2.0, 1.0, 0.5, 0.2, 0.05, 0.01, 0.002)


def slow(x, sigma, clean):
    """The formula, in float64, by differences: images [b, …], one σ, training images [n, …]."""
    gaps = (x.double()[:, None] - clean.double()[None]).flatten(2)
    weights = torch.softmax(-gaps.square().sum(dim=2) / (2 * sigma**2), dim=1)
    return torch.einsum("bn,n...->b...", weights, clean.double())


def as_clean(pixels):
    return torch.from_numpy(pixels).double() / 127.5 - 1


def noisy(clean, sigma, count=12, seed=0):
    random = torch.Generator().manual_seed(seed)
    noise = torch.randn(count, *clean.shape[1:], generator=random, dtype=torch.float64)
    return clean[:count] + sigma * noise


@pytest.mark.parametrize("sigma", SIGMAS)
def test_equals_the_formula_in_float64_at_every_noise_level(cifar10, sigma):
    clean = as_clean(cifar10.pixels)
    x = noisy(clean, sigma)
    found = OptimalDenoiser(cifar10.pixels).denoise(x, sigma)
    assert (found - slow(x, sigma, clean)).abs().max() < 1e-5


@pytest.mark.parametrize("sigma", [8.0, 0.7, 0.05])
def test_blocks_of_any_size_give_the_same(cifar10, sigma, monkeypatch):
    clean = as_clean(cifar10.pixels)
    x = noisy(clean, sigma)
    monkeypatch.setattr(streaming_softmax, "BLOCK_BYTES", 4 * 192 * 7)
    monkeypatch.setattr("genmem.training.diffusion.optimal_denoiser.BLOCK_BYTES", 4 * 192 * 5)
    monkeypatch.setattr(streaming_softmax, "PAIR_BYTES", 8 * 192 * 3)
    found = OptimalDenoiser(cifar10.pixels).denoise(x, sigma)
    assert (found - slow(x, sigma, clean)).abs().max() < 1e-5


@pytest.mark.parametrize("sigma", [0.3, 0.05, 0.01])
def test_many_near_duplicates_share_their_weight_as_the_formula_says(sigma):
    rng = np.random.default_rng(1)
    pixels = np.repeat(rng.integers(0, 255, (2, 3, 8, 8), np.uint8), 300, axis=0)
    pixels[np.arange(600), 0, 0, rng.integers(0, 8, 600)] += 1
    clean = as_clean(pixels)
    x = noisy(clean, sigma)
    found = OptimalDenoiser(pixels).denoise(x, sigma)
    assert (found - slow(x, sigma, clean)).abs().max() < 1e-5


def test_the_nearest_of_large_plain_images_is_not_lost_to_rounding():
    rng = np.random.default_rng(0)
    plain = np.full((1, 3, 128, 128), 1 / 3, np.float32)
    textured = plain + rng.uniform(-0.005, 0.005, (3, 3, 128, 128)).astype(np.float32)
    images = np.concatenate([plain, textured, -plain, -textured])
    clean = torch.from_numpy(images).double()
    found = OptimalDenoiser(images).denoise(clean[:1], 1e-3)
    assert (found - slow(clean[:1], 1e-3, clean)).abs().max() < 1e-5


def test_images_near_the_mean_have_the_weights_of_the_formula():
    pixels = np.random.default_rng(0).integers(0, 256, (40, 3, 64, 64), np.uint8)
    clean = as_clean(pixels)
    center = clean.mean(dim=0, keepdim=True)
    for sigma in (2.0, 1.0, 0.5):
        found = OptimalDenoiser(pixels).denoise(center, sigma)
        assert (found - slow(center, sigma, clean)).abs().max() < 1e-5


def test_every_way_of_weighing_gives_the_formula(cifar10):
    clean = as_clean(cifar10.pixels)
    rows = streaming_softmax.TrainingRows(cifar10.pixels, device=torch.device("cpu"))
    for sigma in (3.0, 0.5):
        x = noisy(clean, sigma)
        sigmas = torch.full((len(x),), sigma / rows.scale, dtype=torch.float64)
        queries = streaming_softmax.Queries(rows.to_rows(x), sigmas)
        tolerance = torch.full((len(x),), 1e-2, dtype=torch.float64)
        near, crowded = streaming_softmax.near_mean(rows, queries, tolerance=tolerance)
        ways = {
            "dense": streaming_softmax.dense_mean(rows, queries, reweigh=False),
            "weights again": streaming_softmax.dense_mean(rows, queries),
            "in_float64": streaming_softmax.dense_mean(rows, queries, in_float64=True),
            "near": torch.where(
                crowded[:, None], streaming_softmax.dense_mean(rows, queries), near
            ),
        }
        for name, means in ways.items():
            error = (rows.to_images(means) - slow(x, sigma, clean)).abs().max()
            assert error < 1e-5, name


def test_mapped_files_floats_and_tensors_give_what_arrays_in_memory_give(cifar10, tmp_path):
    np.save(tmp_path / "images.npy", cifar10.pixels)
    x = noisy(as_clean(cifar10.pixels), 1.0)
    expected = OptimalDenoiser(cifar10.pixels).denoise(x, 1.0)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    assert torch.equal(OptimalDenoiser(mapped).denoise(x, 1.0), expected)
    assert torch.equal(OptimalDenoiser(torch.from_numpy(cifar10.pixels)).denoise(x, 1.0), expected)
    floats = (cifar10.pixels / 127.5 - 1).astype(np.float32)
    assert (OptimalDenoiser(floats).denoise(x, 1.0) - expected).abs().max() < 1e-5


def test_each_image_has_its_own_sigma(cifar10):
    clean = as_clean(cifar10.pixels)
    x = noisy(clean, 1.0, count=3)
    sigmas = torch.tensor([40.0, 1.0, 0.01])
    found = OptimalDenoiser(cifar10.pixels).denoise(x, sigmas)
    for row, sigma in enumerate((40.0, 1.0, 0.01)):
        one = slow(x[row : row + 1], sigma, clean)
        assert (found[row] - one[0]).abs().max() < 1e-5


def test_with_labels_only_images_of_the_class_count(cifar10):
    clean, labels = as_clean(cifar10.pixels), torch.from_numpy(cifar10.labels)
    x = noisy(clean, 5.0)
    wanted = torch.arange(len(x)) % 3
    found = OptimalDenoiser(cifar10.pixels, labels=cifar10.labels).denoise(x, 5.0, wanted)
    for row, label in enumerate(wanted.tolist()):
        one = slow(x[row : row + 1], 5.0, clean[labels == label])
        assert (found[row] - one[0]).abs().max() < 1e-5


def test_unique_labels_give_back_each_image_itself(made):
    denoiser = OptimalDenoiser(made.pixels, labels=np.arange(24))
    found = denoiser.denoise(torch.randn(24, 3, 8, 8), 10.0, torch.arange(24))
    assert (found - as_clean(made.pixels)).abs().max() < 1e-5


def test_results_have_the_type_and_shape_of_what_was_given(made):
    for dtype in (torch.float32, torch.float64):
        found = OptimalDenoiser(made.pixels).denoise(torch.zeros(2, 3, 8, 8, dtype=dtype), 1.0)
        assert found.dtype == dtype
        assert found.shape == (2, 3, 8, 8)


def test_the_score_is_the_gradient_of_the_log_density(made):
    """(D* − x)/σ² is ∇ log Σᵢ N(x; yᵢ, σ²I)."""
    clean, sigma = as_clean(made.pixels), 6.0
    x = noisy(clean, sigma, count=4).requires_grad_(True)
    gaps = (x[:, None] - clean[None]).flatten(2).square().sum(dim=2)
    torch.logsumexp(-gaps / (2 * sigma**2), dim=1).sum().backward()
    score = (OptimalDenoiser(made.pixels).denoise(x.detach(), sigma) - x.detach()) / sigma**2
    assert (score - x.grad).abs().max() < 1e-5


def test_its_samples_are_training_images_to_the_last_bit(cifar10):
    drawn = sample(OptimalDenoiser(cifar10.pixels), 40, shape=(3, 8, 8), sampling=Sampling(seed=0))
    known = {image.tobytes() for image in cifar10.pixels}
    assert all(image.tobytes() in known for image in drawn)


def test_its_samples_are_all_memorized_by_the_metric(cifar10):
    drawn = sample(OptimalDenoiser(cifar10.pixels), 40, shape=(3, 8, 8), sampling=Sampling(seed=1))
    found = memorization_ratio(
        generated=drawn.reshape(40, -1).astype(np.float32),
        train=cifar10.pixels.reshape(200, -1).astype(np.float32),
    )
    assert found.value == 1.0


def test_its_samples_of_a_class_are_images_of_the_class(cifar10):
    denoiser = OptimalDenoiser(cifar10.pixels, labels=cifar10.labels)
    labels = torch.arange(10)
    noise = torch.randn(10, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    drawn = quantize(heun(denoiser.denoise, noise, labels)).numpy()
    for image, label in zip(drawn, labels.tolist(), strict=True):
        same = (cifar10.pixels == image).all(axis=(1, 2, 3))
        assert same.any()
        assert (cifar10.labels[same] == label).all()


def test_images_of_another_shape_are_refused(made):
    with pytest.raises(InputError, match=r"expected floating-point images \[b, 3, 8, 8\]"):
        OptimalDenoiser(made.pixels).denoise(torch.zeros(2, 3, 16, 16), 1.0)


@pytest.mark.parametrize("sigma", [0.0, -1.0, float("nan"), [1.0, 2.0]])
def test_a_sigma_that_is_none_is_refused(made, sigma):
    with pytest.raises(InputError, match="sigma: expected one number of at least 1e-06"):
        OptimalDenoiser(made.pixels).denoise(torch.zeros(3, 3, 8, 8), torch.tensor(sigma))


@pytest.mark.parametrize("images", [np.zeros((0, 3, 8, 8), np.uint8), np.zeros((2, 3), int), "x"])
def test_what_is_no_images_is_refused(images):
    with pytest.raises(InputError, match="training images: expected"):
        OptimalDenoiser(images)


def test_pixels_that_are_no_numbers_are_refused():
    with pytest.raises(InputError, match="finite"):
        OptimalDenoiser(np.full((2, 3, 8, 8), np.nan, np.float32))


def test_labels_that_do_not_fit_are_refused(made):
    x = torch.zeros(1, 3, 8, 8)
    with pytest.raises(InputError, match="expected 24 whole numbers"):
        OptimalDenoiser(made.pixels, labels=np.zeros(3, int))
    with pytest.raises(UsageError, match="has no labels"):
        OptimalDenoiser(made.pixels).denoise(x, 1.0, torch.tensor([0]))
    with pytest.raises(InputError, match="no training image has label 7"):
        OptimalDenoiser(made.pixels, labels=made.labels).denoise(x, 1.0, torch.tensor([7]))


def test_an_image_that_is_no_number_is_refused_not_answered(made):
    optimal = OptimalDenoiser(made.pixels)
    for wrong in (float("nan"), float("inf")):
        x = torch.zeros(2, 3, 8, 8)
        x[1, 0, 0, 0] = wrong
        with pytest.raises(InputError, match="x: expected finite pixels"):
            optimal.denoise(x, 1.0)


@pytest.mark.parametrize(
    "labels", [torch.tensor([0]), torch.tensor([0.0, 1.0]), torch.tensor([True, False])]
)
def test_labels_that_are_not_one_whole_number_an_image_are_refused(made, labels):
    optimal = OptimalDenoiser(made.pixels, labels=made.labels)
    with pytest.raises(InputError, match="labels: expected 2 whole numbers, one per image"):
        optimal.denoise(torch.zeros(2, 3, 8, 8), 1.0, labels)


def test_of_no_images_it_makes_none(made):
    optimal = OptimalDenoiser(made.pixels, labels=made.labels)
    none = torch.zeros(0, 3, 8, 8)
    for labels in (None, torch.zeros(0, dtype=torch.int64)):
        assert optimal.denoise(none, torch.zeros(0), labels).shape == (0, 3, 8, 8)
