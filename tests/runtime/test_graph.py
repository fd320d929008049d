"""Graphs whose weights cannot be used are refused when they are loaded."""

from pathlib import Path

import numpy as np
import pytest
from support.fixed_backend import FixedBackend

from ainet import Segmenter
from ainet.errors import ModelError
from ainet.models import bundled
from ainet.runtime.backends.base import check_output
from ainet.runtime.graph import check_weights

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
from ainet.export.whole import load_whole  # noqa: E402 - needs onnx


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_weights_that_are_no_numbers(tmp_path: Path, value: float, dtype: type) -> None:
    """They would give all pixels of an image one label, without a word."""
    model = load_whole(bundled("scn.onnx"))
    tensor = next(tensor for tensor in model.graph.initializer if len(tensor.dims) == 4)
    weights = onnx.numpy_helper.to_array(tensor).astype(dtype)
    weights[0, 0, 0, 0] = value
    tensor.CopyFrom(onnx.numpy_helper.from_array(weights, "damaged"))
    for node in model.graph.node:  # cast back, so that the graph is a good one
        if "Conv" in node.op_type:
            node.input[1] = "cast"
            break
    model.graph.node.insert(0, onnx.helper.make_node("Cast", ["damaged"], ["cast"], to=onnx.TensorProto.FLOAT))
    onnx.save(model, tmp_path / "x.onnx")
    with pytest.raises(ModelError, match=r"x\.onnx has NaN or infinite values in its weights 'damaged'; train anew, or export"):
        Segmenter.load(tmp_path / "x.onnx", "cpu")


@pytest.mark.parametrize("content", [b"\0" * 6, b"\0" * 8], ids=["no whole number", "too few"])
def test_weights_of_another_size(content: bytes) -> None:
    model = load_whole(bundled("scn.onnx"))
    tensor = next(tensor for tensor in model.graph.initializer if len(tensor.dims) == 4)
    tensor.raw_data = content
    with pytest.raises(ModelError, match=f"a file has damaged weights '{tensor.name}'"):
        check_weights(model, "a file")


def test_scores_that_are_no_numbers() -> None:
    """Where the package onnx is not installed, or a precision is too small for the weights."""
    image, scores = np.zeros((2, 3, 32, 48), np.float32), np.zeros((2, 9, 32, 48), np.float32)
    check_output(scores, image, FixedBackend(scores))
    scores[1] = np.nan
    with pytest.raises(ModelError, match="gives NaN or infinite scores on fixed"):
        check_output(scores, image, FixedBackend(scores))


@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_weights_in_a_file_that_is_not_there(tmp_path: Path, device: str) -> None:
    model = load_whole(bundled("scn.onnx"))
    onnx.save(model, tmp_path / "x.onnx", save_as_external_data=True, location="x.data", size_threshold=1000)
    (tmp_path / "x.data").rename(tmp_path / "y.data")
    with pytest.raises(ModelError, match=r"x\.onnx has its weights in x\.data, which is not beside it; copy or fetch that file too"):
        Segmenter.load(tmp_path / "x.onnx", device)
    (tmp_path / "y.data").rename(tmp_path / "x.data")
    with Segmenter.load(tmp_path / "x.onnx", device) as segmenter:
        assert segmenter(np.zeros((48, 64, 3), np.uint8), 12).max() == 11
