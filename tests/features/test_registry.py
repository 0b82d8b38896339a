import pickle
import re

import numpy as np
import pytest
import torch
from PIL import Image

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
        "sscd",
        "sscd-large",
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
    assert re.search(r"-v\d+$", backbone.preprocessing.name)
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


@pytest.mark.parametrize("side", [4, 64, 512])
def test_pixels_at_a_side_take_images_of_any_size(side):
    pixels = features.load_backbone(f"pixels@{side}")
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (*shape, 3), dtype=np.uint8) for shape in ((8, 8), (50, 37))]
    rows, logits = pixels.run(np.stack([pixels.transform(image) for image in images]))
    expected = [
        np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BILINEAR)).ravel()
        for image in images
    ]
    assert rows.dtype == np.float32
    assert np.abs(rows - np.stack(expected)).max() <= 1
    assert logits is None
    assert pickle.loads(pickle.dumps(pixels)).backbone.name == f"pixels@{side}"


def test_pixels_of_images_of_that_size_are_the_pixels_themselves():
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    assert (features.load_backbone("pixels@16").transform(image) == image).all()


def test_pixels_at_a_side_are_the_same_in_a_training_loop():
    image = np.random.default_rng(0).integers(0, 256, (24, 40, 3), dtype=np.uint8)
    module = features.torch_module("pixels@16")
    rows = module(torch.from_numpy(image).permute(2, 0, 1)[None]).numpy()
    pixels = features.load_backbone("pixels@16")
    assert np.abs(rows - pixels.run(pixels.transform(image)[None])[0]).max() <= 2


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("pixels@3", "at least 4 and at most 512"),
        ("pixels@", "at least 4 and at most 512"),
        ("pixels@32@64", "with one side"),
        ("efficientnet-lite0@16", "at least 32 and at most 4,096"),
        ("dinov2-s@112", "images of one size; leave @112 out"),
        ("pixls@64", "did you mean pixels"),
    ],
)
def test_a_side_at_which_a_backbone_cannot_run_is_refused(name, message):
    with pytest.raises(UsageError, match=message):
        features.find_backbone(name)
