"""The float graph made ready for INT8: layers by name, concatenations split, channels equalised, the rest in half precision.

All of these leave the network's function as it is, save for rounding.
"""

from collections import Counter

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper
from onnxruntime.quantization.onnx_model import ONNXModel
from onnxruntime.transformers.float16 import convert_float_to_float16

from ainet.errors import ModelError
from ainet.runtime.quarters import CHANNELS

QUANTISABLE = ("Conv", "ConvTranspose")
EQUALISATION = 0.7  # how far a channel's activation, as against its weights, decides its scale; chosen on BSDS500
LARGEST_SCALE = 64.0
PART = 12  # channels: OpenVINO's slow way into planes starts at 16


def layers(model: onnx.ModelProto) -> dict[str, list[str]]:
    """Names of the convolution nodes of every layer, in the graph's order; a layer is a module of the network, such as "conv0a".

    Raises:
        ModelError: the model is quantised already, has no convolution, or one that cannot be quantised.
    """
    constants = {tensor.name for tensor in model.graph.initializer}
    found: dict[str, list[str]] = {}
    for node in model.graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            raise ModelError(f"the model is quantised already (node '{node.name}'); calibrate its checkpoint in float")
        if node.op_type in QUANTISABLE:
            if node.input[1] not in constants:
                raise ModelError(
                    f"{node.op_type} '{node.name}' cannot be quantised: its weights are computed in the graph; make them constant"
                )
            found.setdefault(_layer_name(node), []).append(node.name)
    if not found:
        kinds = ", ".join(sorted({node.op_type for node in model.graph.node}))
        raise ModelError(f"nothing to quantise: the model has no Conv or ConvTranspose, only {kinds}")
    return found


def _layer_name(node: NodeProto) -> str:
    """The module that a node's bias or weights belong to; the first of a sequence stands for it."""
    for name in reversed(node.input[1:]):
        path, _, kind = name.partition(".part")[0].rpartition(".")
        if kind in ("weight", "bias"):
            return path.removeprefix("network.").removesuffix(".0")
    return node.name


def multiply_adds(model: onnx.ModelProto, found: dict[str, list[str]]) -> dict[str, int]:
    """Of every layer of `found`, see `layers`, the multiply-adds for an image of 320 x 480: what its time in float goes by."""
    sized = onnx.ModelProto()
    sized.CopyFrom(model)
    for dimension, size in zip(sized.graph.input[0].type.tensor_type.shape.dim, (1, 3, 320, 480), strict=True):
        dimension.dim_value = size
    graph = onnx.shape_inference.infer_shapes(sized).graph
    pixels = {}
    for value in (*graph.value_info, *graph.input, *graph.output):
        sizes = [dimension.dim_value for dimension in value.type.tensor_type.shape.dim]
        pixels[value.name] = sizes[2] * sizes[3] if len(sizes) == 4 else 0
    weights = {tensor.name: int(np.prod(tensor.dims)) for tensor in graph.initializer}
    cost = {}
    for node in graph.node:
        if node.op_type in QUANTISABLE:  # a transposed convolution multiplies for each pixel that it reads
            cost[node.name] = weights[node.input[1]] * pixels[node.output[0] if node.op_type == "Conv" else node.input[0]]
    return {name: sum(cost[node] for node in nodes) for name, nodes in found.items()}


