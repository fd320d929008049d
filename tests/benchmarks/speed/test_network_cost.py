"""The cost of the networks: multiply-adds against PyTorch's own counter, and the bound on AINet's overhead."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from ainet.benchmarks.speed.network_cost import elements, multiply_adds
from ainet.export.graph import deployable
from ainet.export.onnx import export_onnx
from ainet.models import bundled
from ainet.training.checkpoint import load_checkpoint, save_checkpoint
from ainet.training.networks import build


@pytest.fixture(scope="module")
def counts(tmp_path_factory):
    """Multiply-adds of the exported graphs at 320 x 480 and 32 x 48."""
    folder, result = tmp_path_factory.mktemp("cost"), {}
    for name in ("ainet", "scn"):
        save_checkpoint(folder / "x.safetensors", build(name), {"network": name})
        export_onnx(load_checkpoint(folder / "x.safetensors"), folder / "x.onnx")
        result[name] = {size: multiply_adds(folder / "x.onnx", *size) for size in ((320, 480), (32, 48))}
    return result


@pytest.mark.parametrize("name", ["ainet", "scn"])
def test_count_equals_pytorchs(counts, name):
    network = build(name).eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 3, 32, 48))
    assert 2 * counts[name][32, 48] == counter.get_total_flops()


def test_ainet_costs_at_most_8_percent_more_than_scn(counts):
    ratio = counts["ainet"][320, 480] / counts["scn"][320, 480]
    print(f"AINet {counts['ainet'][320, 480]:,}, SCN {counts['scn'][320, 480]:,} multiply-adds at 320x480: ratio {ratio:.4f}")
    assert 1 < ratio <= 1.08


class Convolutions(TorchDispatchMode):
    """Counts the elements that PyTorch's convolutions read and write, and those of their weights."""

    moved = weights = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if func is torch.ops.aten.convolution.default:
            self.moved += args[0].numel() + result.numel()
            self.weights += args[1].numel()
        return result


@pytest.mark.parametrize("name", ["ainet", "scn"])
def test_elements_equal_those_of_pytorchs_convolutions(name):
    network = deployable(load_checkpoint(bundled(f"{name}.safetensors")).network)
    with torch.no_grad(), Convolutions() as counted:
        network(torch.zeros(1, 3, 48, 80))
    assert elements(bundled(f"{name}.onnx"), 48, 80) == (counted.moved, counted.weights)
