"""ONNX Runtime on the CPU or an NVIDIA GPU."""

from pathlib import Path
from typing import Any

import onnxruntime
from numpy.typing import NDArray

from ainet.errors import DeviceError, ModelError
from ainet.runtime.backends.base import failed, first_line
from ainet.runtime.model import ModelInfo

onnxruntime.set_default_logger_severity(4)  # its errors come as exceptions; without this a GPU that is not there fills the terminal


class OnnxRuntimeBackend:
    """Runs an ONNX file. `gpu`: index of the CUDA device, or None for the CPU. `threads`: of the CPU, 0 for all cores."""

    def __init__(self, model: Path, gpu: int | None = None, threads: int = 0) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 4
        providers: list[Any] = ["CPUExecutionProvider"]
        if gpu is not None:
            if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
                raise DeviceError("device 'cuda' needs ONNX Runtime with CUDA: pip install 'ainet-toolkit[gpu]'")
            providers.insert(0, ("CUDAExecutionProvider", {"device_id": gpu}))
        try:
            session = onnxruntime.InferenceSession(model, options, providers=providers, enable_fallback=0)
        except (RuntimeError, ValueError) as error:  # a device's; what is wrong with a file has classes of its own
            raise DeviceError(f"ONNX Runtime cannot use the device: {first_line(error)}; check it with: ainet doctor") from error
        except Exception as error:  # the engine's exceptions have no public common base
            raise ModelError(f"ONNX Runtime cannot load {model}: {first_line(error)}; export it again") from error
        if gpu is not None and session.get_providers()[0] != "CUDAExecutionProvider":
            raise DeviceError(f"CUDA device {gpu} is not usable by ONNX Runtime; check the driver with nvidia-smi, or use device 'cpu'")
        self.info = ModelInfo.from_json(session.get_modelmeta().custom_metadata_map.get("ainet"), model)
        self.name = "ONNX Runtime (CPU)" if gpu is None else f"ONNX Runtime (CUDA {gpu})"
        self._session = session

    def run(self, image: NDArray[Any]) -> NDArray[Any]:
        try:
            return self._session.run(None, {"image": image})[0]
        except Exception as error:
            raise failed("ONNX Runtime", image, error) from error

    def close(self) -> None:
        del self._session
