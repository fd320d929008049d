"""What a built engine's layers are made of, by TensorRT's engine inspector, against what the graph asked for."""

import json
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from ainet.errors import DeviceError, ModelError
from ainet.runtime.cuda.devices import local_capability
from ainet.runtime.tensorrt_api import TensorRtPackage

# Where the type of a layer's output stands: in TensorRT 11 and TensorRT-RTX, and in TensorRT 10, together with the memory format.
TYPE_FIELDS = ("Datatype", "DataType", "Format/Datatype")
# What is written there: "Half", or "Channel major FP16 format where channel % 8 == 0".
PATTERNS = {"fp16": re.compile("Half|FP16"), "fp32": re.compile(r"\bFloat\b|FP32"), "int8": re.compile(r"\bInt8", re.IGNORECASE)}


def inspect(package: TensorRtPackage, engine: bytes, shape: Sequence[int]) -> dict[str, int]:
    """How many layer outputs of the engine have which precision at the input `shape`, such as {"fp16": 40, "fp32": 3}.

    Empty where nothing could be learned: there is no GPU, the engine is for other GPUs, or the inspector names no types.

    Raises:
        DeviceError: the GPU here cannot load the engine, such as for lack of memory.
    """
    api = package.api
    package.logger.errors.clear()
    runtime = api.Runtime(package.logger)
    loaded = runtime.deserialize_cuda_engine(engine)
    if loaded is None and (not _has_gpu() or _is_for_others(api, runtime, engine)):
        return {}
    # Without memory: it would take what the largest input of all profiles needs, and nothing runs in it.
    context = None if loaded is None else loaded.create_execution_context(api.ExecutionContextAllocationStrategy.USER_MANAGED)
    if context is None:
        hint = ", or build without the GPU: CUDA_VISIBLE_DEVICES= ainet build MODEL.onnx" if package.targets else ""
        raise DeviceError(
            f"{package} cannot load the engine on this machine's GPU to check its layers: {package.first_error()}; "
            f"free memory of other programs, or update the driver{hint}"
        )
    context.set_input_shape("image", tuple(shape))
    inspector = loaded.create_engine_inspector()
    inspector.execution_context = context
    return count_precisions(inspector.get_engine_information(api.LayerInformationFormat.JSON))


def _has_gpu() -> bool:
    try:
        local_capability()
    except DeviceError:
        return False
    return True


def _is_for_others(api: Any, runtime: Any, engine: bytes) -> bool:
    """Whether the GPU here is none of those that the engine was built for, which TensorRT-RTX alone can do."""
    if not hasattr(runtime, "get_engine_validity"):
        return False
    _, reasons = runtime.get_engine_validity(engine)
    return bool(reasons & int(api.EngineInvalidityDiagnostics.UNSUPPORTED_CC))


def count_precisions(report: str) -> dict[str, int]:
    """How many layer outputs have which precision, by the inspector's JSON `report`; integers and indices are left out."""
    try:
        layers = json.loads(report).get("Layers", [])
    except (ValueError, AttributeError):  # some versions write quotes inside of names as they are
        return {}
    outputs = [output for layer in layers if isinstance(layer, dict) for output in layer.get("Outputs", [])]
    types = [_type_of(output) for output in outputs if isinstance(output, dict)]
    return dict(Counter(name for text in types for name, pattern in PATTERNS.items() if pattern.search(text)))


def _type_of(output: dict[str, Any]) -> str:
    return next((str(output[field]) for field in TYPE_FIELDS if field in output), "")


def check_precisions(found: dict[str, int], asked: str) -> None:
    """Raise if an engine is not what was asked for; one that could not be inspected passes.

    A graph in fp16 keeps fp32 values at its ends and in its islands, which may be half of its layers, one in INT8 what it leaves in float;
    a graph in fp32 has nothing else.

    Raises:
        ModelError: fp32 where something smaller was asked for, or the other way round; names what was found.
    """
    full = found.get("fp32", 0)
    reduced = sum(found.values()) - full
    reduced_unasked = asked == "fp32" and reduced > full
    mostly_full = asked != "fp32" and full > reduced
    missing = asked != "fp32" and asked not in found
    if found and (reduced_unasked or mostly_full or missing):
        names = ", ".join(f"{count} {name}" for name, count in found.items())
        raise ModelError(f"the engine is not {asked}: its layers' outputs are {names}; the graph says otherwise, so update TensorRT")
