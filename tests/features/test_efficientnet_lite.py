import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import genmem.features as features
from genmem.errors import WeightsError
from genmem.features.efficientnet_lite import build_network
from genmem.features.weights import obtain_weights
from genmem.images import decode, open_images


@pytest.fixture(scope="module")
def cifar(cifar_test_zip):
    """300 CIFAR-10 test images, 30 a class: pixels and class names."""
    with open_images(cifar_test_zip) as source:
        positions = range(0, len(source), len(source) // 300)[:300]
        images = [decode(source.content(i), name=source.id(i)) for i in positions]
        return np.stack(images), np.array([source.class_name(i) for i in positions])


def test_the_features_know_what_is_in_the_pictures(lite0, cifar):
    images, classes = cifar
    with open_images(images) as source:
        result = features.extract(source, extractor=lite0, cache=None)
    rows = result.array / np.linalg.norm(result.array, axis=1, keepdims=True)
    distances = 1 - rows @ rows.T
    np.fill_diagonal(distances, np.inf)
    assert (classes[distances.argmin(axis=1)] == classes).mean() > 0.4  # chance is 0.1
    # Among 50,000 images the nearest is .22 away on average; among 300 it is farther.
    assert 0.22 < distances.min(axis=1).mean() < 0.4


def test_both_engines_agree_and_the_batch_size_does_not_matter(lite0, noise):
    batch = np.stack([lite0.transform(image) for image in noise])
    assert batch.dtype == np.uint8
    whole, logits = lite0.run(batch)
    assert logits is None
    assert whole.shape == (12, 1280)
    largest = np.abs(whole).max()
    for size in (1, 5):
        parts = [lite0.run(batch[i : i + size])[0] for i in range(0, 12, size)]
        assert np.abs(np.concatenate(parts) - whole).max() < 1e-5 * largest
    network = features.find_backbone("efficientnet-lite0").network
    weights = features.find_backbone("efficientnet-lite0").weights
    assert network is not None
    assert weights is not None
    with torch.inference_mode():
        torchs = network(obtain_weights(weights, backbone="lite0").path)(torch.from_numpy(batch))
    assert np.abs(torchs.numpy() - whole).max() < 1e-4 * largest


def test_the_torch_module_is_close_to_extract(lite0, noise):
    module = features.torch_module("efficientnet-lite0")
    with torch.inference_mode():
        result = module(torch.from_numpy(noise).permute(0, 3, 1, 2)).numpy()
    expected, _ = lite0.run(np.stack([lite0.transform(image) for image in noise]))
    cosine = (result * expected).sum(1) / np.linalg.norm(result, axis=1)
    assert (cosine / np.linalg.norm(expected, axis=1)).min() > 0.9999


@pytest.mark.parametrize("number", [1, 2])
def test_the_larger_ones_load_in_full(number):
    backbone = features.find_backbone(f"efficientnet-lite{number}")
    assert backbone.weights is not None
    if not features.weights_status(backbone).ready:
        pytest.skip("the extra `offline` is not installed")
    path = obtain_weights(backbone.weights, backbone=backbone.name).path
    network = build_network(path, number=number)
    size = backbone.input_size
    with torch.inference_mode():
        assert network(torch.zeros(1, size, size, 3, dtype=torch.uint8)).shape == (1, 1280)


def test_preprocessing_is_timms_configuration():
    import timm

    for number in range(3):
        config = timm.get_pretrained_cfg(f"tf_efficientnet_lite{number}.in1k")
        assert config is not None
        crop = features.find_backbone(f"efficientnet-lite{number}").preprocessing
        assert (config.mean, config.std) == ((0.5,) * 3, (0.5,) * 3)
        assert (config.input_size[1], config.interpolation) == (crop.size, "bicubic")  # type: ignore[attr-defined]
        assert int(config.input_size[1] / config.crop_pct) == crop.resize  # type: ignore[attr-defined]


def test_weights_in_timms_own_naming_are_taken_by_name(tmp_path):
    import timm

    theirs = timm.create_model("tf_efficientnet_lite0", pretrained=False).eval()
    save_file(theirs.state_dict(), tmp_path / "timm.safetensors")
    ours = build_network(tmp_path / "timm.safetensors", number=0)
    batch = torch.randint(0, 256, (1, 224, 224, 3), dtype=torch.uint8)
    with torch.inference_mode():
        values = (batch.permute(0, 3, 1, 2) / 255 - 0.5) / 0.5
        expected = theirs.forward_head(theirs.forward_features(values), pre_logits=True)
        assert torch.allclose(ours(batch), expected, rtol=1e-4, atol=1e-5)


def test_the_weights_of_another_size_are_refused(tmp_path):
    weights = features.find_backbone("efficientnet-lite1").weights
    assert weights is not None
    result = weights.find()
    if result is None:
        pytest.skip("the extra `offline` is not installed")
    with pytest.raises(WeightsError, match="does not hold the weights of efficientnet-lite0"):
        features.load_backbone("efficientnet-lite0", weights=result[0])
