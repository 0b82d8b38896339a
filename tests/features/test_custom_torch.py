"""Custom torch networks: files, modules and callables, and how their pixels are prepared."""

import io
import json
import pickle
import re
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import genmem
import genmem.features as features
from genmem.errors import GenmemError, InputError, UsageError
from genmem.features.custom_models import parse_preprocess
from genmem.images import open_images

MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def small_network(seed=0):
    torch.manual_seed(seed)
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3, bias=False), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()
    ).eval()


def expected_rows(images, network, side):
    """torchvision's recipe in NumPy and Pillow: resize the shorter side, scale, run."""
    rows = []
    for image in images:
        height, width = image.shape[:2]
        shorter = min(height, width)
        size = (int(side * width / shorter), int(side * height / shorter))
        resized = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
        values = ((resized / 255 - MEAN) / STD).transpose(2, 0, 1)
        rows.append(network(torch.from_numpy(values[None]).float())[0].detach().numpy())
    return np.stack(rows)


def save_torchscript(network, path, *, trace):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        example = torch.zeros(1, 3, 40, 48)
        scripted = torch.jit.trace(network, example) if trace else torch.jit.script(network)
        scripted.save(path)
    return path


def save_exported(network, path, *, size=None, batch=None, dtype=torch.float32):
    dim = torch.export.Dim
    example = torch.zeros(batch or 2, 3, *(size or (40, 48)), dtype=dtype)
    dynamic = {} if batch else {0: dim("b")}
    if size is None:
        dynamic |= {2: dim("h", min=8, max=4096), 3: dim("w", min=8, max=4096)}
    program = torch.export.export(network, (example,), dynamic_shapes=(dynamic,))
    torch.export.save(program, path)
    return path


def rows_of(backbone, images, **options):
    extractor = features.load_backbone(backbone, device="cpu")
    with open_images(images) as source:
        return features.extract(source, extractor=extractor, **{"cache": None, **options}).array


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
    sets = {"generated": images[:20], "train": images[20:40], "test": images[40:]}
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
    with genmem.audit(**sets, backbones=[scaled, "pixels"]) as audit:
        assert [space.name for space in audit.spaces] == ["Sequential", "pixels@64"]


def test_a_path_needs_no_text():
    with pytest.raises(UsageError, match=r"there is no file nowhere\.onnx"):
        features.find_backbone(Path("nowhere.onnx"))


def test_a_module_is_left_in_the_mode_it_was_in(noise):
    network = torch.nn.Sequential(torch.nn.BatchNorm2d(3), small_network(), torch.nn.Dropout(0.9))
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


def test_images_that_an_exported_program_does_not_take_are_one_line(tmp_path, noise):
    path = save_exported(small_network(), tmp_path / "net.pt2", size=(12, 12))
    with pytest.raises(InputError, match=r"failed on images \[12, 3, 20, 24\] of float32 .*Check"):
        rows_of(genmem.custom_backbone(path, preprocess="imagenet"), noise)


def test_outputs_that_are_no_features_are_named(noise):
    with pytest.raises(InputError, match=r"expected one row of features per image"):
        rows_of(lambda images: images.float(), noise)
    with pytest.raises(InputError, match=r"expected features \[b, d\].* got dict"):
        rows_of(lambda images: {"features": images}, noise)


def test_what_is_no_backbone_is_refused():
    with pytest.raises(UsageError, match=r"a torch module or a callable, got int"):
        features.find_backbone(3)


def test_checkpoints_are_refused_and_not_unpickled(tmp_path, noise):
    torch.save(small_network().state_dict(), tmp_path / "weights.pt")
    (tmp_path / "module.pt").write_bytes(pickle.dumps(Bomb(tmp_path)))
    torch.save(Bomb(tmp_path), tmp_path / "bomb.pt")
    for name in ("weights.pt", "module.pt", "bomb.pt"):
        with pytest.raises(UsageError, match=f"{name}: expected a network as torch.export.save"):
            rows_of(tmp_path / name, noise)
    assert not (tmp_path / "executed").exists()


class Bomb:
    """Creates a file when it is unpickled."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return Path.touch, (self.folder / "executed",)


def rewrite(path, change):
    """Change the files of an exported program: `change` gets and edits name → bytes."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    root = next(iter(files)).partition("/")[0]
    change(files, root)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def pickled_weight(files, root, bomb):
    name = f"{root}/data/weights/model_weights_config.json"
    config = json.loads(files[name])
    weight = config["config"]["0.weight"]
    weight["use_pickle"] = True
    buffer = io.BytesIO()
    torch.save(bomb, buffer)
    files[f"{root}/data/weights/{weight['path_name']}"] = buffer.getvalue()
    files[name] = json.dumps(config).encode()


