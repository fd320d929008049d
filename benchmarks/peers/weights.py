"""Weights of peers: read at run time from a folder that the user names, under their authors' terms, never shipped."""

import hashlib
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import nn

from ainet.errors import DeviceError, ModelError


def load_weights(network: nn.Module, folder: Path | None, file_name: str) -> str | None:
    """Load `folder`/`file_name` into `network` and return its SHA-256; None where the file is not there: random weights stay.

    Raises:
        ModelError: no such folder, or the file is damaged or of another network.
    """
    if folder is None:
        return None
    if not folder.is_dir():
        raise ModelError(f"no folder {folder}; name the folder that holds {file_name}")
    path = folder / file_name
    if not path.is_file():
        return None
    data = path.read_bytes()
    try:
        network.load_state_dict(load(data))
    except (SafetensorError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"{path} does not hold the weights of {type(network).__name__}: {reason}; fetch it again") from error
    return hashlib.sha256(data).hexdigest()


def placed(network: nn.Module, device: str) -> nn.Module:
    """`network` ready for inference on a torch device.

    Raises:
        DeviceError: the device is not there.
    """
    try:
        return network.eval().to(device)
    except (RuntimeError, AssertionError) as error:  # no CUDA in this build of torch: AssertionError
        raise DeviceError(f"PyTorch cannot use the device '{device}'; use device 'cpu'") from error


def synchronise(device: str) -> None:
    """Wait until the device has done all it was given."""
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)
