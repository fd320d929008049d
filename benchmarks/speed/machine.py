"""What a measurement was made on and with, for the results."""

import os
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = (
    "ainet-toolkit",
    "numpy",
    "opencv-contrib-python-headless",
    "onnxruntime",
    "onnxruntime-gpu",
    "openvino",
    "scikit-image",
    "scipy",
    "torch",
)


def machine() -> dict[str, Any]:
    """Processor, cores, memory in GiB, operating system, Python, and the GPU where PyTorch sees one."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 0
    return {
        "processor": _processor(),
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


def _processor() -> str:
    try:
        model = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        model = None
    return model[1] if model else platform.processor() or platform.machine()


def _gpu() -> str | None:
    try:
        import torch
    except ImportError:
        return None
    return torch.cuda.get_device_name() if torch.cuda.is_available() else None
