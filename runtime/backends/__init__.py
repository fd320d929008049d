"""Inference engines behind one interface: `open_backend(model, device)`.

| device                   | engine                                          |
|--------------------------|-------------------------------------------------|
| `auto`                   | the fastest of the following that works here    |
| `cuda`, `cuda:1`         | ONNX Runtime on that NVIDIA GPU                 |
| `openvino`               | OpenVINO on the CPU                             |
| `cpu`                    | ONNX Runtime on the CPU                         |
| `tensorrt`, `tensorrt:1` | TensorRT on that NVIDIA GPU                     |

TensorRT runs engine files, for which `auto` takes it; the others run ONNX files. PyTorch (`torch`, `torch:cuda:0`) needs
a module instead of a file: `ainet.Segmenter.load` opens it.
"""

import contextlib
import importlib.util
from collections.abc import Callable
from functools import partial
from pathlib import Path

from ainet.errors import DeviceError, ModelError, UsageError
from ainet.models import ENGINE, Device
from ainet.runtime.backends.base import Backend

__all__ = ["Backend", "open_backend"]


def open_backend(model: Path, device: str = "auto", threads: int = 0) -> Backend:
    """Load the ONNX file or engine `model` on `device`; an explicit device never gives way to another.

    `threads`: of the CPU for one inference, 0 for all cores.

    Raises:
        UsageError: `device` has none of the forms above, or `threads` is negative.
        DeviceError: the device or its engine is not there.
        ModelError: the file is missing, damaged or not an exported model.
    """
    if threads < 0:
        raise UsageError(f"threads={threads} is out of range: choose 1 or more, or 0 for all cores")
    if not model.is_file():
        raise ModelError(f"no model file at {model}; make one with: ainet export CHECKPOINT -o {model}")
    if device == "auto" and model.suffix == ENGINE:
        device = "tensorrt"
    chosen = Device.parse(device)
    gpu = chosen.gpu or 0
    if chosen.engine == "tensorrt":
        return _open_tensorrt(model, gpu)
    if model.suffix == ENGINE:
        raise UsageError(f"{model} is a TensorRT engine, which device '{device}' does not run; choose tensorrt or tensorrt:N")
    if chosen.engine == "auto":
        return _open_fastest(model, threads)
    if chosen.engine == "cpu":
        return _open_cpu(model, threads)
    if chosen.engine == "openvino":
        return _open_openvino(model, threads)
    if chosen.engine == "cuda":
        return _open_cuda(model, gpu, threads)
    raise UsageError(f"device '{device}' runs a PyTorch module, not the file {model}; open a checkpoint with ainet.Segmenter.load")


def _open_fastest(model: Path, threads: int) -> Backend:
    """On the first engine, in the order of their speed, that is installed and takes the model."""
    engines: list[Callable[[], Backend]] = []
    if _installed("onnxruntime"):
        engines.append(partial(_open_cuda, model, 0, threads))
    if _installed("openvino"):
        engines.append(partial(_open_openvino, model, threads))
    if _installed("onnxruntime") or not engines:
        engines.append(partial(_open_cpu, model, threads))
    for engine in engines[:-1]:
        with contextlib.suppress(DeviceError, ModelError):
            return engine()
    return engines[-1]()


def _open_tensorrt(model: Path, gpu: int) -> Backend:
    if model.suffix != ENGINE:
        raise ModelError(f"device 'tensorrt' runs engine files, not {model}; make one with: ainet build {model}")
    from ainet.runtime.backends.tensorrt import open_engine

    return open_engine(model, gpu)


def _open_cpu(model: Path, threads: int) -> Backend:
    if not _installed("onnxruntime"):
        raise DeviceError("device 'cpu' needs ONNX Runtime: pip install 'ainet-toolkit[cpu]'")
    from ainet.runtime.backends.onnx_runtime import OnnxRuntimeBackend

    return OnnxRuntimeBackend(model, threads)


def _open_cuda(model: Path, gpu: int, threads: int) -> Backend:
    if not _installed("onnxruntime"):
        raise DeviceError("device 'cuda' needs ONNX Runtime: pip install 'ainet-toolkit[gpu]'")
    from ainet.runtime.backends.onnx_runtime import open_cuda

    return open_cuda(model, gpu, threads)


def _open_openvino(model: Path, threads: int) -> Backend:
    if not _installed("openvino"):
        raise DeviceError("device 'openvino' needs OpenVINO: pip install 'ainet-toolkit[openvino]'")
    try:
        from ainet.runtime.backends.openvino import OpenVinoBackend
    except (ImportError, OSError) as error:
        raise DeviceError(f"OpenVINO cannot be loaded ({error}): pip install --force-reinstall openvino") from error
    return OpenVinoBackend(model, threads)


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None
