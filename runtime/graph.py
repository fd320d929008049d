"""What an ONNX graph takes and gives, against what its metadata say: a file may have been changed since it was exported.

Engines end the interpreter on some damaged graphs, so ONNX's checker reads a user's file first, where the package onnx is installed.
"""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ainet.errors import ModelError
from ainet.files import is_file
from ainet.runtime.model import ModelInfo
from ainet.spec import NEIGHBOURS

if TYPE_CHECKING:
    import onnx

AGAIN = "export it again with: ainet export CHECKPOINT -o model.onnx"


@dataclass(frozen=True)
class TensorType:
    """Type of an input or output: `dtype` as numpy names it, `shape` with None for a dimension of any size."""

    dtype: str
    shape: tuple[int | None, ...]

    def __str__(self) -> str:
        return f"{self.dtype} ({', '.join('any' if size is None else str(size) for size in self.shape)})"


def expected_types(info: ModelInfo) -> tuple[TensorType, TensorType]:
    """Input and output of a model that `info` describes."""
    if info.output == "labels":
        return TensorType("uint8", (None, None, None, 3)), TensorType("int32", (None, None, None))
    return TensorType("float32", (None, 3, None, None)), TensorType("float32", (None, NEIGHBOURS, None, None))


def check_types(info: ModelInfo, inputs: Sequence[TensorType], output: TensorType, source: object) -> None:
    """Raise unless a graph takes and gives what its metadata say, at every size.

    Raises:
        ModelError: such as for a graph that was cast to float16, or made static; says what was found.
    """
    wanted, given = expected_types(info)
    found = " and ".join(map(str, inputs)) or "nothing"
    if len(inputs) != 1 or inputs[0].dtype != wanted.dtype or not _fits(inputs[0], wanted):
        raise ModelError(f"{source} takes {found}, where its metadata promise {wanted}; {AGAIN}")
    if any(size is not None and free is None for size, free in zip(inputs[0].shape, wanted.shape, strict=True)):
        raise ModelError(f"{source} takes {found} alone, but batch, height and width have to be free; {AGAIN}")
    if output.dtype != given.dtype or not _fits(output, given):
        raise ModelError(f"{source} gives {output}, where its metadata promise {given}; {AGAIN}")


def _fits(found: TensorType, wanted: TensorType) -> bool:
    """Whether the sizes that are fixed in both are the same."""
    if len(found.shape) != len(wanted.shape):
        return False
    pairs = zip(found.shape, wanted.shape, strict=True)
    return all(size == fixed for size, fixed in pairs if size is not None and fixed is not None)


def graph_precision(model: Path) -> str | None:
    """The precision, "fp32", "fp16" or "int8", of a user's graph, which ONNX's checker has passed.

    None for the bundled files, and where the package onnx is not installed.

    Raises:
        ModelError: the file is no valid ONNX.
    """
    if model.parent == Path(str(resources.files("ainet") / "weights")) or importlib.util.find_spec("onnx") is None:
        return None
    import onnx  # takes as long as a small model's inference: not for the bundled files

    try:
        content = onnx.load(model, load_external_data=False)
        _check_outside(content, model)
        onnx.load_external_data_for_model(content, str(model.parent))
        onnx.checker.check_model(content, full_check=True)
    except ModelError:
        raise
    except Exception as error:  # protobuf's DecodeError, whose package onnx does not re-export, and the checker's own
        reason = str(error).strip().partition("\n")[0][:200]
        raise ModelError(f"cannot load {model}, it is no valid ONNX file: {reason}; {AGAIN}") from error
    check_weights(content, model)
    if any(node.op_type in ("QuantizeLinear", "DequantizeLinear") for node in content.graph.node):
        return "int8"
    kernels = {node.input[1] for node in content.graph.node if node.op_type in ("Conv", "ConvTranspose")}
    types = {tensor.data_type for tensor in content.graph.initializer if tensor.name in kernels}
    return "fp16" if onnx.TensorProto.FLOAT16 in types else "fp32"


def check_weights(content: "onnx.ModelProto", source: object) -> None:
    """Raise `ModelError` where weights are damaged, or NaN or infinite, which would give one label to all pixels without a word."""
    from onnx import TensorProto, numpy_helper

    floats = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE)
    for tensor in content.graph.initializer:
        if tensor.data_type not in floats:
            continue
        try:
            values = numpy_helper.to_array(tensor)
        except ValueError as error:
            raise ModelError(f"{source} has damaged weights '{tensor.name}' ({error}); {AGAIN}") from error
        if not np.isfinite(values).all():
            raise ModelError(f"{source} has NaN or infinite values in its weights '{tensor.name}'; train anew, or {AGAIN}")


def _check_outside(content: "onnx.ModelProto", model: Path) -> None:
    """Raise `ModelError` where a file is missing in which a graph's weights lie."""
    for tensor in content.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location" and not is_file(model.parent / entry.value):
                raise ModelError(f"{model} has its weights in {entry.value}, which is not beside it; copy or fetch that file too")
