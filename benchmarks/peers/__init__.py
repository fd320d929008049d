"""Our networks and their peers behind one signature; see `base`.

    method = open_method("slic", Options())
    labels = method(image, 600)

| name | method |
|---|---|
| `ainet`, `scn` | the bundled weights; ONNX Runtime on the CPU, or `ainet@DEVICE` and `ainet@DEVICE+PRECISION`, as of `Segmenter.load` |
| `checkpoint` | `weights.safetensors` in the folder of weights, as `ainet train` writes it, in PyTorch |
| `ssn` | SSN in PyTorch (ECCV 2018) |
| `seal` | SEAL in PyTorch, with ERS (CVPR 2018) |
| `ers` | entropy rate superpixels, native (CVPR 2011) |
| `slic` | SLIC of scikit-image (PAMI 2012) |
| `slic-cv`, `slico`, `lsc`, `seeds` | SLIC, SLICO, LSC (CVPR 2015) and SEEDS (ECCV 2012) of opencv-contrib |
| `snic` | SNIC, native (CVPR 2017) |

Their stages are at most three: "network" (with the preparation of its input), "assignment" (from its output, or the image, to
labels) and "connectivity"; ours on a GPU have one, "pipeline". Methods in PyTorch set its number of threads, all set that of OpenCV: for
the whole process.
"""

from collections.abc import Iterable
from importlib import import_module

from ainet.benchmarks.peers.base import Method, Options, split_name
from ainet.benchmarks.speed.clock import Stages
from ainet.errors import DeviceError, UsageError
from ainet.models import BUNDLED, Device

__all__ = ["METHODS", "Method", "Options", "Stages", "on_gpu", "open_method", "open_methods"]

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
}
_IN_TORCH = ("checkpoint", "ssn", "seal")  # these run on the device of the options
_EXTRAS = {"torch": "train", "safetensors": "train"}  # which extra installs a package; others: "bench"


def open_method(name: str, options: Options) -> Method:
    """The method called `name`, ready to run.

    A network whose weights are not in `options.weights` has random ones, and `trained` is False.

    Raises:
        UsageError: no method has that name.
        DeviceError: a package or device is missing.
        ModelError: weights are damaged, or the folder of weights or a bundled file is missing.
    """
    base, device, _ = split_name(name)
    if base not in METHODS or (device and base not in BUNDLED):
        raise UsageError(
            f"unknown method '{name}'; choose one of {', '.join(METHODS)}; {', '.join(BUNDLED)} take a device and a precision too, as "
            "ainet@openvino and ainet@openvino+fp32"
        )
    try:
        return import_module(METHODS[base]).open_method(name, options)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        extra = _EXTRAS.get(package, "bench")
        raise DeviceError(f"method '{name}' needs the package {package}: pip install 'ainet-toolkit[{extra}]'") from error


def on_gpu(name: str, options: Options) -> bool:
    """Whether a method runs on a GPU."""
    base, device, _ = split_name(name)
    if base in _IN_TORCH:
        device = f"torch:{options.device}"
    return bool(device) and Device.parse(device).gpu is not None


def open_methods(names: Iterable[str], options: Options) -> tuple[dict[str, Method], dict[str, str]]:
    """The methods by name, and for those whose package or device is not there the line that says what to install.

    Raises:
        UsageError: a name is unknown.
        DeviceError: none of the methods is there.
        ModelError: weights are damaged, or their folder is missing.
    """
    methods, skipped = {}, {}
    for name in dict.fromkeys(names):
        try:
            methods[name] = open_method(name, options)
        except DeviceError as error:
            skipped[name] = str(error)
    if not methods:
        raise DeviceError(f"no method is left: {'; '.join(skipped.values()) or 'name at least one'}")
    return methods, skipped
