"""OpenVINO on the CPU."""

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import openvino
from numpy.typing import NDArray
from openvino.frontend import FrontEndManager

from ainet.errors import DeviceError, ModelError
from ainet.runtime.backends.base import closed, failed, first_line
from ainet.runtime.graph import TensorType, check_types, graph_precision
from ainet.runtime.model import ModelInfo


class OpenVinoBackend:
    """Runs an ONNX file, `threads` 0 for all cores. In float32, as the engine's own default, bfloat16, would move labels;
    what an INT8 model leaves in float runs in bfloat16, which moves few beside those that INT8 has moved (docs/int8.md).

    Raises:
        ModelError: the file is damaged or not an exported model.
        DeviceError: OpenVINO cannot run it on this processor.
    """

    name = "OpenVINO (CPU)"

    def __init__(self, model: Path, threads: int = 0) -> None:
        precision = graph_precision(model)
        try:
            reader = FrontEndManager().load_by_framework("onnx")  # Core.read_model would try all formats on a damaged file, and log each
            network = reader.convert(reader.load(str(model)))
        except Exception as error:  # several classes, with C++ traces
            raise ModelError(f"OpenVINO cannot load {model}; export it again, and check it with: ainet info {model}") from error
        entry = ["framework", "ainet"]
        info = ModelInfo.from_json(network.get_rt_info(entry).astype(str) if network.has_rt_info(entry) else None, model)
        self.info = replace(info, precision=precision or info.precision)
        check_types(self.info, [_type(port) for port in network.inputs], _type(network.outputs[0]), model)
        rest = "bf16" if self.info.precision == "int8" else "f32"
        options: dict[str, Any] = {"INFERENCE_PRECISION_HINT": rest, "PERFORMANCE_HINT": "LATENCY"}
        if threads:
            options["INFERENCE_NUM_THREADS"] = threads
        try:
            self._compiled: Any = openvino.compile_model(network, "CPU", options)
        except RuntimeError as error:
            raise DeviceError(f"OpenVINO cannot run {model} on this processor: {first_line(error)}; choose device cpu") from error
        self._local = threading.local()  # an infer request serves one thread

    def run(self, image: NDArray[Any]) -> NDArray[Any]:
        compiled, local = self._compiled, self._local  # held until the end of the run, even if `close` is called meanwhile
        if compiled is None:
            raise closed(self.name)
        try:
            if not hasattr(local, "request"):
                local.request = compiled.create_infer_request()
            return local.request.infer([image])[0]
        except RuntimeError as error:
            raise failed("OpenVINO", image, error) from error

    def close(self) -> None:
        self._compiled, self._local = None, threading.local()


def _type(port: Any) -> TensorType:
    shape = port.get_partial_shape()
    sizes = () if shape.rank.is_dynamic else tuple(None if size.is_dynamic else size.get_length() for size in shape)
    return TensorType(port.get_element_type().to_dtype().name, sizes)
