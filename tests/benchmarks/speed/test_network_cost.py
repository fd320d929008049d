"""The cost of the networks: multiply-adds against a count over the exported graphs, and the bound on AINet's overhead."""

import math
from pathlib import Path

import onnx
import pytest

from ainet.benchmarks.speed.network_cost import multiply_adds, network_cost
from ainet.errors import UsageError
from ainet.export.onnx import export_onnx
from ainet.models import bundled
from ainet.training.checkpoint import load_checkpoint
from ainet.training.networks import build

pytestmark = pytest.mark.slow


def counted_in_the_graph(path: Path, height: int, width: int) -> int:
    """Each weight of a convolution meets each place of its output once, of a transposed convolution each place of its input."""
    model = onnx.load(path)
    for dimension, size in zip(model.graph.input[0].type.tensor_type.shape.dim, (1, 3, height, width), strict=True):
        dimension.dim_value = size
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
    shapes = {
        value.name: [d.dim_value for d in value.type.tensor_type.shape.dim] for value in (*graph.value_info, *graph.input, *graph.output)
    }
    weights = {tensor.name: math.prod(tensor.dims) for tensor in graph.initializer}
    places = {"Conv": lambda node: shapes[node.output[0]], "ConvTranspose": lambda node: shapes[node.input[0]]}
    return sum(weights[node.input[1]] * math.prod(places[node.op_type](node)[2:]) for node in graph.node if node.op_type in places)


@pytest.mark.parametrize("name", ["ainet", "scn"])
def test_count_equals_that_of_the_exported_graph(name: str, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    export_onnx(load_checkpoint(bundled(f"{name}.safetensors")), path)
    assert multiply_adds(build(name), 64, 96) == counted_in_the_graph(path, 64, 96)


def test_ainet_costs_at_most_8_percent_more_than_scn() -> None:
    assert 1 < multiply_adds(build("ainet"), 320, 480) / multiply_adds(build("scn"), 320, 480) <= 1.08


def test_rows_are_ratios_to_scn() -> None:
    result = network_cost(32, 32, threads=1, repeats=1, names=["ainet"])
    first, second = result["rows"]
    assert (first["network"], first["multiply_adds_ratio"], first["time_ratio"]) == ("scn", 1, 1)
    assert (second["network"], second["multiply_adds_ratio"]) == ("ainet", second["multiply_adds"] / first["multiply_adds"])
    with pytest.raises(UsageError, match="33x32"):
        network_cost(33, 32, threads=1, repeats=1)
