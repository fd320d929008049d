"""ONNX graphs whose nodes, names, types, shapes or metadata are others."""

from collections.abc import Callable
from random import Random
from typing import Any

import onnx

from fuzz.mutations import damaged, damaged_json

OPERATORS = ("Loop", "If", "Nothing", "Reshape", "ConstantOfShape", "Gather", "Resize", "Identity")
SIZES = (0, -1, 1, 2, 3, 9, 16, 2**31, 2**62)
TYPES = range(24)  # of tensors, some of them unknown
PLACES = ("", "0", "-1", "8", str(2**62), "nan", "9" * 5000, "/etc/hostname", "../file.onnx", "file.onnx", "weights", "1.5")


def damaged_graph(data: bytes, random: Random) -> bytes:
    model = onnx.load_model_from_string(data)
    for _ in range(random.choice((1, 1, 2, 4))):
        random.choice(CHANGES)(model, random)
    return model.SerializeToString()


def damaged_places(data: bytes, random: Random) -> bytes:
    """Where a tensor lies that is not in the graph's file: in another file, place or size."""
    model = onnx.load_model_from_string(data)
    tensor = random.choice([tensor for tensor in model.graph.initializer if tensor.external_data])
    random.choice(tensor.external_data).value = random.choice(PLACES)
    return model.SerializeToString()


def _names(graph: onnx.GraphProto) -> list[str]:
    names = ["", "x"] + [tensor.name for tensor in graph.initializer]
    for node in graph.node:
        names += [*node.input, *node.output]
    return names


def _put(values: Any, value: Any, random: Random) -> None:
    """Replace one of the values, where there is one."""
    if values:
        values[random.randrange(len(values))] = value


def _fewer_inputs(model: onnx.ModelProto, random: Random) -> None:
    node = random.choice(model.graph.node or [onnx.NodeProto()])
    del node.input[random.randint(0, len(node.input)) :]


def _other_input(model: onnx.ModelProto, random: Random) -> None:
    node = random.choice(model.graph.node or [onnx.NodeProto()])
    _put(node.input, random.choice(_names(model.graph)), random)


def _more_inputs(model: onnx.ModelProto, random: Random) -> None:
    node = random.choice(model.graph.node or [onnx.NodeProto()])
    node.input.append(random.choice(_names(model.graph)))


def _other_output(model: onnx.ModelProto, random: Random) -> None:
    node = random.choice(model.graph.node or [onnx.NodeProto()])
    _put(node.output, random.choice(_names(model.graph)), random)


def _other_operator(model: onnx.ModelProto, random: Random) -> None:
    node = random.choice(model.graph.node or [onnx.NodeProto()])
    node.op_type = random.choice([*OPERATORS, *(other.op_type for other in model.graph.node)])


def _other_attribute(model: onnx.ModelProto, random: Random) -> None:
    attributes = [attribute for node in model.graph.node for attribute in node.attribute]
    attribute = random.choice(attributes or [onnx.AttributeProto()])
    _put(attribute.ints, random.choice(SIZES), random)
    attribute.i = random.choice(SIZES)


def _no_attributes(model: onnx.ModelProto, random: Random) -> None:
    del random.choice(model.graph.node or [onnx.NodeProto()]).attribute[:]


def _other_shape_of_weights(model: onnx.ModelProto, random: Random) -> None:
    _put(random.choice(model.graph.initializer or [onnx.TensorProto()]).dims, random.choice(SIZES), random)


def _other_type_of_weights(model: onnx.ModelProto, random: Random) -> None:
    random.choice(model.graph.initializer or [onnx.TensorProto()]).data_type = random.choice(TYPES)


def _other_weights(model: onnx.ModelProto, random: Random) -> None:
    tensor = random.choice(model.graph.initializer or [onnx.TensorProto()])
    tensor.raw_data = damaged(tensor.raw_data, random)


def _other_type_of_ends(model: onnx.ModelProto, random: Random) -> None:
    ends = [*model.graph.input, *model.graph.output]
    random.choice(ends or [onnx.ValueInfoProto()]).type.tensor_type.elem_type = random.choice(TYPES)


def _other_shape_of_ends(model: onnx.ModelProto, random: Random) -> None:
    ends = [*model.graph.input, *model.graph.output]
    sizes = random.choice(ends or [onnx.ValueInfoProto()]).type.tensor_type.shape.dim
    if sizes:
        random.choice(sizes).dim_value = random.choice(SIZES)


def _other_metadata(model: onnx.ModelProto, random: Random) -> None:
    entry = random.choice(model.metadata_props or [onnx.StringStringEntryProto(value="{}")])
    entry.value = damaged_json(entry.value or "{}", random).decode("utf-8", "replace")


def _other_versions(model: onnx.ModelProto, random: Random) -> None:
    model.ir_version = random.choice((0, 3, 8, 99, 2**62))
    for used in model.opset_import:
        used.version = random.choice((0, 1, 7, 13, 17, 18, 99, 2**62))


def _node_out_of_order(model: onnx.ModelProto, random: Random) -> None:
    if model.graph.node:
        model.graph.node.append(model.graph.node.pop(random.randrange(len(model.graph.node))))


def _without_a_node(model: onnx.ModelProto, random: Random) -> None:
    if model.graph.node:
        del model.graph.node[random.randrange(len(model.graph.node))]


CHANGES: list[Callable[[onnx.ModelProto, Random], None]] = [
    _fewer_inputs,
    _other_input,
    _more_inputs,
    _other_output,
    _other_operator,
    _other_attribute,
    _no_attributes,
    _other_shape_of_weights,
    _other_type_of_weights,
    _other_weights,
    _other_type_of_ends,
    _other_shape_of_ends,
    _other_metadata,
    _other_versions,
    _node_out_of_order,
    _without_a_node,
]
