"""`ainet doctor`: what is installed, which devices work, and what to type to mend the rest."""

import importlib.metadata
import platform
import sys

import numpy as np
from rich.table import Table

import ainet
from ainet.cli.console import output
from ainet.errors import AINetError

PACKAGES = (
    ("numpy", "", "everything"),
    ("opencv-contrib-python-headless", "", "everything"),
    ("onnxruntime", "cpu", "the CPU"),
    ("onnxruntime-gpu", "gpu", "NVIDIA GPUs"),
    ("openvino", "openvino", "the CPU, faster"),
    ("torch", "train", "training, export, device torch"),
    ("onnx", "export", "export"),
)
DEVICES = ("cpu", "openvino", "cuda", "torch", "torch:cuda")


def doctor() -> None:
    """Say what is installed, which devices work, and what to type to mend the rest."""
    output.print(f"ainet {ainet.__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}")
    packages = Table("package", "version", "needed for", "to install", box=None)
    for name, extra, purpose in PACKAGES:
        version = _version(name)
        packages.add_row(name, version or "-", purpose, "" if version else f"pip install 'ainet-toolkit\\[{extra}]'")
    output.print(packages)
    devices = Table("device", "works", "engine, or what to do", box=None)
    working = [_add_device(devices, device) for device in DEVICES]
    output.print(devices)
    if not any(working):
        output.print("No device works: pip install 'ainet-toolkit\\[cpu]'")
        sys.exit(1)


def _add_device(table: Table, device: str) -> bool:
    """Segment a small image on `device` and note how it went."""
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    try:
        with ainet.Segmenter.load(device=device) as segmenter:
            segmenter(image, n_segments=16)
            table.add_row(device, "[green]yes[/]", segmenter.device)
            return True
    except AINetError as error:
        table.add_row(device, "[red]no[/]", str(error).replace("[", "\\["))
        return False


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


