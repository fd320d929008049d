"""OpenVINO on the CPU."""

import threading
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray
from openvino import opset13 as opset
from openvino.frontend import FrontEndManager

from ainet.errors import DeviceError, ModelError
from ainet.runtime.backends.base import closed, failed, first_line, merge_model
from ainet.runtime.graph import TensorType, check_types, graph_precision
from ainet.runtime.merging import MERGING_ENTRY
from ainet.runtime.model import ENTRY, ModelInfo

# What is kept of earlier input sizes, a few dozen for each. By OpenVINO's own default, 5000, a process grows with every new size: to 800 MB
# after 200 sizes of up to 512 x 512, here to 410; three sizes in turn run as fast.
CACHED_PRIMITIVES = 256


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
        info = ModelInfo.from_json(_entry(network, ENTRY, model), model)
        self.info = replace(info, precision=precision or info.precision)
        check_types(self.info, [_type(port) for port in network.inputs], _type(network.outputs[0]), model)
        if self.info.precision == "int8" and not computes_int8_exactly():
            raise DeviceError(
                f"OpenVINO would compute {model} wrongly on this processor, which has neither VNNI nor AMX: its INT8 sums overflow; "
                "choose device cpu, or a model in fp32"
            )
        self.merge_model = merge_model(_entry(network, MERGING_ENTRY, model), len(network.outputs), model)
        rest = "bf16" if self.info.precision == "int8" else "f32"
        options: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": rest,
            "PERFORMANCE_HINT": "LATENCY",
            "CPU_RUNTIME_CACHE_CAPACITY": CACHED_PRIMITIVES,
        }
        if threads:
            options["INFERENCE_NUM_THREADS"] = threads
        try:
            self._compiled: Any = openvino.compile_model(network, "CPU", options)
        except RuntimeError as error:
            raise DeviceError(f"OpenVINO cannot run {model} on this processor: {first_line(error)}; choose device cpu") from error
        self._local = threading.local()  # an infer request serves one thread

    def run(self, image: NDArray[Any]) -> NDArray[Any]:
        return self._run(image)[0]

    def run_with_map(self, image: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.float32]]:
        results = self._run(image)
        return results[0], results[1]

    def _run(self, image: NDArray[Any]) -> Any:
        compiled, local = self._compiled, self._local  # held until the end of the run, even if `close` is called meanwhile
        if compiled is None:
            raise closed(self.name)
        try:
            if not hasattr(local, "request"):
                local.request = compiled.create_infer_request()
            return local.request.infer([image])
        except RuntimeError as error:
            raise failed("OpenVINO", image.shape, first_line(error)) from error

    def close(self) -> None:
        self._compiled, self._local = None, threading.local()


@cache
def computes_int8_exactly() -> bool:
    """Whether a convolution of large INT8 values is what it should be.

    Without VNNI or AMX the engine adds pairs of products in 16 bits, which overflow: a fifth of the pixels get another cell. So
    a small convolution is run, as it finds what the processor has and what ONEDNN_MAX_CPU_ISA lets the engine use.
    """
    channels, largest = 16, 127
    image = opset.parameter([1, channels, 8, 8], np.float32)
    low, high = np.float32(-largest - 1), np.float32(largest)
    codes = opset.fake_quantize(image, low, high, low, high, 256)
    kernel = opset.convert(opset.constant(np.full((channels, channels, 3, 3), largest, np.int8)), "f32")
    scaled = opset.multiply(kernel, opset.constant(np.ones((channels, 1, 1, 1), np.float32)))
    sums = opset.convolution(codes, scaled, [1, 1], [0, 0], [0, 0], [1, 1])
    compiled = openvino.compile_model(openvino.Model([sums], [image]), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    result = compiled.create_infer_request().infer([np.full((1, channels, 8, 8), largest, np.float32)])[0]
    return bool((result == channels * 3 * 3 * largest**2).all())


def _entry(network: Any, name: str, source: Path) -> str | None:
    """A metadata entry of the ONNX file `source`."""
    entry = ["framework", name]
    try:
        return network.get_rt_info(entry).astype(str) if network.has_rt_info(entry) else None
    except UnicodeDecodeError as error:
        raise ModelError(f"{source} has metadata that are no text; export it again") from error


def _type(port: Any) -> TensorType:
    shape = port.get_partial_shape()
    sizes = () if shape.rank.is_dynamic else tuple(None if size.is_dynamic else size.get_length() for size in shape)
    return TensorType(port.get_element_type().to_dtype().name, sizes)
