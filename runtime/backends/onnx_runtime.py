"""ONNX Runtime on the CPU, or on an NVIDIA GPU between this package's kernels."""

import contextlib
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ainet.errors import DeviceError, ModelError
from ainet.runtime.backends.base import closed, failed, first_line, merge_model
from ainet.runtime.cuda.devices import open_gpu
from ainet.runtime.cuda.errors import engine_error
from ainet.runtime.cuda.kernels import Shape
from ainet.runtime.cuda.network import Allocate, Enqueue, tensor_shapes
from ainet.runtime.cuda.pipeline import GpuPipeline
from ainet.runtime.graph import TensorType, check_types, graph_precision
from ainet.runtime.merging import MERGING_ENTRY
from ainet.runtime.model import ENTRY, ModelInfo

CUDA = "CUDAExecutionProvider"

onnxruntime.set_default_logger_severity(4)  # its errors come as exceptions; without this a GPU that is not there fills the terminal


MANY_VALUES = 3 * 2**20  # of an input
_RETURNING = onnxruntime.RunOptions()  # gives memory back after the run: of inputs of 2048 x 2048, the second took 5.0 GB in place of 3.4
_RETURNING.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")


class OnnxRuntimeBackend:
    """Runs an ONNX file on the CPU, `threads` 0 for all cores.

    Raises:
        ModelError: the file is damaged or not an exported model.
        DeviceError: ONNX Runtime cannot use the processor.
    """

    name = "ONNX Runtime (CPU)"

    def __init__(self, model: Path, threads: int = 0) -> None:
        self._session, self.info = _open(model, threads, [])
        entry = self._session.get_modelmeta().custom_metadata_map.get(MERGING_ENTRY)
        self.merge_model = merge_model(entry, len(self._session.get_outputs()), model)

    def run(self, image: NDArray[Any]) -> NDArray[Any]:
        return self._run(image, 1)[0]

    def run_with_map(self, image: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.float32]]:
        scores, border_map = self._run(image, 2)
        return scores, border_map

    def _run(self, image: NDArray[Any], outputs: int) -> list[NDArray[Any]]:
        session = self._session  # held until the end of the run, even if `close` is called meanwhile
        if session is None:
            raise closed(self.name)
        try:
            names = [output.name for output in session.get_outputs()[:outputs]]
            options = _RETURNING if image.size > MANY_VALUES else None
            return session.run(names, {session.get_inputs()[0].name: image}, options)
        except Exception as error:
            raise failed("ONNX Runtime", image.shape, first_line(error)) from error

    def close(self) -> None:
        self._session = None


def open_cuda(model: Path, index: int, threads: int = 0) -> GpuPipeline:
    """Load an ONNX file on the GPU number `index`.

    Raises:
        DeviceError: the GPU, its driver, CUDA, cuDNN, cuda-core or a build of ONNX Runtime for CUDA is not there.
        ModelError: the file is damaged or not an exported model.
    """
    if CUDA not in onnxruntime.get_available_providers():
        raise DeviceError("device 'cuda' needs ONNX Runtime with CUDA: pip install 'ainet-toolkit[gpu]'")
    with contextlib.redirect_stdout(io.StringIO()):  # it prints what it does not find; where all of it is missing, the session fails
        onnxruntime.preload_dlls()  # CUDA and cuDNN from NVIDIA's packages
    session, info = _open(model, threads, [(CUDA, {"device_id": index, "use_tf32": 0})])  # TF32 would round fp32 to 10 bits
    if session.get_providers()[0] != CUDA:
        raise DeviceError(
            f"CUDA device {index} is not usable by ONNX Runtime; check the driver with nvidia-smi, "
            "and install CUDA and cuDNN with: pip install 'ainet-toolkit[gpu]'"
        )
    network = OnnxRuntimeNetwork(session, info, index)
    return GpuPipeline(open_gpu(index), network, f"ONNX Runtime (CUDA {index})")


class OnnxRuntimeNetwork:
    """A session on the CUDA provider of GPU number `index`. It runs in a stream of its own, so each run waits for the steps before it."""

    capturable = False

    def __init__(self, session: Any, info: ModelInfo, index: int) -> None:
        self._session, self._index = session, index
        self.info = info
        self.input_dtype, self.output_dtype = ("uint8", "int32") if info.output == "labels" else ("float32", "float32")

    def fitting_batch(self, images: int, height: int, width: int) -> int:
        return images

    def prepare(self, shape: Shape, image: int, output: int, stream: int, allocate: Allocate) -> Enqueue:
        from cuda.core import Stream

        (source,) = self._session.get_inputs()
        target = self._session.get_outputs()[0]  # a border map after it is not asked for, so it is not computed
        input_shape, output_shape = tensor_shapes(self, shape)
        binding = self._session.io_binding()
        binding.bind_input(source.name, "cuda", self._index, np.dtype(self.input_dtype).type, input_shape, image)
        binding.bind_output(target.name, "cuda", self._index, np.dtype(self.output_dtype).type, output_shape, output)
        before = Stream.from_handle(stream)

        def enqueue() -> None:
            try:
                before.sync()
                self._session.run_with_iobinding(binding)
            except Exception as error:  # the engine's exceptions have no public common base
                raise failed("ONNX Runtime", shape, first_line(error), engine_error(str(error))) from error

        return enqueue

    def free_cache(self) -> None:
        pass  # its arena shrinks only by an option of single runs

    def close(self) -> None:
        del self._session


def _open(model: Path, threads: int, providers: list[Any]) -> tuple[Any, ModelInfo]:
    """A session on the first of `providers` that works, else on the CPU; and what the model says of itself."""
    precision = graph_precision(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    options.add_session_config_entry("session.x64quantprecision", "1")  # where INT8 sums would overflow, without VNNI, it takes slower ones
    try:
        session = onnxruntime.InferenceSession(model, options, providers=[*providers, "CPUExecutionProvider"], enable_fallback=0)
        metadata = session.get_modelmeta().custom_metadata_map
        inputs, output = [_type(value) for value in session.get_inputs()], _type(session.get_outputs()[0])
    except UnicodeDecodeError as error:
        raise ModelError(f"{model} has names or metadata that are no text; export it again") from error
    except (RuntimeError, ValueError) as error:  # a device's; what is wrong with a file has classes of its own
        raise DeviceError(f"ONNX Runtime cannot use the device: {first_line(error)}; check it with: ainet doctor") from error
    except Exception as error:  # the engine's exceptions have no public common base
        raise ModelError(f"ONNX Runtime cannot load {model}: {first_line(error)}; export it again") from error
    info = ModelInfo.from_json(metadata.get(ENTRY), model)
    info = replace(info, precision=precision or info.precision)
    check_types(info, inputs, output, model)
    return session, info


def _type(value: Any) -> TensorType:
    kind = value.type.removeprefix("tensor(").removesuffix(")")
    names = {"float": "float32", "double": "float64"}
    return TensorType(names.get(kind, kind), tuple(size if isinstance(size, int) else None for size in value.shape or ()))
