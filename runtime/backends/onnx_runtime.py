"""ONNX Runtime on the CPU, or on an NVIDIA GPU between this package's kernels."""

import contextlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ainet.errors import DeviceError, ModelError
from ainet.runtime.backends.base import failed, first_line, merge_model
from ainet.runtime.cuda.driver import Gpu
from ainet.runtime.cuda.guests import OnnxRuntimeNetwork
from ainet.runtime.cuda.pipeline import GpuPipeline
from ainet.runtime.merging import BORDER_MAP, MERGING_ENTRY
from ainet.runtime.model import ModelInfo

CUDA = "CUDAExecutionProvider"

onnxruntime.set_default_logger_severity(4)  # its errors come as exceptions; without this a GPU that is not there fills the terminal


class OnnxRuntimeBackend:
    """Runs an ONNX file on the CPU, `threads` 0 for all cores."""

    name = "ONNX Runtime (CPU)"

    def __init__(self, model: Path, threads: int = 0) -> None:
        self._session = _open(model, threads, [])
        self.info = _info(self._session, model)
        self.merge_model = merge_model(self._session.get_modelmeta().custom_metadata_map.get(MERGING_ENTRY), model)

    def run(self, image: NDArray[Any]) -> NDArray[Any]:
        return self._run([self.info.output], image)[0]

    def run_with_map(self, image: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.float32]]:
        scores, border_map = self._run([self.info.output, BORDER_MAP], image)
        return scores, border_map

    def _run(self, outputs: list[str], image: NDArray[Any]) -> list[NDArray[Any]]:
        try:
            return self._session.run(outputs, {"image": image})
        except Exception as error:
            raise failed("ONNX Runtime", image, error) from error

    def close(self) -> None:
        del self._session


def open_cuda(model: Path, index: int, threads: int = 0) -> GpuPipeline:
    """Load an ONNX file on the GPU number `index`.

    Raises:
        DeviceError: the GPU, its driver, CUDA, cuDNN, cuda-bindings or a build of ONNX Runtime for CUDA is not there.
        ModelError: the file is damaged or not an exported model.
    """
    if CUDA not in onnxruntime.get_available_providers():
        raise DeviceError("device 'cuda' needs ONNX Runtime with CUDA: pip install 'ainet-toolkit[gpu]'")
    with contextlib.redirect_stdout(io.StringIO()):  # it prints what it does not find; where all of it is missing, the session fails
        onnxruntime.preload_dlls()  # CUDA and cuDNN from NVIDIA's packages
    session = _open(model, threads, [(CUDA, {"device_id": index, "use_tf32": 0})])  # whoever asks for fp32 gets its 24 bits
    if session.get_providers()[0] != CUDA:
        raise DeviceError(
            f"CUDA device {index} is not usable by ONNX Runtime; check the driver with nvidia-smi, "
            "and install CUDA and cuDNN with: pip install 'ainet-toolkit[gpu]'"
        )
    gpu = Gpu(index)
    return GpuPipeline(gpu, OnnxRuntimeNetwork(session, _info(session, model), gpu), f"ONNX Runtime (CUDA {index})")


def _open(model: Path, threads: int, providers: list[Any]) -> Any:
    """A session on the first of `providers` that works, else on the CPU."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(model, options, providers=[*providers, "CPUExecutionProvider"], enable_fallback=0)
    except (RuntimeError, ValueError) as error:  # a device's; what is wrong with a file has classes of its own
        raise DeviceError(f"ONNX Runtime cannot use the device: {first_line(error)}; check it with: ainet doctor") from error
    except Exception as error:  # the engine's exceptions have no public common base
        raise ModelError(f"ONNX Runtime cannot load {model}: {first_line(error)}; export it again") from error


def _info(session: Any, model: Path) -> ModelInfo:
    return ModelInfo.from_json(session.get_modelmeta().custom_metadata_map.get("ainet"), model)
