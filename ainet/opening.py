"""How the model of a Segmenter is opened: by `load`, and anew in a process that it is pickled into."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from numpy.typing import NDArray

from ainet.errors import AINetError, ModelError
from ainet.models import ONNX, Device, check_model_file
from ainet.runtime.backends import Backend, open_backend
from ainet.runtime.model import ModelInfo
from ainet.torch_backend import open_torch

T = TypeVar("T")


def open_model(path: Path, chosen: Device, device: str, threads: int, precision: str, int8: Path | None) -> Backend:
    """The model file, or where that is quicker the one in INT8, on a device, named by `device`."""
    if chosen.engine == "torch":
        if path.suffix == ONNX:
            raise ModelError(f"{path} is an ONNX file, but device '{device}' runs checkpoints; name one, or another device")
        return open_torch(path, chosen.torch, "fp16" if precision == "fp16" else "fp32")
    check_model_file(path)
    return open_backend(path, device, threads, int8)


class Unopened:
    """In place of an engine that cannot be opened in this process: `error` says why; the rest was known where it was pickled."""

    def __init__(self, error: AINetError, info: ModelInfo, name: str) -> None:
        self.error, self.info, self.name = error, info, name

    def run(self, image: NDArray[Any]) -> NDArray[Any]:
        raise self.error

    def close(self) -> None:
        pass


def reopened(load: Callable[..., T], wrap: Callable[[Backend], T], arguments: Sequence[object], info: ModelInfo, device: str) -> T:
    """`load(*arguments)`; where that fails, `wrap` of what raises the error when it is used.

    An error here would end the worker of a `multiprocessing.Pool` while it takes its task: the pool starts another worker, and waits
    without end for the result.
    """
    try:
        return load(*arguments)
    except AINetError as error:
        return wrap(Unopened(error, info, device))
