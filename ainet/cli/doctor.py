"""`ainet doctor`: what is installed, which GPUs and devices work, and what to type to mend the rest."""

import importlib.metadata
import platform
import sys
from collections.abc import Callable
from functools import partial

import ainet
from ainet.cli.console import print_line, print_rows
from ainet.errors import AINetError, DeviceError
from ainet.runtime.cuda.binary import kernel_source
from ainet.runtime.cuda.devices import find_devices
from ainet.runtime.tensorrt_api import MODULES, load_package

PACKAGES = (
    ("openvino", "'ainet-toolkit[cpu]'", "the CPU"),
    ("onnxruntime", "'ainet-toolkit[cpu]'", "the CPU without OpenVINO, export"),
    ("onnxruntime-gpu", "'ainet-toolkit[gpu]'", "NVIDIA GPUs"),
    ("torch", "'ainet-toolkit[train]'", "training, export, device torch"),
    ("onnx", "'ainet-toolkit[export]'", "export"),
    ("cuda-core", "cuda-core cuda-bindings", "all devices on NVIDIA GPUs"),
    ("tensorrt", "'ainet-toolkit[tensorrt]'", "engines for this machine's GPU"),
    ("tensorrt-rtx-cu13", "'ainet-toolkit[tensorrt-rtx]'", "engines, ahead of time too"),
)
RUNTIMES = ("onnxruntime", "onnxruntime-gpu")
DEVICES = ("auto", "openvino", "cpu", "cuda", "torch", "torch:cuda")


def _other_runtime(name: str) -> str | None:
    """Of ONNX Runtime's two packages the one that is installed where `name` is the other.

    They are one module in two builds: the second to be installed would damage the first.
    """
    if name not in RUNTIMES:
        return None
    (other,) = (runtime for runtime in RUNTIMES if runtime != name)
    return other if _version(other) else None


def doctor() -> None:
    """Say what is installed, which GPUs and devices work, and what to type to mend the rest."""
    print_line(f"ainet {ainet.__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}\n")
    packages = [("package", "version", "needed for", "to install")]
    for name, requirement, purpose in PACKAGES:
        version = _version(name)
        advice = f"pip install {requirement}"
        if other := _other_runtime(name):
            advice = f"pip uninstall -y {other} && {advice}"
        packages.append((name, version or "-", purpose, "" if version else advice))
    print_rows(packages)
    print_line("")
    tensorrt = [_row(name, partial(_tensorrt, name)) for name in MODULES]
    print_rows([("GPU", "works", "what it is, or what to do"), _row("NVIDIA", _gpus), _row("kernels", kernel_source), *tensorrt])
    print_line("")
    devices = [_row(device, partial(_segment, device)) for device in DEVICES]
    print_rows([("device", "works", "engine, or what to do"), *devices, _row("INT8", _int8)])
    if not any(works == "yes" for _, works, _ in devices):
        print_line("\nNo device works: pip install 'ainet-toolkit[cpu]'")
        sys.exit(1)


def _row(name: str, check: Callable[[], str]) -> tuple[str, str, str]:
    """The name, "yes" or "no", and what the check says, or its error."""
    try:
        return name, "yes", check()
    except AINetError as error:
        return name, "no", " ".join(str(error).split())
    except Exception as error:  # a library that is damaged or does not fit the others: that is what a doctor is for
        return name, "no", f"{type(error).__name__}: {' '.join(str(error).split())}; install its package again"


def _gpus() -> str:
    devices = find_devices()
    names = ", ".join(f"{device.name} ({device.capability})" for device in devices)
    return f"{names}; driver for CUDA {devices[0].driver_cuda}"


def _tensorrt(name: str) -> str:
    package = load_package(name)
    targets = ", ".join(package.targets)
    return f"{package}, builds {f'ahead of time for {targets}' if targets else 'for the GPU of this machine'}"


def _segment(device: str) -> str:
    """Segment a small image on `device`: the name of its engine."""
    import numpy as np

    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    with ainet.Segmenter.load(device=device) as segmenter:
        segmenter(image, n_segments=16)
        return segmenter.device


def _int8() -> str:
    """What the bundled models run in on this processor."""
    try:
        from ainet.runtime.backends.openvino_processor import INT8_MISSING, computes_int8_exactly
    except ImportError as error:
        raise DeviceError("INT8 models run on OpenVINO: pip install 'ainet-toolkit[openvino]'") from error
    if not computes_int8_exactly():
        raise DeviceError(f"OpenVINO would compute INT8 wrongly on this processor, {INT8_MISSING}; the bundled models run in float32")
    return "the bundled models run in INT8 on OpenVINO; float32 with --precision fp32"


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
