"""OpenVINO on the CPU."""

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray
from openvino.frontend import FrontEndManager

from ainet.errors import DeviceError, ModelError
from ainet.runtime.backends.base import closed, failed, first_line, merge_model
from ainet.runtime.backends.network_cache import NetworkCache, key_of
from ainet.runtime.backends.openvino_processor import INT8_MISSING, computes_int8_exactly, processor, quicker_precision
from ainet.runtime.backends.signal_stack import kept_signal_stack
from ainet.runtime.graph import TensorType, check_types, graph_precision
from ainet.runtime.merging import MERGING_ENTRY
from ainet.runtime.model import ENTRY, ModelInfo
from ainet.runtime.quarters import CHANNELS

# What is kept of earlier input sizes, a few dozen for each. By OpenVINO's own default, 5000, a process grows with every new size: to 800 MB
# after 200 sizes of up to 512 x 512, here to 410; three sizes in turn run as fast.
CACHED_PRIMITIVES = 256


class OpenVinoBackend:
    """Runs an ONNX file, `threads` 0 for all cores. A float model in float32, as the engine's own default, bfloat16, would move labels;
    what an INT8 model leaves in float in the quicker of the two, which moves few beside those that INT8 has moved (docs/int8.md).

    Raises:
        ModelError: the file is damaged or not an exported model.
        DeviceError: OpenVINO cannot run it on this processor.
    """

    def __init__(self, model: Path, threads: int = 0) -> None:
        precision = graph_precision(model)
        network = _read(model)
        info = ModelInfo.from_json(_entry(network, ENTRY, model), model)
        self.info = replace(info, precision=precision or info.precision)
        check_types(self.info, [_type(port) for port in network.inputs], _type(network.outputs[0]), model)
        in_int8 = self.info.precision == "int8"
        if in_int8 and not computes_int8_exactly():
            raise DeviceError(
                f"OpenVINO would compute {model} wrongly on this processor, {INT8_MISSING}; choose device cpu, or a model in fp32"
            )
        self.name = "OpenVINO (CPU, int8)" if in_int8 else "OpenVINO (CPU)"
        self.merge_model = merge_model(_entry(network, MERGING_ENTRY, model), len(network.outputs), model)
        self._compiler = _Compiler(model, threads, quicker_precision(network) if in_int8 else "f32")
        parts = _parts_of_scores(network)
        others = [result.input_value(0) for result in network.get_results()[1:]]
        self._parts = len(parts)
        self._network: Any = openvino.Model([*parts, *others], network.get_parameters())
        self._whole: _Compiled | None = self._compiler.compile(self._network)
        self._scores = None if others else self._whole
        self._lock = threading.Lock()

    def run(self, image: NDArray[Any]) -> NDArray[Any]:
        with self._outputs(self._without_map(), image) as outputs:
            return self._joined(outputs)

    def run_with_map(self, image: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.float32]]:
        with self._outputs(self._whole, image) as outputs:
            return self._joined(outputs), outputs[self._parts].copy()

    def _joined(self, outputs: Any) -> NDArray[Any]:
        """A copy of the first output, of which there may be parts."""
        return np.concatenate([outputs[part] for part in range(self._parts)], axis=1)

    def _without_map(self) -> "_Compiled | None":
        """The network without a border map, which would be computed for nothing; compiled when it is first asked for."""
        with self._lock:
            if self._scores is None and self._network is not None:
                scores = openvino.Model(self._network.get_results()[: self._parts], self._network.get_parameters())
                self._scores = self._compiler.compile(scores)
            return self._scores

    @contextmanager
    def _outputs(self, compiled: "_Compiled | None", image: NDArray[Any]) -> Iterator[Any]:
        """The outputs, which a later run overwrites."""
        if compiled is None:
            raise closed(self.name)
        with compiled.request() as request:
            try:
                outputs = request.infer([image], share_inputs=True, share_outputs=True)
            except RuntimeError as error:
                raise failed("OpenVINO", image.shape, first_line(error)) from error
            yield outputs

    def close(self) -> None:
        with self._lock:
            self._network = self._whole = self._scores = None


class _Compiled:
    """A compiled network, and the infer requests that are idle: each serves one run at a time.

    They are not kept by thread: at the end of a thread that Python did not start, such as one of Qt, that of OpenVINO crashes the process.
    """

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled
        self._idle: list[Any] = []

    @contextmanager
    def request(self) -> Iterator[Any]:
        try:
            request = self._idle.pop()
        except IndexError:
            request = self._compiled.create_infer_request()
        try:
            yield request
        finally:
            self._idle.append(request)


class _Compiler:
    """Compiles networks of the file `model`, or takes them from the user's cache. precision: of what is not INT8, "f32" or "bf16"."""

    def __init__(self, model: Path, threads: int, precision: str) -> None:
        self._model = model
        self._graph = key_of(model.read_bytes())  # now: the file may be another one when the last network is compiled
        self._options: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": precision,
            "PERFORMANCE_HINT": "LATENCY",
            "CPU_RUNTIME_CACHE_CAPACITY": CACHED_PRIMITIVES,
        }
        if threads:
            self._options["INFERENCE_NUM_THREADS"] = threads
        self._cache = NetworkCache.of_user()

    @kept_signal_stack()
    def compile(self, network: Any) -> _Compiled:
        key = key_of(self._graph, *_constants(network), f"{len(network.outputs)} outputs", str(self._options), *processor())
        content = self._cache.load(key)
        if content is not None:
            try:
                return _Compiled(openvino.Core().import_model(io.BytesIO(content), "CPU", self._options))
            except RuntimeError:  # of another build of OpenVINO, say
                pass
        try:
            compiled = openvino.compile_model(network, "CPU", self._options)
        except RuntimeError as error:
            raise DeviceError(f"OpenVINO cannot run {self._model} here: {first_line(error)}; choose device cpu") from error
        if self._cache.folder is not None:
            exported = io.BytesIO()
            compiled.export_model(exported)
            self._cache.store(key, exported.getvalue())
        return _Compiled(compiled)


def _read(model: Path) -> Any:
    try:
        reader = FrontEndManager().load_by_framework("onnx")  # Core.read_model would try all formats on a damaged file, and log each
        return reader.convert(reader.load(str(model)))
    except Exception as error:  # several classes, with C++ traces
        raise ModelError(f"OpenVINO cannot load {model}; export it again, and check it with: ainet info {model}") from error


def _constants(network: Any) -> Iterator[bytes]:
    """The values of all weights, which may lie in other files than the graph."""
    return (node.data.tobytes() for node in network.get_ops() if node.get_type_name() == "Constant")


def _parts_of_scores(network: Any) -> list[Any]:
    """The first output; or where it is joined from parts in quarters, as in an INT8 AINet-lite, these parts.

    Joining takes OpenVINO a tenth of the time of such a network; see `ainet.calibration.graph.split_quarters`.
    """
    output = network.get_results()[0].input_value(0)
    last = output.get_node()
    if last.get_type_name() != "DepthToSpace" or last.get_attributes() != {"block_size": 2, "mode": "depth_first"}:
        return [output]
    quarters = last.input_value(0)
    if quarters.get_node().get_type_name() != "Concat" or quarters.get_partial_shape()[1] != CHANNELS:
        return [output]
    return list(quarters.get_node().input_values())


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
