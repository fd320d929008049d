"""Checkpoints on the torch devices: `open_torch("ainet.safetensors", "cuda:0")`. PyTorch is imported when one is opened."""

import os
from pathlib import Path

from ainet.errors import DeviceError, import_failed
from ainet.models import Device
from ainet.runtime.backends import Backend

_users: dict[str, int] = {}  # the process that has opened PyTorch; a fork has a copy of it


def open_torch(checkpoint: Path, device: str = "cpu", precision: str = "fp32") -> Backend:
    """Open a checkpoint with PyTorch.

    device: as PyTorch names it, such as "cpu" or "cuda:1". precision: "fp32", or on a GPU "fp16".

    Raises:
        DeviceError: PyTorch or the device is not there; or this process is a fork of one that has used it.
        ModelError: the checkpoint is missing or damaged.
    """
    try:
        from ainet.runtime.backends.pytorch import TorchBackend, open_cuda
        from ainet.training.checkpoint import load_checkpoint
        from ainet.training.merging.model import WithBorderMap
        from ainet.training.networks.folding import deployable
    except ImportError as error:
        raise import_failed("device 'torch'", error, "pip install 'ainet-toolkit[train]'") from error
    process = _users.setdefault("torch", os.getpid())
    if process != os.getpid():
        raise DeviceError(
            f"device 'torch' was used in process {process}, of which this one is a fork: PyTorch would wait for threads that are not in "
            "the copy; start processes with multiprocessing's method 'spawn'"
        )
    loaded = load_checkpoint(checkpoint)
    info = loaded.info("logits", precision)
    gpu = Device.parse(f"torch:{device}").gpu
    if gpu is not None:
        network = deployable(loaded.network)
        return open_cuda(network.half() if precision == "fp16" else network, info, gpu)
    if loaded.merging is None or loaded.merging.head is None:
        return TorchBackend(loaded.network, info, device)
    return TorchBackend(loaded.network, info, device, WithBorderMap(loaded.network, loaded.merging.head), loaded.merging.weights())
