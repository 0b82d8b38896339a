"""Networks in files, small enough for tests."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def convolution(path, seed=0):
    """A small network in an ONNX file, which ONNX Runtime runs in several threads."""
    weights = np.random.default_rng(seed).normal(size=(4, 3, 5, 5)).astype(np.float32)
    steps = [
        helper.make_node("Cast", ["images"], ["values"], to=TensorProto.FLOAT),
        helper.make_node("Constant", [], ["weights"], value=numpy_helper.from_array(weights)),
        helper.make_node("Conv", ["values", "weights"], ["maps"]),
        helper.make_node("Relu", ["maps"], ["active"]),
        helper.make_node("GlobalAveragePool", ["active"], ["features"]),
    ]
    images = helper.make_tensor_value_info("images", TensorProto.UINT8, ["b", 3, "h", "w"])
    features = helper.make_tensor_value_info("features", TensorProto.FLOAT, None)
    graph = helper.make_graph(steps, "convolution", [images], [features])
    opset = [helper.make_opsetid("", 18)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), path)
    return str(path)
