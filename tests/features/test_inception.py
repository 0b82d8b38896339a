"""The FID backbone against torch-fidelity's, both on the same random weights from one file."""

import io

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

import genmem.features as features
from genmem.errors import WeightsError
from genmem.images import open_images

WANTED = ["2048", "logits_unbiased"]


class Unloaded(FeatureExtractorInceptionV3):
    """torch-fidelity's extractor with the random weights it starts with."""

    def load_state_dict(self, *_, **__):
        return None


@pytest.fixture(scope="module")
def weights_file(tmp_path_factory):
    torch.manual_seed(0)
    nothing = io.BytesIO()
    torch.save({}, nothing)
    nothing.seek(0)
    network = Unloaded("inception-v3-compat", WANTED, feature_extractor_weights_path=nothing)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.1, 0.4)
    path = tmp_path_factory.mktemp("weights") / "inception.pth"
    torch.save(network.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def peer(weights_file):
    return FeatureExtractorInceptionV3(
        "inception-v3-compat", WANTED, feature_extractor_weights_path=str(weights_file)
    )


@pytest.fixture(scope="module")
def extractor(weights_file):
    return features.load_backbone("inception", weights=weights_file, device="cpu")


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(1).integers(0, 256, (5, 40, 56, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def expected(peer, images):
    return [rows.numpy() for rows in peer(torch.from_numpy(images).permute(0, 3, 1, 2))]


def relative(ours, theirs):
    return np.abs(ours - theirs).max() / np.abs(theirs).max()


def test_features_and_logits_equal_torch_fidelitys(extractor, images, expected):
    assert extractor.engine == "onnxruntime cpu"
    result = features.extract(open_images(images), extractor=extractor, cache=None)
    assert result.array.shape == (5, 2048)
    assert result.logits is not None
    assert result.logits.shape == (5, 1008)
    assert expected[0].std(axis=0).max() > 1e-3
    assert relative(result.array, expected[0]) < 1e-4
    assert relative(result.logits, expected[1]) < 1e-4


def test_features_do_not_depend_on_the_batch_size(extractor, images):
    batch = np.stack([extractor.transform(image) for image in images])
    whole, _ = extractor.run(batch)
    single = np.concatenate([extractor.run(batch[i : i + 1])[0] for i in range(len(batch))])
    assert relative(single, whole) < 1e-5


def test_the_torch_module_equals_torch_fidelitys(weights_file, images, expected):
    module = features.torch_module("inception", weights=weights_file)
    with torch.inference_mode():
        result = module(torch.from_numpy(images).permute(0, 3, 1, 2))
    assert relative(result.numpy(), expected[0]) < 1e-5
    assert not any(parameter.requires_grad for parameter in module.parameters())


def test_weights_of_something_else_are_refused(tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({"a.weight": torch.zeros(3)}, path)
    with pytest.raises(WeightsError, match=r"other\.safetensors does not hold.*inception"):
        features.load_backbone("inception", weights=path)


@pytest.mark.parametrize(
    "text", ["epoch,loss\n1,0.5\n", "hello\n", "{}", "", "\x80", "# Weights\n\nRead me first.\n"]
)
def test_a_text_file_as_weights_is_refused_in_one_line(tmp_path, text):
    path = tmp_path / "notes.pth"
    path.write_text(text)
    with pytest.raises(WeightsError, match=r"cannot read the weights in notes\.pth") as caught:
        features.load_backbone("inception", weights=path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_damaged_weights_file_is_named(tmp_path, suffix):
    path = tmp_path / f"damaged{suffix}"
    path.write_bytes(b"not weights at all")
    with pytest.raises(WeightsError, match="damaged"):
        features.load_backbone("inception", weights=path)


def test_a_weights_file_with_more_than_tensors_is_not_unpickled(tmp_path):
    path = tmp_path / "code.pth"
    torch.save({"weight": print}, path)
    with pytest.raises(WeightsError, match=r"cannot read the weights in code\.pth"):
        features.load_backbone("inception", weights=path)
