"""ONNX files of this toolkit: read whole, and signed with what they say of themselves."""

from pathlib import Path

import onnx

import ainet
from ainet.errors import ModelError
from ainet.export.whole import load_whole
from ainet.models import unknown_name
from ainet.runtime.graph import check_weights
from ainet.runtime.model import ENTRY, ModelInfo


def read_model(path: Path) -> tuple[bytes, ModelInfo]:
    """The bytes of an exported ONNX file, its external data among them, and what it says of itself.

    Raises:
        ModelError: the file cannot be read, or was not exported by this toolkit.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        reason = error.strerror or error
        raise unknown_name(path, "model") or ModelError(
            f"cannot read {path}: {reason}; make a model with: ainet export CHECKPOINT -o model.onnx"
        ) from error
    try:
        model = onnx.load_model_from_string(content)
        if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in model.graph.initializer):
            model = load_whole(path)
            content = model.SerializeToString(deterministic=True)
    except Exception as error:  # protobuf's DecodeError, whose package onnx does not re-export
        raise ModelError(f"{path} is not a whole ONNX file; make one with: ainet export CHECKPOINT -o model.onnx") from error
    check_weights(model, path)
    return content, model_info(model, path)


def model_info(model: onnx.ModelProto, source: object) -> ModelInfo:
    """What a model from the file `source` says of itself.

    Raises:
        ModelError: it was not exported by this toolkit.
    """
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    return ModelInfo.from_json(metadata.get(ENTRY), source)


def sign(model: onnx.ModelProto, info: ModelInfo, entries: dict[str, str]) -> None:
    """Replace a model's metadata by `info` and `entries`, in place, and its producer by this toolkit."""
    model.producer_name, model.producer_version = "ainet-toolkit", ainet.__version__
    model.ir_version = onnx.helper.find_min_ir_version_for(model.opset_import)  # what wrote it may ask for a newer one than engines read
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, {ENTRY: info.to_json(), **entries})
