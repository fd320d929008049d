"""Which NVIDIA GPUs this machine has; asks without taking any of their memory."""

import importlib
from dataclasses import dataclass
from typing import Any

from ainet.errors import DeviceError


@dataclass(frozen=True)
class Device:
    """name: such as "NVIDIA H200". capability: its compute capability, such as "sm90". driver_cuda: the newest CUDA that its driver
    runs, such as "13.0"."""

    name: str
    capability: str
    driver_cuda: str


def find_devices() -> list[Device]:
    """All GPUs, in CUDA's order.

    Raises:
        DeviceError: there is no usable GPU, or the package cuda-bindings is missing.
    """
    cudart = _bindings()
    count, version = (_result(cudart, call()) for call in (cudart.cudaGetDeviceCount, cudart.cudaDriverGetVersion))
    names = [_result(cudart, cudart.cudaGetDeviceProperties(index)).name for index in range(count)]
    driver = f"{version // 1000}.{version % 1000 // 10}"
    return [Device(name.rstrip(b"\0").decode(), _capability(cudart, index), driver) for index, name in enumerate(names)]


def local_capability() -> str:
    """Compute capability of the current CUDA device, such as "sm90"; errors as of `find_devices`."""
    cudart = _bindings()
    return _capability(cudart, _result(cudart, cudart.cudaGetDevice()))


def _bindings() -> Any:
    try:
        return importlib.import_module("cuda.bindings.runtime")
    except ImportError as error:
        raise DeviceError(f"asking for the GPU needs the package cuda-bindings ({error}): pip install cuda-bindings") from error


def _capability(cudart: Any, index: int) -> str:
    attributes = cudart.cudaDeviceAttr
    numbers = (attributes.cudaDevAttrComputeCapabilityMajor, attributes.cudaDevAttrComputeCapabilityMinor)
    return "sm" + "".join(str(_result(cudart, cudart.cudaDeviceGetAttribute(number, index))) for number in numbers)


def _result(cudart: Any, answer: tuple[Any, Any]) -> Any:
    status, value = answer
    if status != cudart.cudaError_t.cudaSuccess:
        reason = cudart.cudaGetErrorString(status)[1].decode()
        raise DeviceError(f"no usable NVIDIA GPU ({reason}); check the driver with: nvidia-smi")
    return value