def split_concatenations(model: onnx.ModelProto) -> None:
    """Replace conv(concat(a, b)) by conv(a) + conv(b), in place.

    Each part then has a range of its own; and OpenVINO 2026.4 quantises a concatenation with negative values wrongly.
    """
    graph = model.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    inferred = onnx.shape_inference.infer_shapes(model).graph
    channels = {
        value.name: value.type.tensor_type.shape.dim[1].dim_value
        for value in (*inferred.value_info, *inferred.input)
        if len(value.type.tensor_type.shape.dim) == 4
    }
    users = Counter(name for node in graph.node for name in node.input)
    joins: dict[str, NodeProto] = {}
    for node in graph.node:
        of_channels = node.op_type == "Concat" and node.attribute[0].i == 1
        if of_channels and users[node.output[0]] == 1 and all(channels.get(name) for name in node.input):
            joins[node.output[0]] = node
    nodes: list[NodeProto] = []
    for node in graph.node:
        join = joins.get(node.input[0]) if node.op_type == "Conv" else None
        if join is None:
            nodes.append(node)
            continue
        nodes.remove(join)
        ends = np.cumsum([channels[name] for name in join.input])[:-1]
        sums = []
        for number, (name, weight) in enumerate(zip(join.input, np.split(_array(weights[node.input[1]]), ends, 1), strict=True)):
            part = NodeProto()
            part.CopyFrom(node)
            part.name = f"{node.name}.part{number}"
            kernel = f"{node.input[1]}.part{number}"
            graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(weight), kernel))
            del part.input[:]
            part.input.extend([name, kernel, *(node.input[2:] if number == 0 else ())])
            part.output[0] = f"{node.output[0]}.part{number}"
            sums.append(part.output[0])
            nodes.append(part)
        graph.initializer.remove(weights[node.input[1]])
        nodes.append(helper.make_node("Sum" if len(sums) > 2 else "Add", sums, [node.output[0]], f"{node.name}.sum"))
    kept = [NodeProto.FromString(node.SerializeToString()) for node in nodes]  # they live in the list that is emptied now
    del graph.node[:]
    graph.node.extend(kept)


