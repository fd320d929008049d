"""What a result was made on and with: the record that stands in every result file."""

import os
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ainet.errors import DeviceError
from ainet.runtime.cuda.devices import find_devices

PACKAGES = (
    "ainet-toolkit",
    "numpy",
    "opencv-contrib-python-headless",
    "onnxruntime",
    "onnxruntime-gpu",
    "openvino",
    "scikit-image",
    "fast-slic",
    "scipy",
    "torch",
    "tensorrt",
    "tensorrt-rtx-cu13",
    "cuda-core",
    "cuda-bindings",
)
# By /proc/cpuinfo's names: what float32, bf16 and INT8 engines choose their code by, on x86-64 and on Arm.
INSTRUCTIONS = ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "asimd", "asimddp", "i8mm", "bf16")


def machine() -> dict[str, Any]:
    """Processor, instruction sets, cores, memory in GiB, operating system, Python, and the first NVIDIA GPU with its driver."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 0
    found = _cpuinfo("flags") or _cpuinfo("Features") or ""
    return {
        "processor": _cpuinfo("model name") or platform.processor() or platform.machine(),
        "instructions": [name for name in INSTRUCTIONS if name in found.split()],
        "cores": os.cpu_count(),
        "memory_gib": round(memory / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "python": platform.python_version(),
        "gpu": _gpu(),
    }


def versions() -> dict[str, str]:
    """The installed versions of the packages that decide labels and times."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _cpuinfo(field: str) -> str | None:
    try:
        found = re.search(rf"^{field}\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        return None
    return found[1] if found else None


def _gpu() -> str | None:
    try:
        first = find_devices()[0]
    except (DeviceError, IndexError):
        return None
    return f"{first.name} ({first.capability}), driver for CUDA {first.driver_cuda}"
