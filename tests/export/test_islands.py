"""fp32 islands: what the simulation of half precision says against the real thing, and which layers it keeps in float32."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto
from support.paths import PHOTOS
from support.planes import normalise

from ainet import read_image
from ainet.errors import ModelError
from ainet.export.agreement import BOUNDS
from ainet.export.islands import choose_islands, layers
from ainet.export.onnx import export_onnx
from ainet.export.search import Found
from ainet.models import bundled
from ainet.spec import MEAN
from ainet.training.checkpoint import Checkpoint, load_checkpoint
from ainet.training.networks import build
from ainet.training.networks.folding import deployable

pytestmark = pytest.mark.slow

HALF = BOUNDS["fp16"].argmax


@pytest.fixture(scope="module")
def inputs() -> list[torch.Tensor]:
    crops = [read_image(PHOTOS / f"{name}.jpg")[60:156, 80:224] for name in ("chelsea", "coffee")]
    return [torch.from_numpy(normalise(np.ascontiguousarray(crop[None]), MEAN)) for crop in crops]


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    return load_checkpoint(bundled("ainet.safetensors"))


@pytest.fixture(scope="module")
def shifted(checkpoint: Checkpoint) -> Checkpoint:
    """All nine scores 300 higher: nothing to float32, but half precision has steps of 0.25 there."""
    network = build("ainet")
    network.load_state_dict(checkpoint.network.state_dict())
    network.pred_mask0.bias.data += 300
    return replace(checkpoint, network=network.eval())


@pytest.fixture(scope="module")
def choice(shifted: Checkpoint, inputs: list[torch.Tensor]) -> Found:
    return choose_islands(deployable(shifted.network), inputs)


def agreement(model: Path, network: torch.nn.Module, inputs: Sequence[torch.Tensor]) -> float:
    """Share of equal best cells, by the exported file."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    with torch.inference_mode():
        equal = [session.run(None, {"image": image.numpy()})[0].argmax(1) == network(image).argmax(1).numpy() for image in inputs]
    return float(np.mean(equal))


def test_the_bundled_network_needs_none(checkpoint: Checkpoint, inputs: list[torch.Tensor], tmp_path: Path) -> None:
    choice = choose_islands(deployable(checkpoint.network), inputs)
    assert choice.layers == ()
    assert choice.agreement == choice.reduced
    assert HALF <= choice.reduced.argmax < 1
    export_onnx(checkpoint, tmp_path / "half.onnx", "fp16")
    assert agreement(tmp_path / "half.onnx", checkpoint.network, inputs) == pytest.approx(choice.reduced.argmax, abs=5e-4)


def test_the_layer_that_suffers_stays_in_float(shifted: Checkpoint, inputs: list[torch.Tensor], choice: Found, tmp_path: Path) -> None:
    assert choice.layers == ("pred_mask0",)
    assert choice.reduced.argmax < HALF <= choice.agreement.argmax
    path = tmp_path / "islands.onnx"
    export_onnx(shifted, path, "fp16", islands=choice.layers)
    # Float32 has steps of 3e-5 at 300, which engines round differently, so their own agreement is less than whole.
    assert agreement(path, shifted.network, inputs) == pytest.approx(choice.agreement.argmax, abs=1e-3)
    kinds = {tensor.name: tensor.data_type for tensor in onnx.load(path).graph.initializer}
    weights = {name: kind for name, kind in kinds.items() if name.endswith(".weight")}
    assert [name for name, kind in weights.items() if kind == TensorProto.FLOAT] == [
        "network.conv0a.0.layer.weight",
        "network.pred_mask0.layer.weight",
    ]
    assert sum(kind == TensorProto.FLOAT16 for kind in weights.values()) == len(layers(shifted.network)) - 2


@pytest.mark.parametrize("network", ["ainet", "ainet-public", "scn"])
def test_islands_anywhere_make_a_graph_that_runs(checkpoint: Checkpoint, network: str, tmp_path: Path) -> None:
    """Export compares the graph's values with PyTorch's; TensorRT-RTX refuses graphs of mixed types."""
    torch.manual_seed(0)
    other = replace(checkpoint, network=build(network).eval())
    islands = list(layers(other.network))[1::3]
    path = tmp_path / "model.onnx"
    export_onnx(other, path, "fp16", "labels", islands)
    pytest.importorskip("tensorrt_rtx")
    from ainet.export.engine import build_engine

    build_engine(path, tmp_path / "model.engine", ["64x96"], "tensorrt-rtx", ["sm86"])


def test_where_half_precision_cannot_do(inputs: list[torch.Tensor], checkpoint: Checkpoint) -> None:
    """Scores of every layer so large that half precision has steps of 1 there and beyond."""
    network = build("ainet")
    network.load_state_dict(checkpoint.network.state_dict())
    for parameter in network.parameters():
        parameter.data *= 4
    with pytest.raises(ModelError, match=r"of 22 layers in float.*fp32"):
        choose_islands(deployable(network.eval()), [inputs[0][..., :32, :32]])
