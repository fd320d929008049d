"""OpenVINO on the CPU."""

import threading
from pathlib import Path
from typing import Any

import openvino
from numpy.typing import NDArray
from openvino.frontend import FrontEndManager

from ainet.errors import ModelError
from ainet.runtime.backends.base import failed
from ainet.runtime.model import ModelInfo


class OpenVinoBackend:
    """Runs an ONNX file, `threads` 0 for all cores. In float32, as the engine's own default, bfloat16, would move labels;
    what an INT8 model leaves in float runs in bfloat16, which moves few beside those that INT8 has moved (docs/int8.md)."""

    name = "OpenVINO (CPU)"

    def __init__(self, model: Path, threads: int = 0) -> None:
        try:
            reader = FrontEndManager().load_by_framework("onnx")  # Core.read_model would try all formats on a damaged file, and log each
            network = reader.convert(reader.load(str(model)))
        except Exception as error:  # several classes, with C++ traces
            raise ModelError(f"OpenVINO cannot load {model}; export it again, and check it with: ainet info {model}") from error
        entry = ["framework", "ainet"]
        self.info = ModelInfo.from_json(network.get_rt_info(entry).astype(str) if network.has_rt_info(entry) else None, model)
        rest = "bf16" if self.info.precision == "int8" else "f32"
        options: dict[str, Any] = {"INFERENCE_PRECISION_HINT": rest, "PERFORMANCE_HINT": "LATENCY"}
        if threads:
            options["INFERENCE_NUM_THREADS"] = threads
        self._compiled = openvino.compile_model(network, "CPU", options)
        self._local = threading.local()  # an infer request serves one thread

    def run(self, image: NDArray[Any]) -> NDArray[Any]:
        request = getattr(self._local, "request", None)
        if request is None:
            request = self._local.request = self._compiled.create_infer_request()
        try:
            return request.infer([image])[0]
        except RuntimeError as error:
            raise failed("OpenVINO", image, error) from error

    def close(self) -> None:
        del self._compiled, self._local
