"""Which NVIDIA GPUs this machine has, and how to open one. NVIDIA's packages are imported when they are needed."""

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ainet.errors import DeviceError

if TYPE_CHECKING:
    from ainet.runtime.cuda.gpu import Gpu


@dataclass(frozen=True)
class GpuInfo:
    """name: such as "NVIDIA H200". capability: its compute capability, such as "sm90". driver_cuda: the newest CUDA that its driver
    runs, such as "13.0"."""

    name: str
    capability: str
    driver_cuda: str


def find_devices() -> list[GpuInfo]:
    """All GPUs, in CUDA's order; takes none of their memory.

    Raises:
        DeviceError: there is no usable GPU, or cuda-core is missing.
    """
    core, driver = _started()
    version = driver.cuDriverGetVersion()[1]
    text = f"{version // 1000}.{version % 1000 // 10}"
    return [GpuInfo(device.name.partition("\0")[0], f"sm{device.arch}", text) for device in core.Device.get_all_devices()]


def local_capability() -> str:
    """Compute capability of the current CUDA device, by default the first, such as "sm90"; errors as of `find_devices`."""
    core, _ = _started()
    return f"sm{core.Device().arch}"


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


def _started() -> tuple[Any, Any]:
    """cuda-core and the driver after a successful start: cuda-core may hang after one that failed."""
    try:
        core = importlib.import_module("cuda.core")
        driver = importlib.import_module("cuda.bindings.driver")
    except ImportError as error:
        raise DeviceError(f"using the GPU needs cuda-core and cuda-bindings ({error}): pip install cuda-core cuda-bindings") from error
    try:
        (status,) = driver.cuInit(0)
        reason = status.name if int(status) else ""
    except RuntimeError as error:  # the driver's library is not there, or is too old
        reason = str(error)
    if reason:
        raise DeviceError(f"no usable NVIDIA GPU ({reason}); check the driver with: nvidia-smi")
    return core, driver
