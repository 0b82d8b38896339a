import pytest

import genmem.features as features
from genmem.errors import UsageError

NAMES = [backbone.name for backbone in features.backbones()]


def test_the_backbones_of_the_design_are_there():
    for name in (
        "inception",
        "nasnet",
        *(f"dinov2-{size}" for size in "sblg"),
        *(f"clip-{size}" for size in ("b32", "b16", "l14")),
        "resnet50",
        "vgg16",
        *(f"efficientnet-lite{number}" for number in range(3)),
        "pixels",
    ):
        assert features.find_backbone(name).name == name
    assert len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_backbone_says_what_it_is(name):
    backbone = features.find_backbone(name)
    assert backbone.description
    assert backbone.licence
    assert backbone.preprocessing.name.endswith("-v1")
    assert backbone.weights_from


def test_an_unknown_name_lists_near_ones():
    with pytest.raises(UsageError, match="did you mean inception"):
        features.find_backbone("inceptoin")
    with pytest.raises(UsageError, match=r"Known are inception, .*timm:NAME"):
        features.find_backbone("zzz")


def test_backbones_that_work_offline_are_ready():
    ready = [each.name for each in features.backbones() if features.weights_status(each).ready]
    assert {"efficientnet-lite0", "pixels"} <= set(ready)
    assert "inception" not in ready
    status = features.weights_status(features.find_backbone("inception"))
    assert "weights-inception-2015-12-05-6726825d.pth" in status.where


def test_an_unknown_device_is_refused():
    with pytest.raises(UsageError, match="not available here"):
        features.load_backbone("efficientnet-lite0", device="gpu")  # type: ignore[arg-type]
