"""Checkpoints: the public AINet and SCN files, and the toolkit's own format.

    checkpoint = load_checkpoint("SpixelNet_bsd_ckpt.tar")   # public torch file, or own .safetensors
    save_checkpoint("scn.safetensors", checkpoint.network, checkpoint.config)

Own format, version 1: safetensors holding the network's state dict, with one metadata entry "ainet" of JSON:
`format`, `network` (a name of `ainet.training.networks`), and free entries on where the weights come from.
Public files are torch pickles, see `torch_file`; safetensors without that entry are read as they are, by their keys.
"""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from ainet import __version__
from ainet.errors import ModelError
from ainet.files import atomic_path, parse_json, path_text
from ainet.models import unknown_name
from ainet.runtime.model import ModelInfo
from ainet.spec import MEAN
from ainet.training.merging.model import MergeNetwork
from ainet.training.networks import NETWORKS, UNet, build
from ainet.training.torch_file import find_network, read_torch_file

FORMAT = 1
MERGING = "merging."  # before the keys of the cost by which superpixels merge
MAX_MERGING_SIZE = 4096  # of a layer
FLOATS = {torch.float64, torch.float32, torch.float16, torch.bfloat16}
FLOATS |= {torch.float8_e4m3fn, torch.float8_e5m2, torch.float8_e4m3fnuz, torch.float8_e5m2fnuz}


@dataclass
class Checkpoint:
    """A network in eval mode on the CPU, its config (JSON values; `network` names it) and the file's SHA-256.

    merging: the cost by which its superpixels merge, where the file holds one.
    """

    network: UNet
    config: dict[str, Any]
    sha256: str
    merging: MergeNetwork | None = None

    @property
    def name(self) -> str:
        return self.config["network"]

    @property
    def has_border_map(self) -> bool:
        """Whether its network makes a border map, of which the cost for merging is; there are costs that need none."""
        return self.merging is not None and self.merging.head is not None

    def info(self, output: str, precision: str) -> ModelInfo:
        """What a model made of it says about itself; the words as of `ModelInfo`."""
        return ModelInfo(self.name, output, precision, MEAN, self.sha256, self.config, __version__)


