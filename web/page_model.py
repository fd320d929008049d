"""The model of the page: an exported ONNX file with its weights in 8 bits, and what the page must know of it.

Each output channel of a convolution's weights gets a scale of its own, and a DequantizeLinear that ONNX Runtime computes once, when it
loads the file. All arithmetic stays in float: a quarter of the size, at the same speed.
"""

import base64
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

import ainet
from ainet.merge_tree import image_model
from ainet.runtime.backends.base import MergingBackend
from ainet.runtime.oversegmentation import FINER
from ainet.runtime.plan import MIN_SEGMENTS, MIN_SIZE
from ainet.spec import CELL_SIZE

OUTPUT_CHANNELS = {"Conv": 0, "ConvTranspose": 1}  # the axis of the weights
SMALLEST = 1000  # values; smaller weights are not worth a node


def with_small_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """A model whose float weights of convolutions are stored in int8; one that has none, such as an INT8 model, is left as it is.

    model: one whole, with plain kernels (`ainet.export.whole`); it is not changed.
    """
    small = onnx.ModelProto()
    small.CopyFrom(model)
    graph = small.graph
    weights = {tensor.name: tensor for tensor in graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT}
    nodes = []
    for node in graph.node:
        tensor = weights.get(node.input[1]) if node.op_type in OUTPUT_CHANNELS else None
        if tensor is not None and np.prod(tensor.dims) >= SMALLEST:
            axis = OUTPUT_CHANNELS[node.op_type]
            parts = _quantised(numpy_helper.to_array(tensor), axis)
            names = [f"{tensor.name}.{part}" for part in ("int8", "scale", "zero")]
            graph.initializer.remove(tensor)
            graph.initializer.extend(numpy_helper.from_array(part, name) for part, name in zip(parts, names, strict=True))
            nodes.append(onnx.helper.make_node("DequantizeLinear", names, [tensor.name], axis=axis))
        nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(small, full_check=True)
    return small


def description(model: Path) -> dict[str, object]:
    """What the page must know of a model: means of the colours, sizes of plans, the learned cost."""
    with ainet.Segmenter.load(model, device="cpu") as segmenter:
        own = segmenter.backend.merge_model if isinstance(segmenter.backend, MergingBackend) else None
        cost = own or image_model()
        weights = np.concatenate([array.ravel() for array in cost.arrays()]).astype("<f4")
        return {
            "mean": segmenter.info.mean,
            "plan": {"finer": FINER, "cell": CELL_SIZE, "leastSize": MIN_SIZE, "leastSegments": MIN_SEGMENTS},
            "cost": {
                "sizes": [cost.channels, cost.border1.shape[1], cost.border2.shape[1], cost.pair1.shape[1]],
                "weights": base64.b64encode(weights.tobytes()).decode(),
            },
        }


def _quantised(weights: NDArray[np.float32], axis: int) -> tuple[NDArray[np.int8], NDArray[np.float32], NDArray[np.int8]]:
    """Values in [-127, 127], and the scale and the zero point of each output channel."""
    others = tuple(other for other in range(weights.ndim) if other != axis)
    largest = np.abs(weights).max(axis=others, keepdims=True)
    scale = np.where(largest > 0, largest, 1) / np.float32(127)
    return np.rint(weights / scale).astype(np.int8), scale.reshape(-1), np.zeros(scale.size, np.int8)
