"""The model of the page: small weights, and what the page must know."""

import base64

import numpy as np
import onnx
import pytest
from support.paths import PHOTOS, ROOT
from support.scripts import load_script

import ainet
from ainet.export.onnx import export_onnx
from ainet.export.whole import load_whole
from ainet.models import bundled, bundled_checkpoint
from ainet.runtime.merging import BORDER_MAP, MergeModel
from ainet.runtime.pipeline import network_output
from ainet.training.checkpoint import load_checkpoint

pytestmark = pytest.mark.slow

page_model = load_script(ROOT / "web/page_model.py")


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    file = tmp_path_factory.mktemp("model") / "model.onnx"
    onnx.save(page_model.with_small_weights(load_whole(bundled("ainet-lite.onnx"))), file)
    return file


def test_little_more_than_a_quarter_of_the_size_and_nearly_the_same_cells(small):
    image = ainet.read_image(PHOTOS / "coffee.jpg")
    with ainet.Segmenter.load(small, device="cpu") as segmenter, ainet.Segmenter.load("ainet-lite", device="cpu") as full:
        plan = full.plan(*image.shape[:2], 300, quality="fast")
        scores, expected = (network_output(each.backend, image[None], plan) for each in (segmenter, full))
    float32 = 4 * sum(parameter.numel() for parameter in load_checkpoint(bundled_checkpoint("ainet-lite")).network.parameters())
    assert small.stat().st_size < 0.28 * float32
    assert (scores.argmax(1) == expected.argmax(1)).mean() > 0.95  # the bound of a calibration


def test_weights_are_within_half_a_step(small, tmp_path):
    """A step is the 127th part of the largest weight of an output channel."""
    export_onnx(load_checkpoint(bundled_checkpoint("ainet-lite")), tmp_path / "float32.onnx", border_map=True)
    before = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in onnx.load(tmp_path / "float32.onnx").graph.initializer}
    content = onnx.load(small)
    after = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in content.graph.initializer}
    nodes = [node for node in content.graph.node if node.op_type == "DequantizeLinear"]
    assert len(nodes) == 19  # all but the smallest weights
    for node in nodes:
        weights = np.moveaxis(before[node.output[0]], node.attribute[0].i, -1)
        steps, scale, zero = (after[name] for name in node.input)
        assert steps.dtype == np.int8
        assert not zero.any()
        np.testing.assert_allclose(scale, np.abs(weights).max((0, 1, 2)) / 127, rtol=1e-6)
        assert (np.abs(np.moveaxis(steps, node.attribute[0].i, -1) * scale - weights) <= scale * 0.5001).all()


def test_a_model_with_small_weights_is_left_as_it_is(small):
    content = onnx.load(small)
    assert page_model.with_small_weights(content) == content


def test_description_holds_the_learned_cost_of_the_model(small):
    description = page_model.description(small)
    with ainet.Segmenter.load(small, device="cpu") as segmenter:
        cost = segmenter.backend.merge_model
    assert isinstance(cost, MergeModel)
    channels = next(output for output in onnx.load(small).graph.output if output.name == BORDER_MAP).type.tensor_type.shape.dim[3].dim_value
    assert description["cost"]["sizes"][0] == channels == cost.channels
    weights = np.frombuffer(base64.b64decode(description["cost"]["weights"]), "<f4")
    np.testing.assert_array_equal(weights, np.concatenate([array.ravel() for array in cost.arrays()]))
