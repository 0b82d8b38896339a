"""Layers against slow versions written from their papers."""

import numpy as np
import pytest
import torch
from torch import nn

from genmem.training.gan.layers import (
    SelfAttention,
    SpectralNorm,
    class_batch_norm,
    convolution,
    embedding,
    linear,
    linear_batch_norm,
    transposed,
)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.mark.parametrize("shape", [(5, 7), (6, 3, 3, 3), (1, 9)])
def test_spectral_norm_divides_by_the_largest_singular_value(shape):
    weight = torch.randn(shape)
    norm = SpectralNorm(weight)
    for _ in range(200):
        found = norm(weight)
    largest = np.linalg.svd(weight.flatten(1).double().numpy(), compute_uv=False)[0]
    np.testing.assert_allclose(found, weight / largest, rtol=1e-4)


def test_spectral_norm_takes_one_power_iteration_a_step_of_training_and_none_otherwise():
    weight = torch.randn(4, 6)
    norm = SpectralNorm(weight)
    u = norm.u.double().numpy()
    norm.train()(weight)
    matrix = weight.double().numpy()
    v = matrix.T @ u / np.linalg.norm(matrix.T @ u)
    expected = matrix @ v / np.linalg.norm(matrix @ v)
    np.testing.assert_allclose(norm.u, expected, atol=1e-6)
    before = norm.u.clone()
    norm.eval()(weight)
    assert torch.equal(norm.u, before)


def test_the_gradient_of_spectral_norm_is_that_of_w_over_sigma():
    """∂/∂W of Σ(A ∘ W/σ) with u, v fixed: A/σ − (Σ A∘W)/σ² · u vᵀ (Miyato et al., eq. 12)."""
    weight = torch.randn(4, 6, requires_grad=True)
    norm = SpectralNorm(weight)
    coefficients = torch.randn(4, 6)
    (norm(weight) * coefficients).sum().backward()
    with torch.no_grad():
        sigma = norm.u @ weight @ norm.v
        outer = torch.outer(norm.u, norm.v)
        slow = coefficients / sigma - (coefficients * weight).sum() / sigma**2 * outer
    torch.testing.assert_close(weight.grad, slow)


@pytest.mark.parametrize(
    "layer",
    [linear(5, 7), convolution(4, 6), convolution(4, 6, 4, stride=2), embedding(9, 6)],
    ids=["linear", "convolution", "strided", "embedding"],
)
def test_layers_start_orthogonal_with_a_zero_bias_and_norm_one(layer):
    matrix = layer.weight.detach().flatten(1)
    small = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    torch.testing.assert_close(small, torch.eye(len(small)), atol=1e-5, rtol=0)
    bias = getattr(layer, "bias", None)
    assert bias is None or not bias.any()
    assert sum(parameter.numel() for parameter in layer.parameters()) == (
        matrix.numel() + (0 if bias is None else bias.numel())
    )


def test_convolutions_keep_halve_and_double_the_side():
    x = torch.randn(2, 4, 8, 8)
    assert convolution(4, 6)(x).shape == (2, 6, 8, 8)
    assert convolution(4, 6, 1)(x).shape == (2, 6, 8, 8)
    assert convolution(4, 6, 4, stride=2)(x).shape == (2, 6, 4, 4)
    assert transposed(4, 6)(x).shape == (2, 6, 16, 16)


def slow_batch_norm(x, gains, biases):
    """x̂ · (1 + gain) + bias, channel by channel and image by image."""
    out = np.empty_like(x)
    for channel in range(x.shape[1]):
        values = x[:, channel]
        normal = (values - values.mean()) / np.sqrt(values.var() + 1e-4)
        for image in range(len(x)):
            gain, bias = gains[image, channel], biases[image, channel]
            out[image, channel] = normal[image] * (1 + gain) + bias
    return out


def test_class_batch_norm_is_that_of_the_paper():
    layer = class_batch_norm(3, 5).eval()
    x, labels = torch.randn(4, 3, 6, 6), torch.tensor([0, 4, 4, 2])
    gains = layer.gain.weight.detach().double().numpy()[labels]
    biases = layer.bias.weight.detach().double().numpy()[labels]
    layer.norm.train()
    expected = slow_batch_norm(x.double().numpy(), gains, biases)
    np.testing.assert_allclose(layer(x, labels).detach(), expected, atol=1e-4)


def test_linear_batch_norm_is_that_of_the_paper():
    layer = linear_batch_norm(3, 7).eval()
    x, condition = torch.randn(4, 3, 6, 6), torch.randn(4, 7)
    given = condition.double().numpy()
    gains = given @ layer.gain.weight.detach().double().numpy().T
    biases = given @ layer.bias.weight.detach().double().numpy().T
    layer.norm.train()
    expected = slow_batch_norm(x.double().numpy(), gains, biases)
    np.testing.assert_allclose(layer(x, condition).detach(), expected, atol=1e-4)
    assert layer.gain.bias is None


def slow_attention(x, layer):
    """x_i + γ o(Σ_j softmax_j(θ_i·φ_j) g_j), place by place; φ, g are maxima of 2 × 2 places."""
    theta, phi, g, o = (
        getattr(layer, name).weight.detach().double().numpy()[:, :, 0, 0]
        for name in ("theta", "phi", "g", "o")
    )
    out = x.copy()
    channels, height, width = x.shape[1:]
    for image in range(len(x)):
        keys, values = [], []
        for top in range(0, height, 2):
            for left in range(0, width, 2):
                patch = x[image, :, top : top + 2, left : left + 2].reshape(channels, 4)
                keys.append((phi @ patch).max(axis=1))
                values.append((g @ patch).max(axis=1))
        for row in range(height):
            for column in range(width):
                query = theta @ x[image, :, row, column]
                scores = np.exp([query @ key for key in keys])
                mixed = sum(
                    s * value for s, value in zip(scores / scores.sum(), values, strict=True)
                )
                out[image, :, row, column] += layer.scale.item() * (o @ mixed)
    return out


def test_self_attention_is_that_of_the_paper():
    layer = SelfAttention(16).eval()
    nn.init.constant_(layer.scale, 0.7)
    x = torch.randn(2, 16, 4, 6)
    expected = slow_attention(x.double().numpy(), layer)
    np.testing.assert_allclose(layer(x).detach(), expected, atol=1e-5)


def test_self_attention_starts_as_nothing():
    x = torch.randn(2, 8, 4, 4)
    assert torch.equal(SelfAttention(8)(x), x)
