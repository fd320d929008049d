"""PyTorch files of others: the network's weights in them, wherever they stand.

    state, config = read_torch_file(Path("SpixelNet_bsd_ckpt.tar"))

They are pickles, only ever opened with `weights_only=True`, which runs no code from the file. What often stands beside the weights,
such as the options of the training, is not built at all: a stand-in takes its place.
"""

import pickle
import re
import threading
import zipfile
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from ainet.errors import ModelError
from ainet.quiet import quiet
from ainet.wrong_content import check_content, looks_like_onnx, read_head

FIRST_KEY = "conv0a.0.weight"  # of every network but AINet-lite; what stands before it stands before all keys
SECOND_KEY = "conv0b.0.weight"  # of every network but AINet-lite
FIRST_KEY_OF_LITE = "conv1a.0.weight"  # which begins at half the resolution
UNUSED = ("pred_mask1.", "pred_mask2.", "pred_mask3.")  # in the public files, never used by the public code
WRAPPERS = re.compile(r"(?<![^.])(_orig_mod|_checkpoint_wrapped_module|_fsdp_wrapped_module)\.")  # that torch puts into keys
MAX_DEPTH = 4  # of mappings in mappings that are searched for weights

T = TypeVar("T")

_LOADING = threading.Lock()  # the list of what torch takes for safe is one for all threads


