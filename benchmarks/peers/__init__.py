"""Our networks and their peers behind one signature; see `base`.

    method = open_method("slic", Options())
    labels = method(image, 600)

| name | method |
|---|---|
| `ainet`, `ainet-lite`, `scn` | the bundled weights, the plain grid; ONNX Runtime on the CPU |
| `ainet@DEVICE`, `ainet@DEVICE+PRECISION` | the same on that device, as of `Segmenter.load` |
| `ainet@DEVICE+best` | merged to the exact number, as by default; also `ainet@DEVICE+PRECISION+best` |
| `checkpoint` | `weights.safetensors` in the folder of weights, as `ainet train` writes it, in PyTorch |
| `ssn` | SSN in PyTorch (ECCV 2018) |
| `seal` | SEAL in PyTorch, with ERS (CVPR 2018) |
| `ers` | entropy rate superpixels, native (CVPR 2011) |
| `slic` | SLIC of scikit-image (PAMI 2012) |
| `slic-cv`, `slico`, `lsc`, `seeds` | SLIC, SLICO, LSC (CVPR 2015) and SEEDS (ECCV 2012) of opencv-contrib |
| `snic` | SNIC, native (CVPR 2017) |
| `fast-slic` | SLIC of the package fast-slic, by its code for AVX2 or NEON |

Their stages are at most three: "network" (with the preparation of its input), "assignment" (from its output, or the image, to
labels) and "connectivity"; ours on a GPU, and with exact numbers, have one, "pipeline". Methods in PyTorch set its number of threads,
all set that of OpenCV: for the whole process.
"""

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import TypeVar

from ainet.benchmarks.peers.base import Method, Name, Options
from ainet.benchmarks.speed.clock import Stages
from ainet.errors import DeviceError, UsageError
from ainet.models import BUNDLED, Device

__all__ = ["METHODS", "Method", "Options", "Stages", "on_gpu", "open_each", "open_method", "open_methods"]

Opened = TypeVar("Opened")

_HERE = "ainet.benchmarks.peers"
# By name, the module whose `open_method(name, options)` makes the method. The order is that of reports.
METHODS = {
    "ainet": f"{_HERE}.ours",
    "ainet-lite": f"{_HERE}.ours",
    "scn": f"{_HERE}.ours",
    "checkpoint": f"{_HERE}.ours",
    "ssn": f"{_HERE}.ssn",
    "seal": f"{_HERE}.seal",
    "ers": f"{_HERE}.ers",
    "slic": f"{_HERE}.classic",
    "slic-cv": f"{_HERE}.classic",
    "slico": f"{_HERE}.classic",
    "lsc": f"{_HERE}.classic",
    "seeds": f"{_HERE}.classic",
    "snic": f"{_HERE}.classic",
    "fast-slic": f"{_HERE}.fast",
}
_IN_TORCH = ("checkpoint", "ssn", "seal")  # these run on the device of the options
_EXTRAS = {"torch": "train", "safetensors": "train"}  # which extra installs a package; others: "bench"
# A package that pip cannot build by itself: how to install it.
_BY_HAND = {"fast_slic": "pip install 'setuptools<80' wheel 'cython<3', then pip install --no-build-isolation --no-deps fast-slic"}


def open_method(name: str, options: Options) -> Method:
    """The method called `name`, ready to run.

    A network whose weights are not in `options.weights` has random ones, and `trained` is False.

    Raises:
        UsageError: no method has that name.
        DeviceError: a package or device is missing.
        ModelError: weights are damaged, or the folder of weights or a bundled file is missing.
    """
    parts = Name.parse(name)
    if parts.network not in METHODS or (name != parts.network and (parts.network not in BUNDLED or not parts.device)):
        raise UsageError(
            f"unknown method '{name}'; choose one of {', '.join(METHODS)}; {', '.join(BUNDLED)} take a device and a precision too, as "
            "ainet@openvino and ainet@openvino+fp32, and +best for exact counts"
        )
    try:
        return import_module(METHODS[parts.network]).open_method(name, options)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        command = _BY_HAND.get(package, f"pip install 'ainet-toolkit[{_EXTRAS.get(package, 'bench')}]'")
        raise DeviceError(f"method '{name}' needs the package {package}: {command}") from error


def on_gpu(name: str, options: Options) -> bool:
    """Whether a method runs on a GPU."""
    parts = Name.parse(name)
    device = f"torch:{options.device}" if parts.network in _IN_TORCH else parts.device
    return bool(device) and Device.parse(device).gpu is not None


def open_methods(names: Iterable[str], options: Options) -> tuple[dict[str, Method], dict[str, str]]:
    """The methods by name, and for those whose package or device is not there the line that says what to install.

    Raises:
        UsageError: a name is unknown.
        DeviceError: none of the methods is there.
        ModelError: weights are damaged, or their folder is missing.
    """
    return open_each(names, lambda name: open_method(name, options))


def open_each(names: Iterable[str], opener: Callable[[str], Opened]) -> tuple[dict[str, Opened], dict[str, str]]:
    """What `opener` makes of the names, and for those of which it makes a DeviceError its line.

    Raises:
        DeviceError: so it does of all names.
    """
    opened, skipped = {}, {}
    for name in dict.fromkeys(names):
        try:
            opened[name] = opener(name)
        except DeviceError as error:
            skipped[name] = str(error)
    if not opened:
        raise DeviceError(f"no method is left: {'; '.join(skipped.values()) or 'name at least one'}")
    return opened, skipped
