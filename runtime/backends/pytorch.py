"""PyTorch, for comparison: the module comes from the caller, so that this package needs no training code."""

from typing import Any

import torch
from numpy.typing import NDArray

from ainet.errors import DeviceError
from ainet.runtime.backends.base import failed, first_line
from ainet.runtime.cuda.driver import Gpu
from ainet.runtime.cuda.guests import TorchNetwork
from ainet.runtime.cuda.pipeline import GpuPipeline
from ainet.runtime.model import ModelInfo


class TorchBackend:
    """Runs a module that maps normalised images (N, 3, h, w) to logits (N, 9, h, w), on a torch device such as "cpu"."""

    def __init__(self, module: torch.nn.Module, info: ModelInfo, device: str = "cpu") -> None:
        self._module = _on(device, module)
        self.info = info
        self.name = f"PyTorch ({device})"
        self._device = device

    def run(self, image: NDArray[Any]) -> NDArray[Any]:
        try:
            with torch.inference_mode():
                return self._module(torch.from_numpy(image).to(self._device)).float().cpu().numpy()
        except RuntimeError as error:  # out of memory is one too
            raise failed("PyTorch", image, error) from error

    def close(self) -> None:
        del self._module


def open_cuda(module: torch.nn.Module, info: ModelInfo, index: int) -> GpuPipeline:
    """Put such a module on the GPU number `index`, between this package's kernels.

    Raises:
        DeviceError: the GPU, its driver, cuda-bindings or a build of PyTorch for CUDA is not there.
    """
    device = f"cuda:{index}"
    network = TorchNetwork(_on(device, module), info, device)
    return GpuPipeline(Gpu(index), network, f"PyTorch ({device})")


def _on(device: str, module: torch.nn.Module) -> torch.nn.Module:
    try:
        return module.eval().to(device)
    except (RuntimeError, AssertionError) as error:  # no CUDA in this build of torch: AssertionError
        raise DeviceError(f"PyTorch cannot use the device '{device}': {first_line(error)}; use another device") from error
