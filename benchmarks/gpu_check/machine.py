"""What the check runs on: the machine, its GPU, and the versions of what is installed."""

import shutil
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

import ainet
from ainet.benchmarks.gpu_check.section import Context, Result
from ainet.benchmarks.speed.machine import machine, versions
from ainet.errors import DeviceError
from ainet.runtime.cuda.driver import Gpu

PACKAGES = ("cuda-bindings", "triton", "onnx", "tensorrt", "tensorrt-rtx-cu13", "safetensors", "pytest")
TOOLS = ("nvcc", "compute-sanitizer")


def run(context: Context) -> Iterator[Result]:
    """`gpu`: its compute capability, such as "sm90"; None with a `reason` where the runtime has none."""
    result: Result = {
        "ainet": ainet.__version__,
        "machine": machine(),
        "versions": versions() | {name: found for name in PACKAGES if (found := _version(name))},
        "tools": [tool for tool in TOOLS if shutil.which(tool)],
        "gpu": None,
        "reason": None,
    }
    try:
        gpu = Gpu(0)
        result |= {"gpu": gpu.capability}
    except DeviceError as error:
        result |= {"reason": str(error)}
    yield result


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
