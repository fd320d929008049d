"""Weights as the package ships them: one copy of each kernel, in half precision, that PyTorch and the ONNX engines share.

    save_bundle(load_checkpoint("runs/ainet/weights.safetensors"), "ainet/weights")

NAME.safetensors is a checkpoint whose kernels are float16; all else in it, such as the statistics of BatchNorm, is as it was.
NAME.onnx holds the graph alone. Its kernels lie in NAME.safetensors, as external data, and are made float32 and multiplied by what
BatchNorm folds into them: constants, which engines compute when they load the file.
"""

import copy
import json
import os
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from ainet.export.check import check_file
from ainet.export.onnx import export_onnx
from ainet.files import atomic_path
from ainet.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from ainet.training.networks import UNet
from ainet.training.networks.folding import deployable


def save_bundle(checkpoint: Checkpoint, folder: str | os.PathLike[str]) -> Checkpoint:
    """Write NAME.safetensors and NAME.onnx (fp32, logits) into `folder`, NAME being that of the network, and read the first back.

    Raises:
        ModelError: the graph's values differ from PyTorch's.
        OutputError: the files cannot be written.
    """
    weights = Path(folder, f"{checkpoint.name}.safetensors")
    save_checkpoint(weights, with_half_kernels(checkpoint.network), checkpoint.config, checkpoint.merging)
    shipped = load_checkpoint(weights)
    model = weights.with_suffix(".onnx")
    with atomic_path(model) as temporary:
        export_onnx(shipped, temporary, border_map=shipped.has_border_map)
        graph = onnx.load(temporary)
        _refer(graph.graph, weights, shipped.network)
        onnx.save(graph, temporary)
        check_file(temporary, shipped.network, "logits", "fp32")
    return shipped


def with_half_kernels(network: UNet) -> UNet:
    """A copy whose convolutions' weights are float16."""
    result = copy.deepcopy(network)
    for kernel in _kernels(result).values():
        kernel.data = kernel.data.half()
    return result


def _kernels(network: nn.Module) -> dict[str, Tensor]:
    return {name: parameter for name, parameter in network.named_parameters() if parameter.dim() == 4}


def _refer(graph: onnx.GraphProto, weights: Path, network: UNet) -> None:
    """Replace every kernel of the exported graph by one that is computed from the kernel in the file `weights`."""
    entries, start = _header(weights)
    ones = copy.deepcopy(network)
    for kernel in _kernels(ones).values():
        kernel.data.fill_(1)
    factors = deployable(ones).state_dict()  # what BatchNorm multiplies each output channel by
    nodes = []
    for name in _kernels(network):
        stored = f"{name}.half"
        kernel = next(tensor for tensor in graph.initializer if tensor.name == f"network.{name}")
        reference = TensorProto(name=stored, dims=kernel.dims, data_type=TensorProto.FLOAT16, data_location=TensorProto.EXTERNAL)
        first, last = entries[name]["data_offsets"]
        for key, value in (("location", weights.name), ("offset", str(start + first)), ("length", str(last - first))):
            reference.external_data.add(key=key, value=value)
        factor = factors[name][:, :1, :1, :1]
        if (factor == 1).all():
            nodes.append(helper.make_node("Cast", [stored], [kernel.name], to=TensorProto.FLOAT))
        else:
            nodes.append(helper.make_node("Cast", [stored], [f"{name}.single"], to=TensorProto.FLOAT))
            nodes.append(helper.make_node("Mul", [f"{name}.single", f"{name}.factor"], [kernel.name]))
            graph.initializer.append(numpy_helper.from_array(factor.numpy(), f"{name}.factor"))
        graph.initializer.remove(kernel)
        graph.initializer.append(reference)
    nodes += [onnx.NodeProto.FromString(node.SerializeToString()) for node in graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def _header(file: Path) -> tuple[dict[str, Any], int]:
    """Of a safetensors file: type and place of each tensor, and where in the file places count from."""
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        return json.loads(opened.read(length)), 8 + length
