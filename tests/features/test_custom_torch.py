"""Custom torch networks: files, modules and callables, and how their pixels are prepared."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import genmem
import genmem.features as features
from genmem.errors import InputError, UsageError
from genmem.features.custom_models import parse_preprocess
from genmem.images import open_images

from .networks import Bomb, expected_rows, rows_of, save_exported, save_torchscript, small_network


@pytest.mark.parametrize("kind", ["traced", "scripted", "exported", "exported, batch of 5"])
def test_a_float_network_in_a_file_gets_scaled_and_resized_images(kind, tmp_path, noise):
    network = small_network()
    if kind in ("traced", "scripted"):
        path = save_torchscript(network, tmp_path / "net.torchscript.pt", trace=kind == "traced")
    else:
        batch = 5 if "5" in kind else None
        path = save_exported(network, tmp_path / "net.pt2", batch=batch)
    backbone = genmem.custom_backbone(path, preprocess="imagenet,40")
    rows = rows_of(backbone, noise)
    np.testing.assert_allclose(rows, expected_rows(noise, network, 40), rtol=1e-4, atol=1e-5)
    module = features.torch_module(backbone)
    tensor = torch.from_numpy(noise).permute(0, 3, 1, 2)
    np.testing.assert_allclose(module(tensor).numpy(), rows, atol=0.02)
    assert not any(parameter.requires_grad for parameter in module.parameters())


def test_a_module_and_a_function_get_the_same_images_as_a_file(noise):
    network = small_network()
    expected = expected_rows(noise, network, 30)
    for given in (network, lambda images: network(images)):
        backbone = genmem.custom_backbone(given, preprocess="imagenet,30")
        np.testing.assert_allclose(rows_of(backbone, noise), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("preprocess", "low", "high", "shape"),
    [
        (None, 0, 255, (20, 24)),
        ("uint8", 0, 255, (20, 24)),
        ("unit", 0, 1, (20, 24)),
        ("symmetric", -1, 1, (20, 24)),
        ("unit,10", 0, 1, (10, 12)),
        ("uint8,16x16", 0, 255, (16, 16)),
    ],
)
def test_the_scale_and_the_size_are_what_preprocess_says(preprocess, low, high, shape):
    seen = []

    def network(images):
        seen.append(images)
        return images.flatten(1).float()

    images = np.zeros((2, 20, 24, 3), np.uint8)
    images[1] = 255
    rows = rows_of(genmem.custom_backbone(network, preprocess=preprocess), images)
    assert (rows[0] == low).all()
    assert (rows[1] == high).all()
    assert tuple(seen[0].shape) == (2, 3, *shape)
    assert (seen[0].dtype == torch.uint8) == (high == 255)


def test_every_door_takes_a_module_a_path_and_a_function(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (60, 12, 12, 3), np.uint8)
    sets: dict[str, Any] = {"generated": images[:20], "train": images[20:40], "test": images[40:]}
    path = save_exported(small_network(), tmp_path / "net.pt2", size=(12, 12))
    file = genmem.custom_backbone(path, preprocess="imagenet")
    scaled = genmem.custom_backbone(small_network(), preprocess="imagenet")

    def means(images):
        return images.float().mean(dim=(2, 3))

    score = {
        name: genmem.score(**sets, backbone=backbone, metrics=["memorization_distance"])
        for name, backbone in (("file", file), ("module", scaled), ("function", means))
    }
    values = {name: float(one["memorization_distance"]) for name, one in score.items()}
    assert values["file"] == pytest.approx(values["module"], abs=1e-6)
    assert values["function"] != values["module"]
    assert score["function"].backbone["name"] == "means"
    running = genmem.RunningScore(
        train=sets["train"], backbone=scaled, metrics=["memorization_distance"]
    )
    running.update(sets["generated"])
    assert float(running.compute()["memorization_distance"]) == pytest.approx(values["module"])
    with genmem.audit(**sets, backbone=[scaled, "pixels"]) as audit:
        assert [space.name for space in audit.spaces] == ["Sequential", "pixels@64"]


def test_a_path_needs_no_text():
    with pytest.raises(UsageError, match=r"there is no file nowhere\.onnx"):
        features.find_backbone(Path("nowhere.onnx"))


def test_a_module_is_left_in_the_mode_it_was_in(noise):
    network: Any = torch.nn.Sequential(
        torch.nn.BatchNorm2d(3), small_network(), torch.nn.Dropout(0.9)
    )
    network.train()
    network[1].eval()
    backbone = genmem.custom_backbone(network, preprocess="unit")
    first, second = rows_of(backbone, noise), rows_of(backbone, noise)
    assert np.array_equal(first, second)  # no dropout
    assert int(network[0].num_batches_tracked) == 0
    assert [child.training for child in network] == [True, False, True]


def test_other_weights_under_one_name_are_other_features(tmp_path, noise):
    network = small_network()
    backbone = genmem.custom_backbone(network, preprocess="unit", name="mine")
    before = rows_of(backbone, noise, cache=tmp_path)
    assert np.array_equal(before, rows_of(backbone, noise, cache=tmp_path))
    assert len(list((tmp_path / "features").glob("*/entry.json"))) == 1
    with torch.no_grad():
        network[0].weight.mul_(-1)
    np.testing.assert_allclose(rows_of(backbone, noise, cache=tmp_path), -before, rtol=1e-5)
    assert len(list((tmp_path / "features").glob("*/entry.json"))) == 2


def test_networks_without_a_name_are_never_cached(tmp_path, noise):
    for sign in (1, -1):
        network = lambda images, sign=sign: sign * images.float().mean(dim=(2, 3))  # noqa: E731
        rows = rows_of(network, noise, cache=tmp_path)
        np.testing.assert_allclose(rows, sign * noise.mean(axis=(1, 2)), rtol=1e-5)
    assert not list(tmp_path.glob("features/*"))


def test_a_name_that_is_taken_is_refused():
    for name in ("inception", "pixels", "timm:resnet18", ""):
        with pytest.raises(UsageError, match="is not free"):
            genmem.custom_backbone(small_network(), name=name)


@pytest.mark.parametrize(
    "text", ["", "imagenet,", "imagenet,0", "imagenet,2x3", "imagnet", "288", "unit,99999"]
)
def test_a_preprocessing_that_is_none_is_refused(text):
    with pytest.raises(UsageError, match=r"expected SCALE or SCALE,SIZE, as in imagenet,288, got"):
        parse_preprocess(text)


def test_a_float_network_without_a_scale_says_what_to_give(tmp_path, noise):
    path = save_torchscript(small_network(), tmp_path / "net.pt", trace=False)
    with pytest.raises(InputError, match=r"failed on images .* uint8 .*--preprocess imagenet,288"):
        rows_of(path, noise)
    with pytest.raises(UsageError, match=r"takes images of float32; say how .*imagenet,288"):
        rows_of(save_exported(small_network(), tmp_path / "net.pt2"), noise)
    with pytest.raises(InputError, match=r"Sequential: the network failed on images .* uint8"):
        rows_of(small_network(), noise)


def test_outputs_that_are_no_features_are_named(noise):
    with pytest.raises(InputError, match=r"expected one row of features per image"):
        rows_of(lambda images: images.float(), noise)
    with pytest.raises(InputError, match=r"expected features \[b, d\].* got dict"):
        rows_of(lambda images: {"features": images}, noise)


def test_what_is_no_backbone_is_refused():
    with pytest.raises(UsageError, match=r"a torch module or a callable, got int"):
        features.find_backbone(3)  # type: ignore[arg-type]


def test_checkpoints_are_refused_and_not_unpickled(tmp_path, noise):
    torch.save(small_network().state_dict(), tmp_path / "weights.pt")
    (tmp_path / "module.pt").write_bytes(pickle.dumps(Bomb(tmp_path)))
    torch.save(Bomb(tmp_path), tmp_path / "bomb.pt")
    for name in ("weights.pt", "module.pt", "bomb.pt"):
        with pytest.raises(UsageError, match=f"{name}: expected a network as torch.export.save"):
            rows_of(tmp_path / name, noise)
    assert not (tmp_path / "executed").exists()


def test_the_command_line_says_how_pixels_are_prepared(tmp_path, capsys):
    from genmem.cli.app import run

    images = np.random.default_rng(0).integers(0, 256, (90, 20, 24, 3), np.uint8)
    for place, name in enumerate(("generated", "train", "test")):
        np.save(tmp_path / f"{name}.npy", images[30 * place : 30 * (place + 1)])
    network = small_network()
    path = save_torchscript(network, tmp_path / "net.torchscript.pt", trace=False)
    files = [str(tmp_path / f"{name}.npy") for name in ("generated", "train", "test")]
    options = ["--preprocess", "imagenet,40", "--device", "cpu"]
    out = tmp_path / "rows.npy"
    arguments = ["features", files[0], "--backbone", str(path), "--out", str(out), *options]
    assert run(arguments) == 0
    expected = expected_rows(images[:30], network, 40)
    np.testing.assert_allclose(np.load(out), expected, rtol=1e-4, atol=1e-5)
    sets = [files[0], "--train", files[1], "--test", files[2]]
    assert run(["score", *sets, "--backbone", str(path), *options]) == 0
    audit = ["audit", *sets, "--backbone", f"{path},pixels", "--out", str(tmp_path / "audit")]
    assert run([*audit, *options]) == 0
    capsys.readouterr()
    for wrong in ("pixels", f"{path},{path}"):
        assert run([*audit[:6], "--backbone", wrong, *options, *audit[8:]]) == 2
        assert "--preprocess belongs to one network file" in capsys.readouterr().err


def test_a_function_with_the_name_of_a_backbone_is_another_network(noise):
    def inception(images):
        return images.float().mean(dim=(2, 3))

    assert features.find_backbone(inception).name == "inception (custom)"


def test_a_module_serves_training_loops_and_a_function_does_not(noise):
    network = small_network()
    backbone = genmem.custom_backbone(network, preprocess="imagenet,40")
    tensor = torch.from_numpy(noise).permute(0, 3, 1, 2)
    rows = features.torch_module(backbone)(tensor)
    np.testing.assert_allclose(rows.numpy(), expected_rows(noise, network, 40), atol=0.02)
    with pytest.raises(UsageError, match=r"<lambda> is a function: expected a torch network"):
        features.torch_module(lambda images: images.float().mean(dim=(2, 3)))


def test_rejection_takes_a_path_and_a_custom_backbone(tmp_path, noise):
    from genmem.training.rejection.embedding import open_backbone

    path = save_exported(small_network(), tmp_path / "net.pt2")
    backbone = genmem.custom_backbone(path, preprocess="imagenet")
    module, name = open_backbone(backbone)
    expected = features.torch_module(backbone)(torch.from_numpy(noise).permute(0, 3, 1, 2))
    assert name is None
    rows = module(torch.from_numpy(noise).permute(0, 3, 1, 2))
    np.testing.assert_allclose(rows.numpy(), expected.numpy(), rtol=1e-4, atol=1e-6)
    scripted = save_torchscript(ScaledMean(), tmp_path / "mean.pt", trace=False)
    rows = open_backbone(scripted)[0](torch.from_numpy(noise).permute(0, 3, 1, 2))
    np.testing.assert_allclose(rows.numpy(), noise.mean(axis=(1, 2)) / 255, rtol=1e-5)
    with pytest.raises(UsageError, match=r"expected a name, the path of a file, .* got int"):
        open_backbone(3)  # type: ignore[arg-type]


class ScaledMean(torch.nn.Module):
    """The mean of each channel; takes uint8."""

    def forward(self, images):
        return images.float().mean(dim=[2, 3]) / 255


def network_in_training_mode():
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3),
        torch.nn.BatchNorm2d(4),
        torch.nn.Dropout(0.5),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
    ).train()


@pytest.mark.parametrize("kind", ["exported", "function", "random"])
def test_a_network_in_training_mode_that_cannot_be_switched_is_refused(kind, tmp_path, noise):
    network = network_in_training_mode()
    given = {
        "exported": lambda: save_exported(network, tmp_path / "net.pt2"),
        "function": lambda: lambda images: network(images),
        "random": lambda: lambda images: torch.randn(len(images), 4),
    }[kind]()
    extractor = features.load_backbone(features.custom_backbone(given, preprocess="unit"))
    with pytest.raises(InputError, match=r"same features again, and in a batch.*\.eval\(\)"):
        features.extract(open_images(noise), extractor=extractor, cache=None)


def test_chance_that_a_black_image_hides_is_noticed(noise):
    backbone = features.custom_backbone(
        lambda images: (images * torch.rand(1)).mean(dim=(2, 3)), preprocess="unit"
    )
    with pytest.raises(InputError, match="same features again"):
        rows_of(backbone, np.concatenate([noise[:1] * 0, noise]))


def test_features_whose_number_depends_on_the_images_are_one_line(noise):
    backbone = features.custom_backbone(
        lambda images: images.float().mean((2, 3))[:, : 3 if images.max() > 3 else 2]
    )
    extractor = features.load_backbone(backbone)
    images = np.concatenate([noise, noise, noise * 0])
    with pytest.raises(InputError, match=r"expected 3 features per image, as before, got 2"):
        features.extract(open_images(images), extractor=extractor, cache=None)


def test_a_class_in_place_of_a_module_is_refused():
    with pytest.raises(UsageError, match=r"got the class Flatten; give an object of it"):
        genmem.load_backbone(features.custom_backbone(torch.nn.Flatten))
