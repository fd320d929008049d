"""`ainet doctor`: what is installed, which devices work, and what to type to mend the rest."""

import importlib.metadata
import platform
import sys

import numpy as np

import ainet
from ainet.cli.console import print_line, print_rows
from ainet.errors import AINetError

PACKAGES = (
    ("onnxruntime", "cpu", "the CPU"),
    ("onnxruntime-gpu", "gpu", "NVIDIA GPUs"),
    ("openvino", "openvino", "the CPU, faster"),
    ("torch", "train", "training, export, device torch"),
    ("onnx", "export", "export"),
    ("tensorrt", "tensorrt", "engines for this machine's GPU"),
    ("tensorrt-rtx-cu13", "tensorrt-rtx", "engines, ahead of time too"),
)
RUNTIMES = ("onnxruntime", "onnxruntime-gpu")
DEVICES = ("cpu", "openvino", "cuda", "torch", "torch:cuda")


def doctor() -> None:
    """Say what is installed, which devices work, and what to type to mend the rest."""
    print_line(f"ainet {ainet.__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}\n")
    packages = [("package", "version", "needed for", "to install")]
    for name, extra, purpose in PACKAGES:
        version = _version(name)
        # The two ONNX Runtime packages are one module in two builds: the second to be installed would damage the first.
        other = next((twin for twin in RUNTIMES if name in RUNTIMES and twin != name and _version(twin)), None)
        advice = f"pip uninstall -y {other} && " * (other is not None) + f"pip install 'ainet-toolkit[{extra}]'"
        packages.append((name, version or "-", purpose, "" if version else advice))
    print_rows(packages)
    print_line("")
    devices = [(device, *_try(device)) for device in DEVICES]
    print_rows([("device", "works", "engine, or what to do"), *devices])
    if not any(works == "yes" for _, works, _ in devices):
        print_line("\nNo device works: pip install 'ainet-toolkit[cpu]'")
        sys.exit(1)


def _try(device: str) -> tuple[str, str]:
    """Segment a small image on `device`: "yes" and its engine, or "no" and the error."""
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    try:
        with ainet.Segmenter.load(device=device) as segmenter:
            segmenter(image, n_segments=16)
            return "yes", segmenter.device
    except AINetError as error:
        return "no", str(error)


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
