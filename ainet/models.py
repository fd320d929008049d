"""Names of models and devices: the weights in the package, the kinds of model files, and strings such as "cuda:1".

bundled("ainet.onnx")        # path of a file that the package ships
Device.parse("torch:cuda:1")  # Device(engine="torch", gpu=1, torch="cuda:1")
"""

import os
import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from ainet.arguments import check_choice
from ainet.errors import ModelError, UsageError, short
from ainet.files import is_file, is_folder, path_text
from ainet.wrong_content import looks_like_onnx, read_head

BUNDLED = ("ainet", "ainet-lite", "scn")  # networks with weights in the package
DEFAULT = "ainet-lite"  # of them, on every device, so that a photo has one segmentation: the quickest; ainet is a little more accurate
CHECKPOINT, ONNX, ENGINE = ".safetensors", ".onnx", ".engine"  # suffixes of model files
INT8 = "-int8.onnx"  # how the bundled file of a network ends that is quantised
ASKED_PRECISIONS = ("auto", "fp32", "fp16")  # of `Segmenter.load`; the last of checkpoints on a GPU
CHECKPOINTS = frozenset({CHECKPOINT, ".pt", ".pth", ".tar", ".ckpt", ".bin"})  # of checkpoints, those of others too
DEVICES = "auto, cpu, cuda, cuda:N, openvino, tensorrt, tensorrt:N, torch or torch:DEVICE"


@dataclass(frozen=True)
class Device:
    """Where a model runs.

    engine: "auto", "cpu", "cuda", "openvino", "tensorrt" or "torch". gpu: number of the NVIDIA GPU, None for none. torch: of the engine
    "torch", the device in PyTorch's words.
    """

    engine: str
    gpu: int | None = None
    torch: str = ""

    @classmethod
    def parse(cls, text: str) -> "Device":
        """Read a string such as "cpu", "cuda:1" or "torch:cuda".

        Raises:
            UsageError: it has none of the forms in `DEVICES`.
        """
        if not isinstance(text, str):
            raise UsageError(f"device must be a string, not {short(text)}; choose {DEVICES}")
        if text in ("auto", "cpu", "openvino"):
            return cls(text)
        if match := re.fullmatch(r"(cuda|tensorrt)(?::([0-9]{1,4}))?", text):
            return cls(match[1], int(match[2] or 0))
        if match := re.fullmatch(r"torch(?::(.*))?", text):
            name = match[1] or "cpu"
            gpu = re.fullmatch(r"cuda(?::([0-9]{1,4}))?", name)
            return cls("torch", None if gpu is None else int(gpu[1] or 0), name)
        raise UsageError(f"unknown device {short(text)}; choose {DEVICES}")

    @property
    def model_suffix(self) -> str:
        """Of the bundled files, the kind that this device runs."""
        return CHECKPOINT if self.engine == "torch" else ONNX


def model_path(model: str | os.PathLike[str] | None, device: Device) -> Path:
    """The file of a model: a path, the name of bundled weights, or None for `DEFAULT`.

    Raises:
        UsageError: it is neither a name nor a path.
        ModelError: the bundled file is missing.
    """
    name = DEFAULT if model is None else path_text(model, f"a model is named by a path, or one of {', '.join(BUNDLED)}")
    return bundled(name + device.model_suffix) if name in BUNDLED else Path(name)


def int8_path(model: str | os.PathLike[str] | None, device: Device, precision: str) -> Path | None:
    """The bundled file in INT8 of a network that is named as for `model_path`; None for other models, other engines, and precision "fp32".

    Raises:
        UsageError: an unknown precision, or "fp16" of another device than "torch:cuda".
        ModelError: the bundled file is missing.
    """
    check_choice("precision", precision, ASKED_PRECISIONS)
    if precision == "fp16" and not (device.engine == "torch" and device.gpu is not None):
        raise UsageError(
            "precision 'fp16' is for checkpoints on the device torch:cuda; other models run as they were exported: "
            "ainet export --precision fp16"
        )
    name = DEFAULT if model is None else os.fspath(model)
    takes_it = name in BUNDLED and device.engine in ("auto", "openvino") and precision == "auto"
    return bundled(name + INT8) if takes_it else None


def checkpoint_path(checkpoint: str | os.PathLike[str] | None) -> Path:
    """The file of a checkpoint: a path, the name of bundled weights, or None for `DEFAULT`.

    Raises:
        ModelError: the bundled file is missing.
    """
    return model_path(checkpoint, Device("torch"))


def unknown_name(path: Path, what: str) -> ModelError | None:
    """The error where a file that is not there was meant as a name of bundled weights: it has neither a suffix nor a folder."""
    if path.suffix or path.name != str(path) or is_file(path) or is_folder(path):
        return None
    return ModelError(f"there is no {what} '{path}': name a file, or one of the bundled {', '.join(BUNDLED)}")


def check_names(model: str | os.PathLike[str] | None, device: str, precision: str) -> None:
    """Raise the errors of names alone, of a model, a device and a precision, as for `Segmenter.load`: before any work, and any package."""
    chosen = Device.parse(device)
    int8_path(model, chosen, precision)
    path = model_path(model, chosen)
    if error := unknown_name(path, "model"):
        raise error


def check_model_file(path: Path) -> None:
    """Raise `ModelError` where a file that is no ONNX model or engine is named in its place."""
    if path.suffix in (ONNX, ENGINE) or not is_file(path):
        return
    check_onnx_suffix(path)
    if path.suffix.lower() in CHECKPOINTS:
        raise ModelError(f"{path} is not an ONNX file; make one with: ainet export {path} -o {path.stem}.onnx")
    raise ModelError(f"{path} is no model: name an ONNX file or engine, or one of {', '.join(BUNDLED)}")


def check_onnx_suffix(path: Path) -> None:
    """Raise `ModelError` where a file of another suffix holds an ONNX model, or cannot be read."""
    if looks_like_onnx(read_model_head(path)):
        raise ModelError(f"{path} is an ONNX file under another suffix; rename it to {path.stem}{ONNX}")


def read_model_head(file: Path) -> bytes:
    """The first bytes of a model file.

    Raises:
        ModelError: it cannot be read.
    """
    try:
        return read_head(file)
    except OSError as error:
        raise ModelError(f"cannot read the model {file}: {error.strerror}; check its permissions") from error


def bundled_checkpoint(network: str = DEFAULT) -> Path:
    """The checkpoint of bundled weights.

    Raises:
        ModelError: it is not there.
    """
    return bundled(network + CHECKPOINT)


def absolute_model(model: str | os.PathLike[str]) -> str:
    """A model as another process can name it: bundled weights by their name, a file by its whole path."""
    name = os.fspath(model)
    return name if name in BUNDLED else str(Path(name).resolve())


def bundled(name: str) -> Path:
    """Path of a weights file that the package ships, such as "scn.onnx" or "ainet.safetensors".

    Raises:
        ModelError: it is not there.
    """
    path = Path(str(resources.files("ainet") / "weights" / name))
    if not path.is_file():
        raise ModelError(f"the bundled weights {name} are not in this installation; name a model")
    return path
