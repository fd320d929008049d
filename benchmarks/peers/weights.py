"""Networks of peers. Weights are read at run time from a folder that the user names, under their authors' terms, never shipped."""

import hashlib
import io
from collections.abc import Callable
from pickle import UnpicklingError
from typing import TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from ainet.benchmarks.peers.base import Options
from ainet.errors import DeviceError, ModelError
from ainet.files import is_folder

Network = TypeVar("Network", bound=nn.Module)


def open_network(build: Callable[[], Network], name: str, options: Options) -> tuple[Network, str | None]:
    """A network ready for inference with the weights in `options.weights`, and the SHA-256 of their file.

    The file is NAME.safetensors or NAME.pth, a state dict as PyTorch saves it. Without the folder or a file, the weights are
    random (the same every time) and the hash is None.

    Raises:
        ModelError: the folder that was named is not there, or the file is damaged or of another network.
        DeviceError: the device is not there.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = build()
    sha256 = None
    if options.weights is not None:
        if not is_folder(options.weights):
            raise ModelError(f"no folder {options.weights}; name the folder that holds {name}.safetensors")
        paths = [options.weights / f"{name}{suffix}" for suffix in READERS]
        path = next((path for path in paths if path.is_file()), None)
        if path is not None:
            data = path.read_bytes()
            try:
                network.load_state_dict(READERS[path.suffix](data))
            except (SafetensorError, RuntimeError, UnpicklingError, TypeError, EOFError) as error:
                reason = " ".join(str(error).split())[:200]
                raise ModelError(f"{path} does not hold the weights of {build.__name__}: {reason}; fetch it again") from error
            sha256 = hashlib.sha256(data).hexdigest()
    try:
        return network.eval().to(options.device), sha256
    except (RuntimeError, AssertionError) as error:  # no CUDA in this build of torch: AssertionError
        raise DeviceError(f"PyTorch cannot use the device '{options.device}'; use device 'cpu'") from error


def _load_pickle(data: bytes) -> dict[str, Tensor]:
    return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)


READERS: dict[str, Callable[[bytes], dict[str, Tensor]]] = {".safetensors": load, ".pth": _load_pickle}