def split_quarters(model: onnx.ModelProto) -> None:
    """Replace a convolution to 36 channels, whose pixels are then put together, by three to 12 channels side by side, in place.

    OpenVINO 2026.4 takes 1.8 ms of AINet-lite's 11.2 at 320 x 480 to put the pixels together and bring them from its layout into planes.
    Three times 12 channels it brings into planes in .35, and the runtime reads them before they are put together.
    """
    graph = model.graph
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    shuffled = {node.input[0] for node in graph.node if node.op_type == "DepthToSpace"}
    node = next((node for node in graph.node if node.output[0] in shuffled), None)
    if node is None or node.op_type != "Conv" or tensors[node.input[1]].dims[0] != CHANNELS:
        return
    place = list(graph.node).index(node)
    parts = []
    for number in range(CHANNELS // PART):
        part = NodeProto()
        part.CopyFrom(node)
        part.name, part.output[0] = f"{node.name}.part{number}", f"{node.output[0]}.part{number}"
        for index, name in enumerate(node.input[1:], 1):
            values = np.ascontiguousarray(_array(tensors[name])[number * PART : (number + 1) * PART])
            part.input[index] = f"{name}.part{number}"
            graph.initializer.append(numpy_helper.from_array(values, part.input[index]))
        parts.append(part)
    parts.append(helper.make_node("Concat", [part.output[0] for part in parts], [node.output[0]], f"{node.name}.joined", axis=1))
    for name in node.input[1:]:
        graph.initializer.remove(tensors[name])
    graph.node.remove(node)
    for part in reversed(parts):
        graph.node.insert(place, part)


def equalise(model: onnx.ModelProto, largest: dict[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
    """Scale channels between convolutions so that one scale fits all channels of a tensor better, in place.

    LeakyReLU commutes with positive factors, so dividing a channel before it and multiplying after it changes nothing in float
    (Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", ICCV 2019); the factor weighs
    activations against weights as SmoothQuant does (Xiao et al., ICML 2023, Eq. 4).

    Args:
        largest: (C,) absolute maximum of every channel of the tensors that convolutions read.

    Returns:
        The same after scaling.
    """
    graph = model.graph
    producers = {name: node for node in graph.node for name in node.output}
    users: dict[str, list[NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    outputs = {value.name for value in graph.output}

    def sources(name: str, uses: int = 1) -> list[NodeProto] | None:
        """The convolutions that a tensor with `uses` readers comes from by way of operators that commute with a channel's factor."""
        node = producers.get(name)
        if node is None or name in outputs or len(users[name]) > uses:
            return None
        if node.op_type in QUANTISABLE:
            return [node] if all(len(users[weight]) == 1 for weight in node.input[1:]) else None
        if node.op_type not in ("LeakyRelu", "Resize", "Add"):
            return None
        found: list[NodeProto] = []
        for part in node.input[: 2 if node.op_type == "Add" else 1]:
            before = sources(part)
            if before is None:
                return None
            found += before
        return found

    scaled = dict(largest)
    for name, maxima in largest.items():
        before, after = sources(name, len(users[name])), users[name]
        if before is None or any(node.op_type not in QUANTISABLE or len(users[node.input[1]]) > 1 for node in after):
            continue
        kernels = np.max([_by_input_channel(node, _array(tensors[node.input[1]])) for node in after], 0)
        activation = np.maximum(maxima, 1e-6 * maxima.max(initial=1e-6))
        kernels = np.maximum(kernels, 1e-6 * kernels.max(initial=1e-6))
        factor = activation**EQUALISATION / kernels ** (1 - EQUALISATION)
        factor = np.clip(factor / np.exp(np.log(factor).mean()), 1 / LARGEST_SCALE, LARGEST_SCALE).astype(np.float32)
        for node in before:
            _multiply(tensors[node.input[1]], 1 / factor, axis=0 if node.op_type == "Conv" else 1)
            for bias in node.input[2:]:
                _multiply(tensors[bias], 1 / factor, axis=0)
        for node in after:
            _multiply(tensors[node.input[1]], factor, axis=1 if node.op_type == "Conv" else 0)
        scaled[name] = maxima / factor
    return scaled


def give_transposed_ranges(model: onnx.ModelProto) -> None:
    """Give a transposed convolution that reads a tensor beside other convolutions a scale of its own for it, the next larger number.

    OpenVINO makes one tensor of equal codes: unsigned with an offset, which suits the others, while an INT8 transposed convolution takes
    no offset and so runs in float, at four times the time (AINet's `deconv3`: 5.7 instead of 1.5 of 54 ms).
    """
    graph = model.graph
    producers = {name: node for node in graph.node for name in node.output}
    scales = {tensor.name: tensor for tensor in graph.initializer}
    readers: dict[str, list[tuple[NodeProto, NodeProto, NodeProto]]] = {}
    for node in graph.node:
        dequantize = producers.get(node.input[0]) if node.op_type in QUANTISABLE else None
        if dequantize is not None and dequantize.op_type == "DequantizeLinear":
            quantize = producers[dequantize.input[0]]
            readers.setdefault(quantize.input[0], []).append((node, quantize, dequantize))
    for of_tensor in readers.values():
        if all(node.op_type == "ConvTranspose" for node, _, _ in of_tensor):
            continue
        for node, quantize, dequantize in of_tensor:
            if node.op_type == "ConvTranspose":
                scale = scales[quantize.input[1]]
                own = f"{scale.name}_{node.name}"
                graph.initializer.append(numpy_helper.from_array(np.nextafter(_array(scale), np.float32(np.inf)), own))
                quantize.input[1] = dequantize.input[1] = own


def to_half(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same with everything from the first convolution to the last in float16; what is before and after stays as it is."""
    graph = model.graph
    places = [place for place, node in enumerate(graph.node) if node.op_type in QUANTISABLE]
    before = [node.name for node in graph.node[: places[0]] if node.op_type not in ("QuantizeLinear", "DequantizeLinear")]
    after = [node.name for node in graph.node[places[-1] + 1 :]]
    for entry in model.opset_import:
        if entry.domain == "":
            entry.version = max(entry.version, 19)  # the first in which QuantizeLinear takes float16
    result = ONNXModel(convert_float_to_float16(model, keep_io_types=True, op_block_list=[], node_block_list=[*before, *after]))
    result.topological_sort()
    del result.model.graph.value_info[:]
    return result.model


def _array(tensor: TensorProto) -> NDArray[np.float32]:
    return numpy_helper.to_array(tensor)


def _by_input_channel(node: NodeProto, weight: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.abs(weight).max((0, 2, 3) if node.op_type == "Conv" else (1, 2, 3))


def _multiply(tensor: TensorProto, factor: NDArray[np.float32], axis: int) -> None:
    values = _array(tensor)
    shape = [-1 if dimension == axis else 1 for dimension in range(values.ndim)]
    tensor.CopyFrom(numpy_helper.from_array((values * factor.reshape(shape)).astype(values.dtype), tensor.name))
