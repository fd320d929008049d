"""PyTorch, for comparison: the module comes from the caller, so that this package needs no training code."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ainet.errors import DeviceError
from ainet.runtime.backends.base import failed, first_line
from ainet.runtime.cuda.driver import Gpu
from ainet.runtime.cuda.guests import TorchNetwork
from ainet.runtime.cuda.pipeline import GpuPipeline
from ainet.runtime.merging import MergeModel
from ainet.runtime.model import ModelInfo


class TorchBackend:
    """Runs a module that maps normalised images (N, 3, h, w) to logits (N, 9, h, w), on a torch device such as "cpu".

    with_map: a module that gives the logits and the border map (N, h/2, w/2, C) that `merge_model` needs.
    """

    def __init__(
        self,
        module: torch.nn.Module,
        info: ModelInfo,
        device: str = "cpu",
        with_map: torch.nn.Module | None = None,
        merge_model: MergeModel | None = None,
    ) -> None:
        self._module = _on(device, module)
        self._with_map = None if with_map is None else _on(device, with_map)
        self.merge_model = merge_model
        self.info = info
        self.name = f"PyTorch ({device})"
        self._device = device

    def run(self, image: NDArray[Any]) -> NDArray[Any]:
        return self._run(self._module, image).float().cpu().numpy()

    def run_with_map(self, image: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.float32]]:
        logits, border_map = self._run(self._with_map, image)
        return logits.float().cpu().numpy(), border_map.float().cpu().numpy()

    def _run(self, module: Any, image: NDArray[Any]) -> Any:
        try:
            with torch.inference_mode():
                return module(torch.from_numpy(image).to(self._device))
        except RuntimeError as error:  # out of memory is one too
            raise failed("PyTorch", image, error) from error

    def close(self) -> None:
        del self._module, self._with_map


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
