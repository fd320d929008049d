"""PyTorch, for comparison: the module comes from the caller, so that this package needs no training code."""

from typing import Any

import torch
from numpy.typing import NDArray

from ainet.errors import DeviceError
from ainet.runtime.backends.base import failed, first_line
from ainet.runtime.model import ModelInfo


class TorchBackend:
    """Runs a module that maps normalised images (N, 3, h, w) to logits (N, 9, h, w), on a torch device such as "cuda:0"."""

    def __init__(self, module: torch.nn.Module, info: ModelInfo, device: str = "cpu") -> None:
        try:
            self._module = module.eval().to(device)
        except (RuntimeError, AssertionError) as error:  # no CUDA in this build of torch: AssertionError
            raise DeviceError(f"PyTorch cannot use the device '{device}': {first_line(error)}; use another device") from error
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
