"""The backends that the check looks at, each as a network between the runtime's kernels."""

import importlib.util
from pathlib import Path
from typing import Any

from ainet import __version__
from ainet.export.graph import Precision
from ainet.runtime.cuda.driver import Gpu
from ainet.runtime.cuda.network import GpuNetwork
from ainet.runtime.model import ModelInfo
from ainet.runtime.tensorrt_api import MODULES, load_flavour
from ainet.segmenter import BUNDLED, bundled
from ainet.spec import MEAN

NETWORKS = BUNDLED
COMPILED = "torch.compile"
BACKENDS = (*MODULES, "torch", "onnxruntime", COMPILED)


def absent(backend: str) -> str | None:
    """Why a backend is not here; None if it is."""
    module = MODULES.get(backend, backend.partition(".")[0])
    if importlib.util.find_spec(module) is None:
        return f"{module} is not installed"
    if backend == "onnxruntime":
        import onnxruntime

        if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
            return "this ONNX Runtime has no CUDA provider"
    if module == "torch":
        import torch

        if not torch.cuda.is_available():
            return "this PyTorch sees no GPU"
    return None


def engine_path(work: Path, network: str, flavour: str) -> Path:
    return work / f"{network}-{flavour}.engine"


def onnx_path(work: Path, network: str) -> Path:
    """The fp16 export, which the section "engines" makes."""
    return work / f"{network}-fp16.onnx"


def open_network(backend: str, network: str, precision: Precision, gpu: Gpu, work: Path) -> GpuNetwork:
    """A bundled network on a backend that is not `absent`: images in, logits out. TensorRT: in fp16 alone.

    Raises:
        AINetError: it cannot be loaded.
    """
    if backend in MODULES:
        return _engine(engine_path(work, network, backend), gpu)
    if backend == "onnxruntime":
        return _session(onnx_path(work, network) if precision == "fp16" else bundled(f"{network}.onnx"), gpu)
    return _module(network, precision, gpu, backend == COMPILED)


def _engine(path: Path, gpu: Gpu) -> GpuNetwork:
    from ainet.runtime.backends.tensorrt import EngineNetwork
    from ainet.runtime.engine_file import EngineInfo

    info = EngineInfo.load(path)
    flavour = load_flavour(info.flavour)
    info.check_host(path, flavour.name, flavour.version, gpu.capability)
    return EngineNetwork(path, info.verify(path), info, flavour, gpu.capability)


def _session(path: Path, gpu: Gpu) -> GpuNetwork:
    import onnxruntime

    from ainet.runtime.cuda.guests import OnnxRuntimeNetwork

    options = {"device_id": gpu.index, "use_tf32": 0}
    session = onnxruntime.InferenceSession(path, providers=[("CUDAExecutionProvider", options)])
    info = ModelInfo.from_json(session.get_modelmeta().custom_metadata_map.get("ainet"), path)
    return OnnxRuntimeNetwork(session, info, gpu)


def _module(network: str, precision: Precision, gpu: Gpu, compiled: bool) -> GpuNetwork:
    import torch

    from ainet.runtime.cuda.guests import TorchNetwork

    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True  # shapes stay the same
    device = f"cuda:{gpu.index}"
    module, info = torch_module(network, precision, device)
    if compiled:
        torch.compiler.reset()  # else the shapes of all cases add up, and past a number of them it gives up
        module = torch.compile(module, dynamic=False)
    return TorchNetwork(module, info, device)


def torch_module(network: str, precision: Precision, device: str) -> tuple[Any, ModelInfo]:
    """A bundled network as it is exported, in the layout that tensor cores like: float32 planes in, float32 logits out."""
    import torch

    from ainet.export.graph import WithOutput, deployable
    from ainet.training.checkpoint import load_checkpoint

    checkpoint = load_checkpoint(bundled(f"{network}.safetensors"))
    module: Any = WithOutput(deployable(checkpoint.network), "logits", precision).eval()
    info = ModelInfo(network, "logits", precision, MEAN, checkpoint.sha256, checkpoint.config, __version__)
    return module.to(device).to(memory_format=torch.channels_last), info