def opaque_constant(files, root, bomb):
    entry = {"path_name": "opaque_obj_0", "is_param": False, "use_pickle": False}
    config = {"config": {"x": {**entry, "tensor_meta": None}}}
    files[f"{root}/data/constants/model_constants_config.json"] = json.dumps(config).encode()
    files[f"{root}/data/constants/opaque_obj_0"] = pickle.dumps(bomb)


def pickled_inputs(files, root, bomb):
    buffer = io.BytesIO()
    torch.save(bomb, buffer)
    files[f"{root}/data/sample_inputs/model.pt"] = buffer.getvalue()


def legacy_weights(files, root, bomb):
    files[f"{root}/data/weights/model.pt"] = pickle.dumps(bomb)


def compiled_library(files, root, bomb):
    files[f"{root}/data/aotinductor/model/model.so"] = b"\x7fELF"


def edit_program(files, root, change):
    program = json.loads(files[f"{root}/models/model.json"])
    change(program)
    files[f"{root}/models/model.json"] = json.dumps(program).encode()


def expression(files, root, bomb):
    text = json.dumps(f"__import__('pathlib').Path({str(bomb.folder / 'executed')!r}).touch()")
    name = f"{root}/models/model.json"
    symbol = json.dumps("Symbol('s").strip('"').encode()
    start = files[name].index(b'"expr_str": "' + symbol) + len(b'"expr_str": ')
    end = files[name].index(b'"', start + 1) + 1
    files[name] = files[name][:start] + text.encode() + files[name][end:]


def system_call(files, root, bomb):
    def change(program):
        node = program["graph_module"]["graph"]["nodes"][0]
        node["target"] = "torch.os.system"

    edit_program(files, root, change)


def guard(files, root, bomb):
    edit_program(files, root, lambda program: program.update(guards_code=["exit()"]))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (pickled_weight, "a tensor in it is pickled"),
        (opaque_constant, "is not a part of one"),
        (pickled_inputs, "its example inputs are not plain tensors"),
        (legacy_weights, "is not a part of one"),
        (compiled_library, "is not a part of one"),
        (expression, "its expr_str holds"),
        (system_call, r"its target holds 'torch\.os\.system'"),
        (guard, "it checks its input by Python code"),
    ],
)
def test_an_exported_program_that_would_run_code_is_refused(tmp_path, noise, change, problem):
    path = save_exported(small_network(), tmp_path / "net.pt2")
    rewrite(path, lambda files, root: change(files, root, Bomb(tmp_path)))
    backbone = genmem.custom_backbone(path, preprocess="imagenet")
    with pytest.raises(InputError, match=problem):
        rows_of(backbone, noise)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    "target",
    [
        "torch.ops.aten.__class__.mro",
        "torch.ops.aten.__dict__.get",
        "torch.ops.aten.add.__class__",
        "torch.ops.aten.add.op",
        "torch.ops.aten._dir.append",
        "torch.ops.aten.from_file.default",
        "torch.ops.load_library",
        "torch.ops.aten.no_such_operator.default",
        "torch.sym___class__",
        "torch.sym_int.__globals__",
        "torch.sym_fresh_size",
        "math.__loader__",
        "math.factorial",
        "_operator.attrgetter",
        "_operator.methodcaller",
    ],
)
def test_a_node_may_only_call_operators(target, tmp_path, noise):
    path = save_exported(small_network(), tmp_path / "net.pt2")

    def change(program):
        program["graph_module"]["graph"]["nodes"][0]["target"] = target

    rewrite(path, lambda files, root: edit_program(files, root, change))
    with pytest.raises(InputError, match=rf"its target holds '{re.escape(target)}'"):
        rows_of(genmem.custom_backbone(path, preprocess="imagenet"), noise)


def test_a_damaged_program_is_one_line(tmp_path, noise):
    path = save_exported(small_network(), tmp_path / "net.pt2")
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], whole.replace(b'"graph"', b'"grxph"'), b"PK\x05\x06"):
        path.write_bytes(content)
        with pytest.raises(GenmemError, match=r"net\.pt2: "):
            rows_of(path, noise)


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
        open_backbone(3)


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