class _StandIn:
    """Takes whatever a pickle makes an object of, and keeps nothing."""

    def __new__(cls, *arguments: object) -> "_StandIn":
        return super().__new__(cls)

    def __init__(self, *arguments: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


class _Array(_StandIn):
    """A numpy array."""


def _mapping(*arguments: object) -> OrderedDict[Any, Any]:
    """Of `collections.defaultdict`, whose argument is what makes its values."""
    return OrderedDict()


def _list(*arguments: object) -> list[Any]:
    """Of `collections.deque`."""
    return []


PATHS = ("Path", "PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath")
_OBJECTS = (
    "argparse.Namespace",
    "types.SimpleNamespace",
    *(f"datetime.{name}" for name in ("datetime", "date", "time", "timedelta", "timezone")),
    *(f"{package}.{kind}" for package in ("pathlib", "pathlib._local") for kind in PATHS),
    "decimal.Decimal",
    "fractions.Fraction",
    "functools.partial",
    "uuid.UUID",
    "numpy.dtype",
    "numpy.ndarray",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar",
    *(f"numpy.dtypes.{kind}DType" for kind in ("Bool", "Int32", "Int64", "Float32", "Float64")),
    *(f"builtins.{name}" for name in ("list", "dict", "int", "float", "str", "bool")),  # what `collections.defaultdict` is made with
    *(f"builtins.{name}" for name in ("range", "slice", "frozenset")),
)
_ARRAYS = ("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct")
_MAPPINGS = (
    "easydict.EasyDict",
    *(f"{package}.AttributeDict" for package in ("lightning.fabric.utilities.data", "pytorch_lightning.utilities.parsing")),
)
STAND_INS = [
    *((_StandIn, name) for name in _OBJECTS),
    *((_Array, name) for name in _ARRAYS),
    *((OrderedDict, name) for name in _MAPPINGS),
    (_mapping, "collections.defaultdict"),
    (_list, "collections.deque"),
]

COMPRESSED = (b"\x1f\x8b", b"\xfd7zXZ", b"BZh", b"\x28\xb5\x2f\xfd")  # how files of gzip, xz, bzip2 and zstd begin
TAR, TAR_PLACE = b"ustar", 257  # what stands where in those of tar


def read_torch_file(file: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The weights, under the keys of their network, and the config of a checkpoint: `network`, `source`, `epoch` and `dataset`.

    Raises:
        ModelError: the file is damaged, asks to call what is not known to be harmless, or holds no weights of AINet or SCN, or those of
            several networks.
    """
    head = read_head(file)
    if looks_like_onnx(head):
        raise ModelError(f"{file} is an ONNX model; name the checkpoint that it was exported from")
    if head.startswith(COMPRESSED) or head[TAR_PLACE:].startswith(TAR):
        raise ModelError(f"{file} is packed; unpack it first")
    check_content(head, f"{file} is not a checkpoint", ModelError)
    try:
        safe = torch.serialization.safe_globals(STAND_INS)  # type: ignore[arg-type]
        with file.open("rb") as stream, _LOADING, quiet(), safe:  # not by its name, by whose ending torch would choose the format
            content = torch.load(stream, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ModelError(f"refused {file}: {_refusal(error)}") from error
    except Exception as error:  # torch.load raises whatever its zip and pickle readers meet in a damaged file
        if _is_archive_of_others(file):
            raise ModelError(f"{file} is an archive of other files; unpack it first") from error
        kind = type(error).__name__
        raise ModelError(
            f"{file} is not a checkpoint: neither safetensors nor a PyTorch file ({kind}); "
            "it is cut off or of another kind, so fetch it again"
        ) from error
    if not isinstance(content, Mapping):
        raise ModelError(f"{file} holds a {type(content).__name__}, no weights by name; save the model's state_dict()")
    tensors = _values(content, Tensor, MAX_DEPTH, set())
    arrays = _values(content, _Array, MAX_DEPTH, set())
    if arrays and not tensors:
        some = ", ".join(list(arrays)[:3])
        raise ModelError(
            f"{file} holds {len(arrays)} numpy arrays ({some}) and no tensor; save torch.from_numpy(array) of each in their place"
        )
    state, config = find_network(tensors, file)
    config.update({key: content[key] for key in ("epoch", "dataset") if isinstance(content.get(key), int | str)})
    return state, config


def find_network(tensors: Mapping[str, Tensor], file: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The weights among tensors by name, whatever stands before their keys, and what network they are of.

    AINet without a part of it (`ainet-cpix`, `ainet-pnbor`) has the keys of AINet, for which it is taken.

    Raises:
        ModelError: there is not one network.
    """
    unwrapped = {WRAPPERS.sub("", key): tensor for key, tensor in tensors.items()}
    if len(unwrapped) == len(tensors):  # else those of two networks would fall together
        tensors = unwrapped
    others = _before(FIRST_KEY, tensors) | _before(SECOND_KEY, tensors)
    of_lite = _before(FIRST_KEY_OF_LITE, tensors) - others
    prefixes = sorted(_before(FIRST_KEY, tensors) | of_lite)
    if not prefixes:
        seen = ", ".join(list(tensors)[:3]) or "nothing"
        more = f", and {len(tensors) - 3} more" if len(tensors) > 3 else ""
        raise ModelError(f"{file} holds no weights of AINet or SCN: there is no {FIRST_KEY} among its tensors ({seen}{more})")
    if len(prefixes) > 1:
        raise ModelError(
            f"{file} holds the weights of {len(prefixes)} networks ({', '.join(prefixes)}); save the one that is meant alone, "
            "or of a training run name weights.safetensors"
        )
    prefix = prefixes[0]
    state = {key.removeprefix(prefix): tensor for key, tensor in tensors.items() if key.startswith(prefix)}
    state = {key: tensor for key, tensor in state.items() if not key.startswith(UNUSED)}
    if prefix in of_lite:
        name = "ainet-lite"
    elif "sp_pred.QConv1.0.weight" in state:  # the public files name both networks alike: only the keys tell them apart
        name = "ainet-public"
    elif "merge_sp.0.weight" in state:
        name = "ainet"
    else:
        name = "scn"
    return state, {"network": name, "source": file.name}


def _before(first: str, names: Iterable[str]) -> set[str]:
    """What stands before the name `first` where it occurs."""
    return {name.removesuffix(first) for name in names if name == first or name.endswith("." + first)}


def _is_archive_of_others(file: Path) -> bool:
    """Whether it is a zip archive without anything of what torch puts into its own."""
    try:
        with zipfile.ZipFile(file) as archive:
            return not any(name.endswith(("/data.pkl", "/version")) or "/data/" in name for name in archive.namelist())
    except (zipfile.BadZipFile, NotImplementedError, OSError):
        return False


def _values(content: Mapping[Any, Any], kind: type[T], depth: int, seen: set[int]) -> dict[str, T]:
    """All values of a type under their names, those of mappings in it as "outer.inner"; what occurs twice is taken once."""
    seen.add(id(content))
    found: dict[str, T] = {}
    for key, value in content.items():
        if not isinstance(key, str):
            continue
        if isinstance(value, kind):
            found[key] = value
        elif isinstance(value, Mapping) and depth > 1 and id(value) not in seen:
            inner = _values(value, kind, depth - 1, seen)
            found.update({f"{key}.{name}": tensor for name, tensor in inner.items()})
    return found


def _refusal(error: pickle.UnpicklingError) -> str:
    """Why torch does not open a file, from its message."""
    needed = re.search(r"GLOBAL (\S+)", str(error))
    if "Unsupported operand" in str(error):
        return (
            "it is of another kind, damaged, or pickled by a protocol that torch.load does not read here; "
            "save it by torch.save(model.state_dict(), file) as torch does by itself"
        )
    if needed is None:
        return "it is no plain PyTorch checkpoint, or damaged; get it from its authors again"
    return (
        f"it holds more than weights and asks to call {needed[1]}, but code that a file names is never run; "
        "open it with the program that wrote it, and save the model's state_dict() alone"
    )
