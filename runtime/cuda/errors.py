"""The errors of a GPU, told apart by what a caller can do about them."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from ainet.errors import DeviceError

# How PyTorch, ONNX Runtime, TensorRT and CUDA's libraries say so; an "illegal memory access" is a fault of a kernel.
OUT_OF_MEMORY = re.compile(
    r"out[ _]?of[ _]?memory|failed to allocate|not be allocated|alloc(ation)?_failed|MemoryAllocation", re.IGNORECASE
)


class OutOfMemoryError(DeviceError):
    """The GPU has not as much free memory as was asked for."""


def engine_error(reason: str) -> type[DeviceError]:
    """The class of an engine's error, by its words: for want of memory, the pipeline tries fewer images."""
    return OutOfMemoryError if OUT_OF_MEMORY.search(reason) else DeviceError


def cuda_error(index: int, reason: str) -> DeviceError:
    """The error of CUDA on the GPU `index`; reason: CUDA's name for it, such as "CUDA_ERROR_OUT_OF_MEMORY"."""
    if reason == "CUDA_ERROR_OUT_OF_MEMORY":
        return OutOfMemoryError(f"GPU {index} is out of memory; try smaller images or batches, or free memory of other programs")
    return DeviceError(f"GPU {index} cannot be used ({reason}); check it with: nvidia-smi")


@contextmanager
def translated(index: int) -> Iterator[None]:
    """Turn what cuda-core raises into this package's errors; its messages start with CUDA's name for what happened."""
    try:
        yield
    except DeviceError:
        raise
    except Exception as error:  # its class is private to cuda-core
        reason = str(error).partition(":")[0]
        if not reason.startswith("CUDA_ERROR_"):
            raise
        raise cuda_error(index, reason) from error
