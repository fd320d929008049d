"""The weights as they are shipped: one file for PyTorch and the ONNX engines, with values that are exactly the checkpoint's."""

import hashlib
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from ainet.export.bundle import save_bundle, with_half_kernels
from ainet.export.model_file import read_model
from ainet.export.onnx import export_onnx
from ainet.models import bundled
from ainet.runtime.backends import open_backend
from ainet.training.checkpoint import Checkpoint, load_checkpoint

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["ainet", "scn"])
def checkpoint(request: pytest.FixtureRequest) -> Checkpoint:
    return load_checkpoint(bundled(f"{request.param}.safetensors"))


@pytest.fixture(scope="module")
def bundle(checkpoint: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle")
    save_bundle(checkpoint, folder)
    return folder


@pytest.fixture(scope="module")
def plain(checkpoint: Checkpoint, bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped checkpoint as `ainet export` writes it."""
    path = tmp_path_factory.mktemp("plain") / "plain.onnx"
    shipped = load_checkpoint(bundle / f"{checkpoint.name}.safetensors")
    export_onnx(shipped, path, border_map=shipped.merging is not None)
    return path


def test_one_copy_of_the_weights(checkpoint: Checkpoint, bundle: Path) -> None:
    files = {path.name: path.stat().st_size for path in bundle.iterdir()}
    assert set(files) == {f"{checkpoint.name}.safetensors", f"{checkpoint.name}.onnx"}
    parameters = sum(parameter.numel() for parameter in checkpoint.network.parameters())
    assert sum(files.values()) < 2.1 * parameters + 100_000


def test_the_state_dict_comes_back(checkpoint: Checkpoint, bundle: Path) -> None:
    """Kernels rounded to half precision once, all else bit for bit; and what is rounded already does not change again."""
    loaded = load_checkpoint(bundle / f"{checkpoint.name}.safetensors")
    for key, value in checkpoint.network.state_dict().items():
        expected = value.half().float() if value.dim() == 4 else value
        assert loaded.network.state_dict()[key].dtype == value.dtype
        assert torch.equal(loaded.network.state_dict()[key], expected), key
    again = with_half_kernels(loaded.network).state_dict()
    assert all(torch.equal(value, again[key].to(value.dtype)) for key, value in loaded.network.state_dict().items())


@pytest.mark.parametrize("device", ["cpu", "openvino"])
def test_engines_compute_what_the_exported_checkpoint_does(checkpoint: Checkpoint, bundle: Path, plain: Path, device: str) -> None:
    if device == "openvino":
        pytest.importorskip("openvino")
    image = np.random.default_rng(0).normal(0, 0.3, (1, 3, 64, 96)).astype(np.float32)
    shipped = open_backend(bundle / f"{checkpoint.name}.onnx", device)
    assert shipped.info.checkpoint_sha256 == hashlib.sha256((bundle / f"{checkpoint.name}.safetensors").read_bytes()).hexdigest()
    assert shipped.info.precision == "fp32"
    np.testing.assert_array_equal(shipped.run(image), open_backend(plain, device).run(image))


def test_it_is_read_whole(checkpoint: Checkpoint, bundle: Path, plain: Path) -> None:
    """What needs one file, such as TensorRT, gets the kernels as export writes them, bit for bit."""
    exported = onnx.load(plain)
    whole = onnx.load_model_from_string(read_model(bundle / f"{checkpoint.name}.onnx")[0])
    onnx.checker.check_model(whole, full_check=True)
    expected, found = (
        {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer} for model in (exported, whole)
    )
    assert expected.keys() == found.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)
    assert [node.op_type for node in whole.graph.node] == [node.op_type for node in exported.graph.node]
