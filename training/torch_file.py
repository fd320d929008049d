"""PyTorch files of others: the network's weights in them, wherever they stand.

    state, config = read_torch_file(Path("SpixelNet_bsd_ckpt.tar"))

They are pickles, only ever opened with `weights_only=True`, which runs no code from the file. What often stands beside the weights,
such as the options of the training, is not built at all: a stand-in takes its place.
"""

import contextlib
import pickle
import re
import threading
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ainet.errors import ModelError

FIRST_KEY = "conv0a.0.weight"  # of every network; what stands before it stands before all keys
UNUSED = ("pred_mask1.", "pred_mask2.", "pred_mask3.")  # in the public files, never used by the public code
MAX_DEPTH = 4  # of mappings in mappings that are searched for weights

_LOADING = threading.Lock()  # the list of what torch takes for safe is one for all threads


class _StandIn:
    """Takes whatever a pickle makes an object of, and keeps nothing."""

    def __new__(cls, *arguments: object) -> "_StandIn":
        return super().__new__(cls)

    def __init__(self, *arguments: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


_OBJECTS = (
    "argparse.Namespace",
    "types.SimpleNamespace",
    "pathlib.Path",
    "pathlib.PosixPath",
    "pathlib._local.PosixPath",
    "numpy.dtype",
    "numpy.ndarray",
    *(f"numpy.{package}.multiarray.{name}" for package in ("core", "_core") for name in ("scalar", "_reconstruct")),
    *(f"numpy.dtypes.{kind}DType" for kind in ("Bool", "Int32", "Int64", "Float32", "Float64")),
)
_MAPPINGS = (
    "easydict.EasyDict",
    *(f"{package}.AttributeDict" for package in ("lightning.fabric.utilities.data", "pytorch_lightning.utilities.parsing")),
)
STAND_INS = [(_StandIn, name) for name in _OBJECTS] + [(OrderedDict, name) for name in _MAPPINGS]

COMPRESSED = (b"\x1f\x8b", b"\xfd7zXZ", b"BZh", b"\x28\xb5\x2f\xfd")  # how files of gzip, xz, bzip2 and zstd begin


def read_torch_file(file: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The weights, under the keys of their network, and the config of a checkpoint: `network`, `source`, `epoch` and `dataset`.

    Raises:
        ModelError: the file is damaged, asks to run code, or holds no weights of AINet or SCN, or those of several networks.
    """
    if _is_compressed(file):
        raise ModelError(f"{file} is compressed; unpack it first")
    try:
        with _LOADING, torch.serialization.safe_globals(STAND_INS):  # type: ignore[arg-type]
            content = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ModelError(f"refused {file}: {_refusal(error)}") from error
    except Exception as error:  # torch.load raises whatever its zip and pickle readers meet in a damaged file
        kind = type(error).__name__
        raise ModelError(
            f"{file} is not a checkpoint: neither safetensors nor a PyTorch file ({kind}); "
            "it is cut off or of another kind, so fetch it again"
        ) from error
    if not isinstance(content, Mapping):
        raise ModelError(f"{file} holds a {type(content).__name__}, no weights by name; save the model's state_dict()")
    state, config = find_network(_tensors(content, MAX_DEPTH, set()), file)
    config.update({key: content[key] for key in ("epoch", "dataset") if isinstance(content.get(key), int | str)})
    return state, config


def _is_compressed(file: Path) -> bool:
    with contextlib.suppress(OSError), file.open("rb") as stream:
        return stream.read(6).startswith(COMPRESSED)
    return False


def find_network(tensors: Mapping[str, Tensor], file: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The weights among tensors by name, whatever stands before their keys, and what network they are of.

    AINet without a part of it (`ainet-cpix`, `ainet-pnbor`) has the keys of AINet, for which it is taken.

    Raises:
        ModelError: there is not one network.
    """
    prefixes = sorted({key.removesuffix(FIRST_KEY) for key in tensors if key == FIRST_KEY or key.endswith("." + FIRST_KEY)})
    if not prefixes:
        seen = ", ".join(list(tensors)[:3]) or "nothing"
        more = f", and {len(tensors) - 3} more" if len(tensors) > 3 else ""
        raise ModelError(f"{file} holds no weights of AINet or SCN: there is no {FIRST_KEY} among its tensors ({seen}{more})")
    if len(prefixes) > 1:
        raise ModelError(f"{file} holds the weights of {len(prefixes)} networks ({', '.join(prefixes)}); save the one that is meant alone")
    prefix = prefixes[0]
    state = {key.removeprefix(prefix): tensor for key, tensor in tensors.items() if key.startswith(prefix)}
    state = {key: tensor for key, tensor in state.items() if not key.startswith(UNUSED)}
    if "sp_pred.QConv1.0.weight" in state:  # the public files name both networks alike: only the keys tell them apart
        name = "ainet-public"
    elif "merge_sp.0.weight" in state:
        name = "ainet"
    else:
        name = "scn"
    return state, {"network": name, "source": file.name}


def _tensors(content: Mapping[Any, Any], depth: int, seen: set[int]) -> dict[str, Tensor]:
    """All tensors under names, those of mappings in it as "outer.inner"; what occurs twice is taken once."""
    seen.add(id(content))
    found = {}
    for key, value in content.items():
        if not isinstance(key, str):
            continue
        if isinstance(value, Tensor):
            found[key] = value
        elif isinstance(value, Mapping) and depth > 1 and id(value) not in seen:
            inner = _tensors(value, depth - 1, seen)
            found.update({f"{key}.{name}": tensor for name, tensor in inner.items()})
    return found


def _refusal(error: pickle.UnpicklingError) -> str:
    """Why torch does not open a file, from its message."""
    needed = re.search(r"GLOBAL (\S+)", str(error))
    if needed is None:
        return "it is no plain PyTorch checkpoint, or damaged; get it from its authors again"
    return (
        f"it asks to run code ({needed[1]}), which is never done; where it holds a whole model or other objects, "
        "open it with the program that wrote it, and save the model's state_dict()"
    )
