import warnings

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from PIL import Image

import genmem.features as features
from genmem.errors import InputError, UsageError
from genmem.images import open_images

DIMS = {"first": ["b", 3, 8, 8], "last": ["b", 8, 8, 3], "any": ["b", 3, "h", "w"]}


def onnx_file(path, *, shape, type=TensorProto.UINT8, pool=True):
    """A network that averages each channel (or does nothing), as an ONNX file."""
    axes = [1, 2] if shape[-1] == 3 and shape[1] != 3 else [2, 3]
    steps = [helper.make_node("Cast", ["images"], ["values"], to=TensorProto.FLOAT)]
    if pool:
        constant = helper.make_tensor("axes", TensorProto.INT64, [2], axes)
        steps += [
            helper.make_node("Constant", [], ["axes"], value=constant),
            helper.make_node("ReduceMean", ["values", "axes"], ["out"], keepdims=0),
        ]
    graph = helper.make_graph(
        steps,
        "mean",
        [helper.make_tensor_value_info("images", type, shape)],
        [helper.make_tensor_value_info("out" if pool else "values", TensorProto.FLOAT, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, path)
    return path


class Mean(torch.nn.Module):
    def forward(self, images):
        return images.float().mean(dim=(2, 3))


@pytest.mark.parametrize("layout", ["first", "last"])
@pytest.mark.parametrize("type", [TensorProto.UINT8, TensorProto.FLOAT])
def test_an_onnx_file_gets_the_layout_and_type_it_asks_for(tmp_path, noise, layout, type):
    path = onnx_file(tmp_path / "mean.onnx", shape=DIMS[layout], type=type)
    extractor = features.load_backbone(str(path))
    result = features.extract(open_images(noise), extractor=extractor, cache=None)
    stretched = np.stack([extractor.transform(image) for image in noise])
    assert stretched.shape == (12, 8, 8, 3)
    np.testing.assert_allclose(result.array, stretched.mean(axis=(1, 2)), rtol=1e-5)
    assert extractor.backbone.name == "mean.onnx"
    assert extractor.weights_hash is not None


def test_an_onnx_file_without_a_size_takes_images_as_they_are(tmp_path, noise):
    extractor = features.load_backbone(str(onnx_file(tmp_path / "m.onnx", shape=DIMS["any"])))
    result = features.extract(open_images(noise), extractor=extractor, cache=None)
    np.testing.assert_allclose(result.array, noise.mean(axis=(1, 2)), rtol=1e-5)
    assert extractor.dimension == 3


def test_a_network_that_gives_no_rows_is_an_error(tmp_path, noise):
    path = onnx_file(tmp_path / "m.onnx", shape=DIMS["any"], pool=False)
    extractor = features.load_backbone(str(path))
    with pytest.raises(InputError, match=r"m\.onnx: expected one row .* got shape"):
        features.extract(open_images(noise), extractor=extractor, cache=None)


def test_a_torchscript_file_takes_uint8_images(tmp_path, noise):
    path = tmp_path / "mean.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(Mean(), torch.zeros(1, 3, 4, 4, dtype=torch.uint8)).save(path)
    extractor = features.load_backbone(str(path), device="cpu")
    result = features.extract(open_images(noise), extractor=extractor, cache=None)
    np.testing.assert_allclose(result.array, noise.mean(axis=(1, 2)), rtol=1e-5)
    module = features.torch_module(str(path))
    tensor = torch.from_numpy(noise).permute(0, 3, 1, 2)
    np.testing.assert_allclose(module(tensor).numpy(), result.array, rtol=1e-5)


def test_a_file_that_is_something_else_is_named(tmp_path):
    for name in ("x.onnx", "x.pt", "x.pt2"):
        (tmp_path / name).write_bytes(b"\x99something else")
        with pytest.raises(UsageError, match=name):
            features.load_backbone(str(tmp_path / name), device="cpu")


def test_a_missing_file_is_named():
    with pytest.raises(UsageError, match=r"there is no file .*nowhere\.onnx"):
        features.find_backbone("nowhere.onnx")


def test_an_onnx_file_is_no_torch_module(tmp_path):
    path = onnx_file(tmp_path / "m.onnx", shape=DIMS["any"])
    with pytest.raises(UsageError, match="torch cannot run it"):
        features.torch_module(str(path))


@pytest.mark.parametrize("scale", [torch.Tensor.float, torch.Tensor.half, torch.Tensor.long])
def test_a_torch_module_refuses_images_that_are_no_bytes(noise, scale):
    module = features.torch_module("pixels")
    images = torch.from_numpy(noise).permute(0, 3, 1, 2)
    for given in (scale(images), images.permute(0, 2, 3, 1), images[0], images[:, :1]):
        with pytest.raises(InputError, match=r"expected uint8 RGB \[b, 3, H, W\]"):
            module(given)


def test_pixels_as_a_torch_module(noise):
    module = features.torch_module("pixels")
    result = module(torch.from_numpy(noise).permute(0, 3, 1, 2)).numpy()
    assert np.array_equal(result, noise.reshape(12, -1))


def test_an_onnx_file_gets_scaled_images_where_they_are_asked_for(tmp_path, noise):
    for name, shape in (("any.onnx", DIMS["any"]), ("fixed.onnx", DIMS["first"])):
        path = onnx_file(tmp_path / name, shape=shape, type=TensorProto.FLOAT)
        extractor = features.load_backbone(features.custom_backbone(path, preprocess="imagenet"))
        result = features.extract(open_images(noise), extractor=extractor, cache=None)
        resized = (
            noise
            if name == "any.onnx"
            else [
                Image.fromarray(image).resize((8, 8), Image.Resampling.BICUBIC) for image in noise
            ]
        )
        values = np.stack([np.asarray(image) for image in resized]) / 255
        expected = ((values - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]).mean(axis=(1, 2))
        np.testing.assert_allclose(result.array, expected, atol=1e-5)


def test_what_an_onnx_file_does_not_take_is_refused(tmp_path, noise):
    square = onnx_file(tmp_path / "square.onnx", shape=DIMS["first"], type=TensorProto.FLOAT)
    with pytest.raises(UsageError, match=r"takes images of 8 × 8, and --preprocess .* gives 9"):
        features.custom_backbone(square, preprocess="unit,9")
    unscaled = onnx_file(tmp_path / "uint8.onnx", shape=DIMS["any"])
    with pytest.raises(UsageError, match=r"takes uint8 images, which cannot be scaled"):
        features.load_backbone(features.custom_backbone(unscaled, preprocess="unit"))
    extractor = features.load_backbone(features.custom_backbone(square, preprocess="unit,8"))
    with pytest.raises(InputError, match=r"failed on images \[12, 3, 8, 9\]; it declares"):
        features.extract(open_images(noise), extractor=extractor, cache=None)


@pytest.mark.parametrize("batch", [1, 5])
def test_an_onnx_file_of_a_fixed_batch_size_takes_any_number_of_images(tmp_path, noise, batch):
    path = onnx_file(tmp_path / "m.onnx", shape=[batch, *DIMS["any"][1:]])
    extractor = features.load_backbone(str(path))
    result = features.extract(open_images(noise), extractor=extractor, cache=None)
    np.testing.assert_allclose(result.array, noise.mean(axis=(1, 2)), rtol=1e-5)


def test_an_onnx_file_that_draws_random_numbers_is_refused(tmp_path, noise):
    path = onnx_file(tmp_path / "m.onnx", shape=DIMS["any"])
    model = onnx.load(path)
    random = helper.make_node("RandomNormalLike", ["values"], ["random"], scale=99.0)
    model.graph.node.insert(1, random)
    next(node for node in model.graph.node if node.op_type == "ReduceMean").input[0] = "random"
    onnx.save(model, path)
    extractor = features.load_backbone(str(path))
    with pytest.raises(InputError, match=r"m\.onnx: expected an image to have the same features"):
        features.extract(open_images(noise), extractor=extractor, cache=None)


def insert_in_training_mode(path, operator, *, after):
    """Insert a Dropout or a BatchNormalization that is active after the node `after`."""
    model = onnx.load(path)
    (index,) = [i for i, node in enumerate(model.graph.node) if node.op_type == after]
    before = model.graph.node[index]
    name, before.output[0] = before.output[0], "before"
    if operator == "Dropout":
        inputs = {"ratio": np.array(0.5, np.float32), "training_mode": np.array(True)}
        node = helper.make_node("Dropout", ["before", *inputs], [name])
    else:
        inputs = {
            key: np.full(3, value, np.float32)
            for key, value in (("scale", 1), ("bias", 0), ("mean", 0), ("variance", 1))
        }
        outputs = [name, "new_mean", "new_variance"]
        node = helper.make_node(operator, ["before", *inputs], outputs, training_mode=1)
    model.graph.initializer.extend(
        onnx.numpy_helper.from_array(value, key) for key, value in inputs.items()
    )
    model.graph.node.insert(index + 1, node)
    onnx.save(model, path)


@pytest.mark.parametrize(
    ("operator", "after"), [("Dropout", "ReduceMean"), ("BatchNormalization", "Cast")]
)
def test_an_onnx_file_in_training_mode_is_refused(operator, after, tmp_path, noise):
    path = onnx_file(tmp_path / "m.onnx", shape=DIMS["any"])
    insert_in_training_mode(path, operator, after=after)
    extractor = features.load_backbone(str(path))
    with pytest.raises(InputError, match=r"m\.onnx: expected an image to have the same features"):
        features.extract(open_images(noise), extractor=extractor, cache=None)


def test_a_dropout_that_onnx_runtime_removes_does_no_harm(tmp_path, noise):
    path = onnx_file(tmp_path / "m.onnx", shape=DIMS["any"])
    insert_in_training_mode(path, "Dropout", after="Cast")
    extractor = features.load_backbone(str(path))
    rows = features.extract(open_images(noise), extractor=extractor, cache=None).array
    np.testing.assert_allclose(rows, noise.mean(axis=(1, 2)), rtol=1e-5)
