"""Which NVIDIA GPUs this machine has, and how to open one. Nothing else here imports NVIDIA's packages before they are needed."""

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ainet.errors import DeviceError

if TYPE_CHECKING:
    from ainet.runtime.cuda.gpu import Gpu


@dataclass(frozen=True)
class Device:
    """name: such as "NVIDIA H200". capability: its compute capability, such as "sm90". driver_cuda: the newest CUDA that its driver
    runs, such as "13.0"."""

    name: str
    capability: str
    driver_cuda: str


def find_devices() -> list[Device]:
    """All GPUs, in CUDA's order; takes none of their memory.

    Raises:
        DeviceError: there is no usable GPU, or cuda-core is missing.
    """
    driver = started_driver()
    version = _result(driver.cuDriverGetVersion())
    text = f"{version // 1000}.{version % 1000 // 10}"
    names = [_result(driver.cuDeviceGetName(256, index)) for index in range(_result(driver.cuDeviceGetCount()))]
    return [Device(name.partition(b"\0")[0].decode(), _capability(driver, index), text) for index, name in enumerate(names)]


def local_capability() -> str:
    """Compute capability of the current CUDA device, by default the first, such as "sm90"; errors as of `find_devices`."""
    driver = started_driver()
    status, index = driver.cuCtxGetDevice()
    return _capability(driver, 0 if int(status) else int(index))


def open_gpu(index: int) -> "Gpu":
    """The GPU of that number, ready for work.

    Raises:
        DeviceError: it is not there, or cuda-core or the driver is missing.
    """
    count = len(find_devices())
    if index >= count:
        raise DeviceError(f"there is no GPU {index}: this machine has {count}, from 0 on; list them with: ainet doctor")
    from ainet.runtime.cuda.gpu import Gpu

    return Gpu(index)


def started_driver() -> Any:
    """The module `cuda.bindings.driver` after a successful start: cuda-core may hang where it meets a driver that cannot be started."""
    try:
        importlib.import_module("cuda.core")
        driver = importlib.import_module("cuda.bindings.driver")
    except ImportError as error:
        raise DeviceError(f"using the GPU needs cuda-core and cuda-bindings ({error}): pip install cuda-core cuda-bindings") from error
    try:
        _result(driver.cuInit(0))
        _result(driver.cuDeviceGet(0))
    except RuntimeError as error:  # the driver's library is not there, or is too old
        raise DeviceError(f"no usable NVIDIA GPU ({error}); check the driver with: nvidia-smi") from error
    return driver


def _capability(driver: Any, index: int) -> str:
    attributes = driver.CUdevice_attribute
    numbers = (attributes.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, attributes.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)
    return "sm" + "".join(str(_result(driver.cuDeviceGetAttribute(number, index))) for number in numbers)


def _result(answer: tuple[Any, ...]) -> Any:
    status, *values = answer
    if int(status):
        raise DeviceError(f"no usable NVIDIA GPU ({status.name}); check the driver with: nvidia-smi")
    return values[0] if values else None
