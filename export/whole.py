"""An ONNX file as one whole, with plain kernels: those that the package ships lie in another file, see `ainet.export.bundle`."""

import os

import onnx
from onnx import TensorProto, numpy_helper


def load_whole(path: str | os.PathLike[str]) -> onnx.ModelProto:
    """Read a model with its external data, and compute all that is a cast to float32 or a product of constants.

    Constants that no node reads, as those that something was computed of, are left out. Errors as of `onnx.load`.
    """
    model = onnx.load(path)
    graph = model.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for node in list(graph.node):
        if node.op_type not in ("Cast", "Mul") or not all(name in constants for name in node.input):
            continue
        values = [numpy_helper.to_array(constants[name]) for name in node.input]
        if node.op_type == "Mul":
            result = values[0] * values[1]
        elif node.attribute[0].i == TensorProto.FLOAT:
            result = values[0].astype("float32")
        else:
            continue
        constants[node.output[0]] = numpy_helper.from_array(result, node.output[0])
        graph.node.remove(node)
    used = {name for node in graph.node for name in node.input}
    del graph.initializer[:]
    graph.initializer.extend(tensor for name, tensor in constants.items() if name in used)
    return model
