"""Small ONNX models with the operators of exported networks, and with the toolkit's metadata: engines load them in milliseconds."""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from ainet.runtime.model import ENTRY, ModelInfo
from ainet.spec import MEAN


def logits_model(quantised: bool = False) -> bytes:
    """float32 (N, 3, H, W) -> (N, 9, H, W): convolution, deconvolution, batch normalisation; a convolution of INT8, where asked."""
    weights = _weights(first=(4, 3, 3, 3), down=(6, 4, 3, 3), up=(6, 4, 4, 4), last=(9, 8, 3, 3), last_bias=(9,))
    weights |= {name: np.ones(4, np.float32) for name in ("scale", "shift", "mean", "variance")}
    nodes = [
        helper.make_node("Conv", ["image", "first"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node("BatchNormalization", ["a", "scale", "shift", "mean", "variance"], ["b"]),
        helper.make_node("LeakyRelu", ["b"], ["c"], alpha=0.1),
        helper.make_node("Conv", ["c", "down"], ["d"], pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("Relu", ["d"], ["e"]),
        helper.make_node("ConvTranspose", ["e", "up"], ["f"], pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("Concat", ["c", "f"], ["g"], axis=1),
        helper.make_node("Conv", ["g", "last", "last_bias"], ["logits"], pads=[1, 1, 1, 1]),
    ]
    if quantised:
        weights |= {"step": np.array(0.02, np.float32), "zero": np.array(0, np.int8), "steps": np.full(9, 0.01, np.float32)}
        weights["last"] = np.sign(weights["last"]).astype(np.int8)
        weights["zeros"] = np.zeros(9, np.int8)
        nodes[-1] = helper.make_node("Conv", ["g_real", "last_real", "last_bias"], ["logits"], pads=[1, 1, 1, 1])
        nodes[-1:-1] = [
            helper.make_node("QuantizeLinear", ["g", "step", "zero"], ["g_codes"]),
            helper.make_node("DequantizeLinear", ["g_codes", "step", "zero"], ["g_real"]),
            helper.make_node("DequantizeLinear", ["last", "steps", "zeros"], ["last_real"], axis=0),
        ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, "height", "width"])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 9, "height", "width"])
    return _model(nodes, image, logits, weights, "logits", "int8" if quantised else "fp32")


def labels_model() -> bytes:
    """uint8 (N, H, W, 3) -> int32 cell ids (N, H, W), in half precision inside."""
    weights = _weights(first=(9, 3, 3, 3))
    weights["first"] = weights["first"].astype(np.float16)
    nodes = [
        helper.make_node("Cast", ["image"], ["a"], to=TensorProto.FLOAT16),
        helper.make_node("Transpose", ["a"], ["b"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["b", "first"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("ArgMax", ["c"], ["d"], axis=1, keepdims=0),
        helper.make_node("Cast", ["d"], ["labels"], to=TensorProto.INT32),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", "height", "width", 3])
    labels = helper.make_tensor_value_info("labels", TensorProto.INT32, ["batch", "height", "width"])
    return _model(nodes, image, labels, weights, "labels", "fp16")


def _weights(**shapes: tuple[int, ...]) -> dict[str, NDArray[Any]]:
    rng = np.random.default_rng(0)
    return {name: rng.normal(0, 0.3, shape).astype(np.float32) for name, shape in shapes.items()}


def _model(
    nodes: list[onnx.NodeProto],
    image: onnx.ValueInfoProto,
    output: onnx.ValueInfoProto,
    weights: dict[str, NDArray[Any]],
    kind: str,
    precision: str,
) -> bytes:
    initializers = [numpy_helper.from_array(values, name) for name, values in weights.items()]
    graph = helper.make_graph(nodes, "small", [image], [output], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    info = ModelInfo("scn", kind, precision, MEAN, "0" * 64, {"epoch": 1}, "0.1.0")
    helper.set_model_props(model, {ENTRY: info.to_json()})
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()
