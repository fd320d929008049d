"""What the association-implantation module costs: multiply-adds and time of each network, as ratios to SCN.

    rows = network_cost(320, 480, threads=2, repeats=25)["rows"]

Times are of ONNX Runtime. They do not depend on the weights, which are random.
"""

import tempfile
from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from torch.utils.flop_counter import FlopCounterMode

from ainet.benchmarks.speed.clock import Candidate, alternate
from ainet.errors import UsageError
from ainet.export.onnx import export_onnx
from ainet.spec import CELL_SIZE
from ainet.training.checkpoint import load_checkpoint, save_checkpoint
from ainet.training.networks import NETWORKS, UNet, build
from ainet.training.networks.folding import deployable

REFERENCE = "scn"


def multiply_adds(network: UNet, height: int, width: int) -> int:
    """Multiply-adds of a network, in the form that is exported, for one image of `height` x `width` working pixels."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        deployable(network.eval())(torch.zeros(1, 3, height, width))
    return counter.get_total_flops() // 2


def network_cost(height: int, width: int, threads: int, repeats: int, names: Collection[str] = NETWORKS) -> dict[str, Any]:
    """`settings`, and `rows`: of SCN and each of `names` its multiply-adds, its time, and both as ratios to SCN.

    Raises:
        UsageError: the size is no multiple of 16.
    """
    if height % CELL_SIZE or width % CELL_SIZE or min(height, width) < CELL_SIZE:
        raise UsageError(f"the networks do not take {height}x{width} working pixels; choose multiples of {CELL_SIZE}")
    networks = {name: build(name) for name in (REFERENCE, *(name for name in names if name != REFERENCE))}
    image = np.random.default_rng(0).standard_normal((1, 3, height, width), np.float32) * np.float32(0.3)
    with tempfile.TemporaryDirectory() as folder:
        candidates = {name: _candidate(name, network, image, threads, Path(folder)) for name, network in networks.items()}
    times = alternate(candidates, repeats)
    counts = {name: multiply_adds(network, height, width) for name, network in networks.items()}
    rows = [
        {
            "network": name,
            "multiply_adds": counts[name],
            "multiply_adds_ratio": counts[name] / counts[REFERENCE],
            **times[name].in_ms(),
            "time_ratio": times[name].ratio_to(times[REFERENCE]),
        }
        for name in networks
    ]
    return {"settings": {"size": f"{height}x{width}", "threads": threads, "repeats": repeats}, "rows": rows}


def _candidate(name: str, network: UNet, image: np.ndarray[Any, Any], threads: int, folder: Path) -> Candidate:
    checkpoint, model = folder / f"{name}.safetensors", folder / f"{name}.onnx"
    save_checkpoint(checkpoint, network, {"network": name})
    export_onnx(load_checkpoint(checkpoint), model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return partial(session.run, None, {"image": image})
