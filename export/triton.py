"""Exported models as models of a Triton Inference Server: a folder with the file and a `config.pbtxt` that describes it.

    add_onnx("models", "ainet.onnx")                     # models/ainet/1/model.onnx, for the backend onnxruntime
    add_engine("models", "ainet.onnx", "ainet.engine")   # models/ainet_tensorrt/1/model.plan, for the platform tensorrt_plan

The configuration is text-format protobuf, message ModelConfig of Triton's model_config.proto.
"""

import hashlib
import os
import shutil
from pathlib import Path

import onnx

from ainet.errors import ModelError, UsageError
from ainet.export.model_file import read_model
from ainet.files import atomic_folder
from ainet.runtime.engine_file import EngineInfo

ONNX_BATCH = 8  # the graph takes any; so many photos of 1088 x 1920 still fit beside other models on a GPU
# Sizes of an engine, if none are named. The server keeps memory for the largest once for each profile and instance, and picks the profile
# whose upper end is nearest to a request.
ENGINE_SIZES = ("1x320x480..8x320x480", "1x480x320..8x480x320", "1x16x16..8x640x640")
TYPES: dict[int, str] = {onnx.TensorProto.UINT8: "TYPE_UINT8", onnx.TensorProto.FLOAT: "TYPE_FP32", onnx.TensorProto.INT32: "TYPE_INT32"}

CONFIG = """\
# {description}. Height and width are multiples of 16.
name: "{name}"
{runs_on}
max_batch_size: {max_batch}
input [ {input} ]
output [ {output} ]
instance_group [ {instances} ]
dynamic_batching {{ }}  # requests of one size that wait while others run go together; none waits for others to come
"""


def add_onnx(repository: str | os.PathLike[str], model: str | os.PathLike[str]) -> Path:
    """Add the exported file `model` to the folder `repository`, under its network's name; gives the model's folder.

    Raises:
        ModelError: the file cannot be read, or was not exported by this toolkit.
        OutputError: the model's folder is there already, or cannot be written.
    """
    # One instance: ONNX Runtime spreads it over all cores; on a GPU, if the server has one, batches fill it.
    config = {"runs_on": 'backend: "onnxruntime"', "max_batch": ONNX_BATCH, "instances": "{ count: 1 kind: KIND_AUTO }"}
    return _add(Path(repository), "", Path(model), Path(model), "model.onnx", config)


def add_engine(repository: str | os.PathLike[str], model: str | os.PathLike[str], engine: str | os.PathLike[str]) -> Path:
    """Add an engine, built from the exported file `model`, under its network's name + "_tensorrt"; gives the model's folder.

    The server batches up to what every profile takes. Profiles that do not take a single image are left out.

    Raises:
        UsageError: TensorRT-RTX built the engine, or no profile takes a single image.
        ModelError: a file cannot be read or is damaged, or the engine was built from another model.
        OutputError: the model's folder is there already, or cannot be written.
    """
    info = EngineInfo.load(engine)
    info.verify(engine)
    check_package(info.package)
    if info.onnx_sha256 != hashlib.sha256(read_model(Path(model))[0]).hexdigest():
        command = info.build_command(engine, model)
        raise ModelError(f"{engine} was not built from {model}: onnx_sha256 differs; name its model, or build it again with: {command}")
    profiles = {index: profile for index, profile in enumerate(info.profiles) if profile.smallest[0] == 1}
    if not profiles:
        sizes = ", ".join(map(str, info.profiles))
        raise UsageError(f"{engine} takes inputs of {sizes} alone, but Triton also sends single images; build it with batches from 1")
    # Two instances: one copies while the other computes.
    indices = ", ".join(f'"{index}"' for index in profiles)
    config = {
        "runs_on": 'platform: "tensorrt_plan"',
        "max_batch": min(profile.largest[0] for profile in profiles.values()),
        "instances": f"{{ count: 2 kind: KIND_GPU profile: [ {indices} ] }}",
    }
    return _add(Path(repository), "_tensorrt", Path(model), Path(engine), "model.plan", config)


def check_package(package: str) -> None:
    """Raise `UsageError` unless Triton can run engines of this package of TensorRT."""
    if package != "tensorrt":
        raise UsageError(
            f"Triton runs engines of the full TensorRT, not of '{package}'; build one with: ainet build MODEL.onnx --package tensorrt, "
            "or serve the ONNX file"
        )


def _add(repository: Path, suffix: str, model: Path, file: Path, file_name: str, config: dict[str, object]) -> Path:
    """Copy `file` and describe it by the graph of `model`."""
    content, info = read_model(model)
    graph = onnx.load_model_from_string(content).graph
    name = info.network + suffix
    text = CONFIG.format(
        name=name,
        description=f"{info.network}, {info.precision}, output {info.output}, checkpoint {info.checkpoint_sha256[:12]}",
        input=_tensor(graph.input[0]),
        output=_tensor(graph.output[0]),
        **config,
    )
    with atomic_folder(repository / name) as folder:
        (folder / "1").mkdir()
        if file == model:
            (folder / "1" / file_name).write_bytes(content)
        else:
            shutil.copyfile(file, folder / "1" / file_name)
        (folder / "config.pbtxt").write_text(text, encoding="utf-8")
    return repository / name


def _tensor(value: onnx.ValueInfoProto) -> str:
    """A tensor of the graph as Triton describes it: without its batch dimension, -1 for any size."""
    tensor = value.type.tensor_type
    dims = ", ".join(str(dimension.dim_value or -1) for dimension in tensor.shape.dim[1:])
    return f'{{ name: "{value.name}" data_type: {TYPES[tensor.elem_type]} dims: [ {dims} ] }}'
