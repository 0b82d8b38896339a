"""SSCD by the published interface, with a stand-in network: the weights are not on this machine."""

import hashlib
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

import genmem
import genmem.features as features
from genmem.errors import UsageError, WeightsError
from genmem.images import open_images

MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
SIZES = ((60, 90), (90, 60), (60, 90), (50, 50), (61, 90))


class StandIn(nn.Module):
    """What the published files are: normalized float [b, 3, H, W] of any size → norm-1 rows."""

    def __init__(self, dimension: int):
        super().__init__()
        torch.manual_seed(0)
        self.trunk = nn.Sequential(nn.Conv2d(3, 8, 9, 8), nn.BatchNorm2d(8), nn.ReLU())
        self.projection = nn.Linear(8, dimension)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        pooled = self.trunk(images).clamp(min=1e-6).pow(3.0).mean(dim=[2, 3]).pow(1.0 / 3.0)
        return functional.normalize(self.projection(pooled))


def save_script(network: nn.Module, path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(network).save(path)


def save_stand_in(path: Path, dimension: int) -> StandIn:
    network = StandIn(dimension).eval()
    save_script(network, path)
    return network


@pytest.fixture
def photographs(tmp_path):
    """Five images of four sizes in a folder, and their pixels."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    rng = np.random.default_rng(0)
    pixels = []
    for number, (height, width) in enumerate(SIZES):
        small = rng.integers(0, 256, (6, 6, 3), np.uint8)
        large = Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)
        large.save(folder / f"{number}.png")
        pixels.append(np.asarray(large))
    return folder, pixels


def small_288(image):
    """The publisher's preprocessing, in Pillow and NumPy."""
    height, width = image.shape[:2]
    shorter = min(height, width)
    size = int(288 * width / shorter), int(288 * height / shorter)
    values = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR)) / 255
    return torch.from_numpy(((values - MEAN) / STD).transpose(2, 0, 1)[None]).float()


@pytest.mark.parametrize(("name", "dimension"), [("sscd", 512), ("sscd-large", 1024)])
def test_images_of_several_sizes_get_the_publishers_descriptors(
    name, dimension, tmp_path, photographs
):
    folder, pixels = photographs
    network = save_stand_in(tmp_path / "net.pt", dimension)
    with torch.inference_mode():
        expected = np.concatenate([network(small_288(image)).numpy() for image in pixels])
    extractor = features.load_backbone(name, weights=tmp_path / "net.pt", device="cpu")
    with open_images(folder) as source:
        result = features.extract(source, extractor=extractor)
        again = features.extract(source, extractor=extractor, batch_size=2, cache=None)
    assert result.array.shape == (5, dimension)
    np.testing.assert_allclose(result.array, expected, atol=1e-5)
    np.testing.assert_allclose(again.array, expected, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(result.array, axis=1), 1, atol=1e-5)
    assert result.shape == ()
    assert extractor.dimension == dimension


def test_photographs_of_several_sizes_are_audited_with_sscd(tmp_path, photographs, monkeypatch):
    folder, _ = photographs
    save_stand_in(tmp_path / "sscd_disc_large.torchscript.pt", 1024)
    monkeypatch.setenv("GENMEM_WEIGHTS", str(tmp_path))
    sets = {"generated": folder, "train": folder, "test": folder}
    with genmem.audit(**sets, backbone=["sscd-large"], augment=["flip"]) as audit:
        assert [space.name for space in audit.spaces] == ["sscd-large"]


def test_an_elongated_image_takes_bounded_memory():
    line = np.zeros((2, 4_000, 3), np.uint8)
    for image in (line, line.transpose(1, 0, 2)):
        shape = features.find_backbone("sscd").preprocessing.apply(image).shape
        assert sorted(shape) == [3, 288, 8 * 288]


def test_only_the_published_file_is_taken_from_a_cache(tmp_path, monkeypatch):
    save_stand_in(tmp_path / "sscd_disc_mixup.torchscript.pt", 512)
    monkeypatch.setenv("GENMEM_WEIGHTS", str(tmp_path))
    with pytest.raises(WeightsError, match=r"not the published file.*9f26bd4c848cc19b"):
        features.load_backbone("sscd")


def test_a_file_without_a_published_hash_is_used_and_its_hash_is_in_the_provenance(
    tmp_path, monkeypatch
):
    path = tmp_path / "sscd_disc_large.torchscript.pt"
    save_stand_in(path, 1024)
    monkeypatch.setenv("GENMEM_WEIGHTS", str(tmp_path))
    described = features.load_backbone("sscd-large", device="cpu").describe()
    assert described["weights_sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_checkpoint_in_its_place_is_refused_and_nothing_is_unpickled(tmp_path):
    torch.save(StandIn(512), tmp_path / "net.pt")
    with pytest.raises(UsageError, match="nothing is unpickled"):
        features.load_backbone("sscd", weights=tmp_path / "net.pt")


def test_training_loops_get_the_same_descriptors(tmp_path, photographs):
    _, pixels = photographs
    network = save_stand_in(tmp_path / "net.pt", 512)
    module = features.torch_module("sscd", weights=tmp_path / "net.pt")
    batch = torch.tensor(pixels[0]).permute(2, 0, 1)[None]
    with torch.inference_mode():
        expected = network(small_288(pixels[0]))
    torch.testing.assert_close(module(batch), expected, atol=2e-2, rtol=0)
