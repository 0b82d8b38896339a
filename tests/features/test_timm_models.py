import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file

import genmem.features as features
from genmem.errors import UsageError, WeightsError
from genmem.features.preprocessing import Crop
from genmem.features.timm_models import TimmNetwork
from genmem.features.weights import HubFile

TIMM_BACKBONES = [
    backbone for backbone in features.backbones() if isinstance(backbone.network, TimmNetwork)
]


@pytest.mark.parametrize("backbone", TIMM_BACKBONES, ids=lambda backbone: backbone.name)
def test_the_registry_agrees_with_timm(backbone):
    spec = backbone.network
    config = timm.get_pretrained_cfg(spec.model)
    assert config is not None
    assert (config.mean, config.std) == spec.scaling
    if isinstance(backbone.weights, HubFile):
        assert backbone.weights.repository == config.hf_hub_id
    size = {} if spec.image_size is None else {"img_size": spec.image_size}
    with torch.device("meta"):
        network = timm.create_model(spec.model, pretrained=False, **size).eval()
        if not spec.keep_head:
            network.reset_classifier(0)  # type: ignore[operator]
        images = torch.zeros(1, 3, backbone.input_size, backbone.input_size)
    assert network(images).shape == (1, backbone.dimension)


@pytest.mark.parametrize("name", ["dinov2-s", "resnet50"])
def test_random_weights_from_a_file_give_timms_features(name, tmp_path):
    backbone = features.find_backbone(name)
    spec = backbone.network
    assert isinstance(spec, TimmNetwork)
    torch.manual_seed(0)
    size = {} if spec.image_size is None else {"img_size": spec.image_size}
    theirs = timm.create_model(spec.model, pretrained=False, **size).eval()
    path = tmp_path / "random.safetensors"
    save_file({key: value.contiguous() for key, value in theirs.state_dict().items()}, path)
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    prepared = torch.from_numpy(backbone.preprocessing.apply(image)[None].copy())
    theirs.reset_classifier(0)  # type: ignore[operator]
    mean, std = (torch.tensor(each).view(1, 3, 1, 1) for each in spec.scaling)
    with torch.inference_mode():
        expected = theirs((prepared.permute(0, 3, 1, 2) / 255 - mean) / std)
        result = spec(path)(prepared)
    assert result.shape == (1, backbone.dimension)
    assert torch.allclose(result, expected, rtol=1e-3, atol=1e-5 * float(expected.abs().max()))


def test_weights_that_do_not_fit_in_full_are_refused(tmp_path):
    network = timm.create_model("resnet50", pretrained=False)
    tensors = dict(network.state_dict())
    del tensors["layer1.0.conv1.weight"]
    save_file(tensors, tmp_path / "part.safetensors")
    with pytest.raises(WeightsError, match="does not hold the weights of resnet50"):
        features.load_backbone("resnet50", weights=tmp_path / "part.safetensors", device="cpu")


def test_any_timm_model_brings_its_own_preprocessing():
    backbone = features.find_backbone("timm:resnet18.a1_in1k")
    assert backbone.name == "timm:resnet18.a1_in1k"
    assert backbone.preprocessing == Crop(224, 235, Image.Resampling.BICUBIC)
    assert isinstance(backbone.weights, HubFile)


def test_any_timm_model_runs_with_weights_from_a_file(tmp_path):
    network = timm.create_model("resnet18.a1_in1k", pretrained=False)
    save_file(network.state_dict(), tmp_path / "random.safetensors")
    extractor = features.load_backbone(
        "timm:resnet18.a1_in1k", weights=tmp_path / "random.safetensors", device="cpu"
    )
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    rows, logits = extractor.run(extractor.transform(image)[None])
    assert (rows.shape, logits) == ((1, 512), None)
    assert extractor.dimension == 512
    assert extractor.describe()["weights_from"] == "--weights"


def test_an_unknown_timm_model_lists_near_names():
    with pytest.raises(UsageError, match=r"similar names: .*resnet18"):
        features.find_backbone("timm:resnet18.a1_in1")
    with pytest.raises(UsageError, match="no pretrained model"):
        features.find_backbone("timm:no_such_thing")
