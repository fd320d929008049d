"""Exported files with a border map and the cost for merging: PyTorch's values, and what the file says."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from ainet.errors import UsageError
from ainet.export.onnx import export_onnx
from ainet.runtime.merging import BORDER_MAP, MERGING_ENTRY, MergeModel
from ainet.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from ainet.training.merging.model import MergeNetwork, WithBorderMap
from ainet.training.networks import build

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    path = tmp_path_factory.mktemp("merging") / "scn.safetensors"
    torch.manual_seed(0)
    save_checkpoint(path, build("scn"), {"network": "scn"}, MergeNetwork(5))
    return load_checkpoint(path)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_second_output(checkpoint: Checkpoint, tmp_path: Path, precision: str) -> None:
    path = tmp_path / "model.onnx"
    export_onnx(checkpoint, path, precision, border_map=True)  # type: ignore[arg-type]
    session = onnxruntime.InferenceSession(path)
    assert [output.name for output in session.get_outputs()] == ["logits", BORDER_MAP]
    assert session.get_outputs()[1].shape == ["batch", "half_height", "half_width", 5]
    image = torch.rand((2, 3, 48, 80), generator=torch.Generator().manual_seed(1)) - 0.43
    found = session.run([BORDER_MAP], {"image": image.numpy()})[0]
    assert checkpoint.merging is not None
    assert checkpoint.merging.head is not None
    with torch.no_grad():
        expected = WithBorderMap(checkpoint.network, checkpoint.merging.head)(image)[1].numpy()
    tolerance = 1e-4 if precision == "fp32" else 2e-2
    np.testing.assert_allclose(found, expected, atol=tolerance * np.abs(expected).max())
    cost = MergeModel.from_json(session.get_modelmeta().custom_metadata_map[MERGING_ENTRY], path)
    for one, other in zip(cost.arrays(), checkpoint.merging.weights().arrays(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_plain_files_have_one_output(checkpoint: Checkpoint, tmp_path: Path) -> None:
    export_onnx(checkpoint, tmp_path / "plain.onnx")
    model = onnx.load(tmp_path / "plain.onnx")
    assert [output.name for output in model.graph.output] == ["logits"]
    assert MERGING_ENTRY not in {item.key for item in model.metadata_props}


def test_without_a_cost(tmp_path: Path) -> None:
    torch.manual_seed(0)
    save_checkpoint(tmp_path / "scn.safetensors", build("scn"), {"network": "scn"})
    with pytest.raises(UsageError, match="train-merging"):
        export_onnx(load_checkpoint(tmp_path / "scn.safetensors"), tmp_path / "x.onnx", border_map=True)
    assert not (tmp_path / "x.onnx").exists()
