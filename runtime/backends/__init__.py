"""Inference engines behind one interface: `open_backend(model, device)`.

| device                   | engine                                           |
|--------------------------|--------------------------------------------------|
| `auto`                   | the fastest of the following that works here     |
| `cuda`, `cuda:1`         | ONNX Runtime on that NVIDIA GPU                  |
| `openvino`               | OpenVINO on the CPU, in INT8 where that is exact |
| `cpu`                    | ONNX Runtime on the CPU                          |
| `tensorrt`, `tensorrt:1` | TensorRT on that NVIDIA GPU                      |

TensorRT runs engine files, for which `auto` takes it; the others run ONNX files. PyTorch (`torch`, `torch:cuda:0`) needs
a module instead of a file: `ainet.Segmenter.load` opens it.
"""

import importlib.util
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType

from ainet.arguments import checked_threads
from ainet.errors import AINetError, DeviceError, ModelError, UsageError, import_failed
from ainet.files import is_file, is_folder
from ainet.models import ENGINE, Device, read_model_head, unknown_name
from ainet.runtime.backends.base import Backend
from ainet.runtime.threads import engine_threads
from ainet.wrong_content import check_content

__all__ = ["Backend", "open_backend"]

_log = logging.getLogger("ainet")


def open_backend(model: Path, device: str = "auto", threads: int = 0, int8: Path | None = None) -> Backend:
    """Load the ONNX file or engine `model` on `device`; an explicit device never gives way to another.

    threads: of the CPU for one inference, 0 for all cores, or as many as a container's quota of processor time is worth. int8: the same
    network in INT8, which OpenVINO runs in its place on processors that compute it exactly.

    Raises:
        UsageError: `device` has none of the forms above, or `threads` is out of range.
        DeviceError: the device or its engine is not there.
        ModelError: the file is missing, damaged or not an exported model.
    """
    threads = checked_threads(threads)
    if is_folder(model):
        raise ModelError(f"{model} is a folder; name the file of a model in it")
    if not is_file(model):
        raise unknown_name(model, "model") or ModelError(f"no model file at {model}; make one with: ainet export CHECKPOINT -o {model}")
    check_content(read_model_head(model), f"{model} is not a model", ModelError)
    if device == "auto" and model.suffix == ENGINE:
        device = "tensorrt"
    chosen = Device.parse(device)
    gpu = chosen.gpu or 0
    threads = engine_threads(threads)
    if chosen.engine == "tensorrt":
        return _open_tensorrt(model, gpu)
    if model.suffix == ENGINE:
        raise UsageError(f"{model} is a TensorRT engine, which device '{device}' does not run; choose tensorrt or tensorrt:N")
    if chosen.engine == "auto":
        return _open_fastest(model, threads, int8)
    if chosen.engine == "cpu":
        return _open_cpu(model, threads)
    if chosen.engine == "openvino":
        return _open_openvino(model, threads, int8)
    if chosen.engine == "cuda":
        return _open_cuda(model, gpu, threads)
    raise UsageError(f"device '{device}' runs a PyTorch module, not the file {model}; open a checkpoint with ainet.Segmenter.load")


def _open_fastest(model: Path, threads: int, int8: Path | None) -> Backend:
    """On the first engine, in the order of their speed, that is installed and takes the model."""
    engines: list[tuple[str, Callable[[], Backend]]] = []
    if _installed("onnxruntime"):
        engines.append(("cuda", partial(_open_cuda, model, 0, threads)))
    if _installed("openvino"):
        engines.append(("openvino", partial(_open_openvino, model, threads, int8)))
    if _installed("onnxruntime") or not engines:
        engines.append(("cpu", partial(_open_cpu, model, threads)))
    failures: dict[str, AINetError] = {}
    for device, engine in engines[:-1]:
        try:
            backend = engine()
            break
        except (DeviceError, ModelError) as error:
            failures[device] = error
    else:
        backend = engines[-1][1]()  # its error says it all
    failures.pop("cuda", None)  # most machines have no GPU, which is no news
    for device, failure in failures.items():
        _log.warning("device auto goes on without %s: %s", device, " ".join(str(failure).split()))
    return backend


def _open_tensorrt(model: Path, gpu: int) -> Backend:
    if model.suffix != ENGINE:
        raise ModelError(f"device 'tensorrt' runs engine files, not {model}; make one with: ainet build {model}")
    from ainet.runtime.backends.tensorrt import open_engine

    return open_engine(model, gpu)


def _open_cpu(model: Path, threads: int) -> Backend:
    return _onnx_runtime("cpu", "cpu").OnnxRuntimeBackend(model, threads)


def _open_cuda(model: Path, gpu: int, threads: int) -> Backend:
    return _onnx_runtime("cuda", "gpu").open_cuda(model, gpu, threads)


def _onnx_runtime(device: str, extra: str) -> ModuleType:
    if not _installed("onnxruntime"):
        raise DeviceError(f"device '{device}' needs ONNX Runtime: pip install 'ainet-toolkit[{extra}]'")
    try:
        return importlib.import_module("ainet.runtime.backends.onnx_runtime")
    except Exception as error:  # of a build for GPUs without the libraries of CUDA, or of what an uninstalled one has left
        raise import_failed("ONNX Runtime", error, f"pip install --force-reinstall 'ainet-toolkit[{extra}]'") from error


def _open_openvino(model: Path, threads: int, int8: Path | None) -> Backend:
    if not _installed("openvino"):
        raise DeviceError("device 'openvino' needs OpenVINO: pip install 'ainet-toolkit[openvino]'")
    try:
        from ainet.runtime.backends.openvino import OpenVinoBackend
        from ainet.runtime.backends.openvino_processor import computes_int8_exactly
    except (ImportError, OSError) as error:
        raise import_failed("OpenVINO", error, "pip install --force-reinstall openvino") from error
    return OpenVinoBackend(model if int8 is None or not computes_int8_exactly() else int8, threads)


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None