def load_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Open a checkpoint in the own format or a public one (torch zip or legacy stream, tensors tagged with any device).

    Raises:
        ModelError: no such file, not a checkpoint, holds anything but plain tensors, or its keys, shapes or values fit no network.
        UsageError: `path` is none.
    """
    file = Path(path_text(path))
    try:
        data = file.read_bytes()
    except IsADirectoryError as error:
        raise ModelError(f"{file} is a folder; name the checkpoint in it, such as weights.safetensors") from error
    except OSError as error:
        raise unknown_name(file, "checkpoint") or ModelError(f"cannot read checkpoint {file}: {error.strerror}; check the path") from error
    if data[8:9] == b"{" and not data.startswith(b"PK"):
        state, config = _read_own(file)
    else:
        state, config = read_torch_file(file)
    network = build(config["network"])
    of_merging = {key.removeprefix(MERGING): state.pop(key) for key in list(state) if key.startswith(MERGING)}
    _load_state(network, state, file)
    if "merging" not in config:  # whose sizes are not known
        of_merging = {}
    elif not of_merging:
        raise ModelError(
            f"{file} lacks the cost for merging that its metadata speaks of: an incomplete copy; load and save the original again"
        )
    merging = None
    if of_merging:
        channels, middle, codes, hidden = _merging_sizes(config["merging"], file)
        merging = MergeNetwork(channels, middle, codes, hidden, sources=network.border_channels)
        _load_state(merging, of_merging, file)
        merging.eval()
    return Checkpoint(network.eval(), config, hashlib.sha256(data).hexdigest(), merging)


def save_checkpoint(path: str | os.PathLike[str], network: nn.Module, config: dict[str, Any], merging: MergeNetwork | None = None) -> None:
    """Write `network`, and the cost by which its superpixels merge, in the own format, whole or not at all.

    `config` holds JSON values and the entry `network`, a name of `ainet.training.networks`.

    Raises:
        OutputError: the file cannot be written.
    """
    tensors = dict(network.state_dict())
    config = {key: value for key, value in config.items() if key != "merging"}  # which is of the tensors of another file
    if merging is not None:
        config = {**config, "merging": list(merging.sizes)}
        tensors |= {MERGING + key: tensor for key, tensor in merging.state_dict().items()}
    metadata = {"ainet": json.dumps({**config, "format": FORMAT}, sort_keys=True)}
    state = {key: tensor.detach().cpu().contiguous() for key, tensor in tensors.items()}
    with atomic_path(path) as temporary:
        temporary.write_bytes(save(state, metadata))  # save_file has errors of its own for a full disk


def _read_own(file: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    try:
        with safe_open(file, framework="pt") as tensors:
            metadata = tensors.metadata() or {}
            state = {key: tensors.get_tensor(key) for key in tensors.keys()}  # noqa: SIM118 - not a mapping
    except SafetensorError as error:
        raise ModelError(f"{file} is a damaged safetensors file ({error}); fetch or export it again") from error
    if "ainet" not in metadata:
        return find_network(state, file)
    try:
        config = parse_json(metadata["ainet"])
        version, name = config["format"], config["network"]
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{file} is not an AINet checkpoint: its safetensors metadata has no valid 'ainet' entry") from error
    if version != FORMAT:
        raise ModelError(f"{file} has checkpoint format {version}, this version reads format {FORMAT}; update the toolkit")
    if not isinstance(name, str) or name not in NETWORKS:
        raise ModelError(f"{file} holds the unknown network '{name}'; this version knows {', '.join(NETWORKS)}")
    return state, config


def _merging_sizes(sizes: Any, file: Path) -> list[int]:
    if not isinstance(sizes, list) or len(sizes) != 4 or not all(type(size) is int and 0 <= size <= MAX_MERGING_SIZE for size in sizes):
        raise ModelError(f"{file} has the impossible sizes {str(sizes)[:100]} of its network for merging; train or fetch it again")
    return sizes


def _load_state(network: nn.Module, state: dict[str, Tensor], file: Path) -> None:
    expected = network.state_dict()
    for key, tensor in expected.items():
        if key.endswith("num_batches_tracked"):  # which old files lack, and casts turn into floats; nothing uses it
            found = state.setdefault(key, tensor)
            state[key] = tensor if found.is_floating_point() and found.shape == tensor.shape else found
    problems = [f"missing {key}" for key in expected if key not in state]
    problems += [f"unexpected {key}" for key in state if key not in expected]
    for key, tensor in expected.items():
        if key in state:
            problems += _problems_of(key, state[key], tensor)
    if problems:
        shown = "; ".join(problems[:3]) + (f"; and {len(problems) - 3} more" if len(problems) > 3 else "")
        kind = type(network).__name__
        raise ModelError(f"{file} does not fit the network {kind}: {shown}. Is it a checkpoint of another network, or but a part of one?")
    network.load_state_dict(state)


def _problems_of(key: str, found: Tensor, expected: Tensor) -> list[str]:
    problems = []
    if found.shape != expected.shape:
        problems.append(f"{key} is {tuple(found.shape)} instead of {tuple(expected.shape)}")
    if not _is_plain(found, expected):
        kind = "a meta tensor, without values" if found.is_meta else f"{found.layout} of {found.dtype}"
        problems.append(f"{key} is no plain array of real numbers, but {kind}")
    elif not found.float().isfinite().all():
        problems.append(f"{key} has NaN or infinite values")
    return problems


def _is_plain(tensor: Tensor, expected: Tensor) -> bool:
    kinds = FLOATS if expected.is_floating_point() else {expected.dtype}
    return tensor.layout is torch.strided and not tensor.is_meta and tensor.dtype in kinds
