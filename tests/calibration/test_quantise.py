"""INT8 graphs: their form, their values against a float reference of our own, every engine, and bad input."""

import json
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from ainet.calibration.graph import layers, multiply_adds, split_quarters
from ainet.calibration.images import network_input
from ainet.calibration.quantise import Calibration, exported, save_model
from ainet.calibration.ranges import BINS, clip
from ainet.errors import DeviceError, ModelError, OutputError, UsageError
from ainet.export.engine import build_engine
from ainet.export.model_file import sign
from ainet.export.whole import load_whole
from ainet.models import bundled
from ainet.runtime.backends import open_backend
from ainet.runtime.model import ModelInfo
from ainet.training.checkpoint import load_checkpoint

pytestmark = pytest.mark.slow


def run(model, image):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"]).run(None, {"image": image})[
        0
    ]


def initializers(model):
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def weights_of(node):
    return 0 if node.op_type == "Conv" else 1  # axis of the output channels


def test_splitting_and_equalising_keep_the_values(float_model, calibration, chosen):
    image = network_input(chosen[1].pixels, calibration.info)
    np.testing.assert_allclose(run(calibration.float_model, image), run(float_model, image), atol=2e-4)
    assert "Concat" not in {node.op_type for node in calibration.float_model.graph.node}
    changed = [
        name
        for name, value in initializers(calibration.float_model).items()
        if name == "network.conv1b.0.weight" and not np.array_equal(value, initializers(float_model)[name])
    ]
    assert changed


def test_a_network_in_quarters_is_split_into_parts():
    whole = load_whole(bundled("ainet-lite.onnx"))
    split = onnx.ModelProto.FromString(whole.SerializeToString())
    split_quarters(split)
    image = np.random.default_rng(0).random((2, 3, 32, 48), dtype=np.float32) - 0.5
    np.testing.assert_allclose(run(split, image), run(whole, image), atol=1e-5)
    onnx.checker.check_model(split, full_check=True)
    assert list(layers(split)) == list(layers(whole))
    last = layers(split)["pred_mask0"]
    assert [initializers(split)[node.input[1]].shape for node in split.graph.node if node.name in last] == 3 * [(12, 16, 3, 3)]
    assert multiply_adds(split, layers(split)) == multiply_adds(whole, layers(whole))
    unchanged = onnx.ModelProto.FromString(split.SerializeToString())
    split_quarters(unchanged)
    assert unchanged == split


def test_form_that_tensorrt_takes(calibration):
    model = calibration.model()
    values, producers = initializers(model), {name: node for node in model.graph.node for name in node.output}
    convolutions = [node for node in model.graph.node if node.op_type in ("Conv", "ConvTranspose")]
    assert len(convolutions) == 31  # 24 of the network, 4 more halves of split ones, and 3 of the border map
    for node in convolutions:
        activation, weight = producers[node.input[0]], producers[node.input[1]]
        assert (activation.op_type, producers[activation.input[0]].op_type) == ("DequantizeLinear", "QuantizeLinear")
        assert values[activation.input[1]].size == 1
        kernel, scale = values[weight.input[0]], values[weight.input[1]]
        axis = weights_of(node)
        assert kernel.dtype == np.int8
        assert (weight.attribute[0].name, weight.attribute[0].i, scale.size) == ("axis", axis, kernel.shape[axis])
        assert np.abs(kernel.astype(int)).max() == 127
        assert all(name not in producers for name in node.input[2:])  # biases are float constants
    points = [values[node.input[2]] for node in model.graph.node if node.op_type in ("QuantizeLinear", "DequantizeLinear")]
    assert all(point.dtype == np.int8 and not point.any() for point in points)


def test_weights_are_rounded_to_the_nearest_step(calibration):
    model = calibration.model()
    values, floats = initializers(model), initializers(calibration.float_model)
    kernel = floats["network.deconv2.0.weight"]
    scale = np.abs(kernel).max((0, 2, 3), keepdims=True) / 127
    np.testing.assert_allclose(values["network.deconv2.0.weight_scale"], scale.ravel(), rtol=1e-6)
    np.testing.assert_allclose(values["network.deconv2.0.weight_quantized"], kernel / scale, atol=0.5001)


def test_a_transposed_convolution_shares_no_scale_with_others(calibration):
    """AINet's deconv3 and bridge_sp1 read one tensor; OpenVINO would run the former in float."""
    model = calibration.model()
    values, producers = initializers(model), {name: node for node in model.graph.node for name in node.output}
    scales: dict[str, dict[str, str]] = {}
    for node in model.graph.node:
        if node.op_type in ("Conv", "ConvTranspose"):
            dequantize = producers[node.input[0]]
            quantize = producers[dequantize.input[0]]
            assert quantize.input[1] == dequantize.input[1]
            scales.setdefault(quantize.input[0], {}).setdefault(node.op_type, quantize.input[1])
    (shared,) = (names for names in scales.values() if len(names) == 2)
    assert values[shared["ConvTranspose"]] == np.nextafter(values[shared["Conv"]], np.float32(np.inf))
    assert len({name for names in scales.values() for name in names.values()}) == len(scales) + 1


def test_multiply_adds(calibration):
    """At 320 x 480: conv0a is 3x3 of 3 to 16 channels for each pixel, deconv3 4x4 of 256 to 128 for each of 20 x 30."""
    assert calibration.cost["conv0a"] == 9 * 3 * 16 * 320 * 480
    assert calibration.cost["conv1a"] == 9 * 16 * 32 * 160 * 240
    assert calibration.cost["deconv3"] == 16 * 256 * 128 * 20 * 30
    assert calibration.cost["conv0_1"] == 9 * 32 * 16 * 320 * 480  # both halves
    assert list(calibration.cost) == list(calibration.layers)


def test_what_exact_counts_need_travels(float_model, calibration):
    model = calibration.model()
    assert [output.name for output in model.graph.output] == ["logits", "border_map"]
    entries = [{entry.key: entry.value for entry in of.metadata_props} for of in (float_model, model)]
    assert entries[0]["ainet-merging"] == entries[1]["ainet-merging"]
    labels = exported(load_checkpoint(bundled("ainet.safetensors")), "labels")
    assert [output.name for output in labels.graph.output] == ["labels"]


@pytest.mark.parametrize("rest", ["fp32", "fp16"])
def test_int8_is_close_to_float_in_every_engine(calibration, chosen, tmp_path, rest):
    """With ranges from the very image. The cells of most pixels are the same; a wrong range or axis moves far more."""
    image = network_input(chosen[0].pixels, calibration.info)
    expected = run(calibration.float_model, image)
    save_model(calibration.model((), rest), tmp_path / "x.onnx")
    for device in ("cpu", "openvino") if rest == "fp32" else ("cpu",):
        if device == "openvino":
            pytest.importorskip("openvino")
            from ainet.runtime.backends.openvino import computes_int8_exactly

            if not computes_int8_exactly():
                with pytest.raises(DeviceError):
                    open_backend(tmp_path / "x.onnx", device)
                continue
        backend = open_backend(tmp_path / "x.onnx", device)
        assert (backend.info.precision, backend.info.network) == ("int8", "ainet")
        scores = backend.run(image)
        assert (scores.argmax(1) == expected.argmax(1)).mean() > 0.94, device
        assert scores.dtype == np.float32
        assert not np.array_equal(scores, expected)


def test_float_layers_stay_as_they_are(calibration, chosen):
    image = network_input(chosen[0].pixels, calibration.info)
    model = calibration.model(calibration.layers)
    assert not [node for node in model.graph.node if node.op_type == "QuantizeLinear"]
    np.testing.assert_allclose(run(model, image), run(calibration.float_model, image), atol=1e-5)
    kernels = {node.input[1] for node in calibration.model(("merge_sp", "conv3_1")).graph.node if node.op_type == "Conv"}
    floats = set(initializers(calibration.float_model))
    assert len(kernels & floats) == 4  # two convolutions of the implantation, and both halves of the split one


def test_equal_input_gives_equal_bytes(float_model, calibration, chosen, tmp_path):
    again = Calibration(float_model, chosen)
    for name, rest in (("a", "fp32"), ("b", "fp16")):
        save_model(calibration.model(("conv0a",), rest), tmp_path / f"{name}.onnx")
        save_model(again.model(("conv0a",), rest), tmp_path / f"{name}2.onnx")
        assert (tmp_path / f"{name}.onnx").read_bytes() == (tmp_path / f"{name}2.onnx").read_bytes()
    assert (tmp_path / "a.onnx").read_bytes() != (tmp_path / "b.onnx").read_bytes()


def test_metadata_travels(float_model, calibration, chosen):
    properties = {entry.key: entry.value for entry in calibration.model(("conv0a",), "fp16").metadata_props}
    info = ModelInfo.from_json(properties["ainet"], "x")
    before = ModelInfo.from_json({entry.key: entry.value for entry in float_model.metadata_props}["ainet"], "x")
    assert (info.precision, info.checkpoint_sha256, info.output) == ("int8", before.checkpoint_sha256, "logits")
    notes = json.loads(properties["calibration"])
    assert (notes["float_layers"], notes["rest"], notes["method"]) == (["conv0a"], "fp16", "percentile")
    assert notes["images_sha256"] == sorted(image.sha256 for image in chosen)


def test_channels_that_training_has_switched_off_keep_a_positive_scale(float_model, chosen):
    """In float16 theirs would be 0, which TensorRT refuses."""
    model = onnx.ModelProto()
    model.CopyFrom(float_model)
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    kernel, bias = (numpy_helper.to_array(tensors[f"network.conv3b.0.{name}"]).copy() for name in ("weight", "bias"))
    kernel[3] *= 1e-5 / np.abs(kernel[3]).max()
    kernel[5] *= 1e-9 / np.abs(kernel[5]).max()
    bias[5] = 0  # a larger one has a larger scale
    for name, values in (("weight", kernel), ("bias", bias)):
        tensors[f"network.conv3b.0.{name}"].CopyFrom(numpy_helper.from_array(values, f"network.conv3b.0.{name}"))
    calibration = Calibration(model, chosen)
    kernel = initializers(calibration.float_model)["network.conv3b.0.weight"]  # equalised
    single, half = (initializers(calibration.model((), rest)) for rest in ("fp32", "fp16"))
    scales = {rest: values["network.conv3b.0.weight_scale"] for rest, values in (("fp32", single), ("fp16", half))}
    assert (scales["fp32"] > 0).all() and (scales["fp16"] > 0).all()
    assert scales["fp32"].astype(np.float16)[5] == 0
    codes = half["network.conv3b.0.weight_quantized"]
    np.testing.assert_array_equal(codes, single["network.conv3b.0.weight_quantized"])
    np.testing.assert_allclose(codes[5] * np.float32(scales["fp16"][5]), kernel[5], rtol=0, atol=1e-5)  # of weights near 0.1
    assert all(value.min() > 0 for name, value in half.items() if name.endswith("_scale"))


@pytest.mark.parametrize("rest", ["fp32", "fp16"])
@pytest.mark.parametrize("target", ["sm86", "sm89", "sm120"])
def test_tensorrt_rtx_builds_it(calibration, tmp_path, target, rest):
    pytest.importorskip("tensorrt_rtx", reason="TensorRT-RTX is not installed: pip install 'ainet-toolkit[tensorrt-rtx]'")
    save_model(calibration.model((), rest), tmp_path / "x.onnx")
    info = build_engine(tmp_path / "x.onnx", tmp_path / "x.engine", ["320x480"], "tensorrt-rtx", [target])
    assert (info.model.precision, info.compute_capabilities) == ("int8", (target,))
    info.verify(tmp_path / "x.engine")


def test_ranges_of_a_known_distribution():
    """Half-normal values of deviation 1 with one in a million at 64: min-max keeps the outlier, the others clip it."""
    values = np.abs(np.random.default_rng(0).standard_normal(1_000_000))
    values[0] = 64
    counts = np.histogram(values, BINS, (0, 64))[0]
    assert clip(counts, 64.0, "minmax") == 64
    assert clip(counts, 64.0, "percentile") == pytest.approx(np.quantile(values, 0.9999), abs=64 / BINS)
    assert 2 < clip(counts, 64.0, "entropy") < 8


def test_models_that_cannot_be_quantised(float_model, calibration, chosen):
    with pytest.raises(ModelError, match="quantised already"):
        Calibration(calibration.model(), chosen)
    computed = onnx.ModelProto()
    computed.CopyFrom(float_model)
    node = next(node for node in computed.graph.node if node.op_type == "Conv")
    computed.graph.node.insert(0, onnx.helper.make_node("Abs", [node.input[1]], ["computed"]))
    computed.graph.node[1].input[1] = "computed"
    with pytest.raises(ModelError, match=f"Conv '{node.name}' cannot be quantised: its weights are computed"):
        Calibration(computed, chosen)
    bare = onnx.helper.make_graph([onnx.helper.make_node("Abs", ["image"], ["y"])], "g", [], [])
    with pytest.raises(ModelError, match="nothing to quantise: the model has no Conv or ConvTranspose, only Abs"):
        layers(onnx.helper.make_model(bare))
    half = onnx.ModelProto()
    half.CopyFrom(float_model)
    sign(half, replace(calibration.info, precision="fp16"), {})
    with pytest.raises(ModelError, match="exported in fp16"):
        Calibration(half, chosen)
    foreign = onnx.ModelProto()
    foreign.CopyFrom(float_model)
    del foreign.metadata_props[:]
    with pytest.raises(ModelError, match="was not exported by this toolkit"):
        Calibration(foreign, chosen)


def test_unusable_arguments(float_model, calibration, chosen, tmp_path):
    with pytest.raises(UsageError, match="unknown method 'mean'; choose one of minmax, percentile, entropy"):
        Calibration(float_model, chosen, "mean")
    with pytest.raises(UsageError, match="unknown layer 'conv9'; the network has conv0a, conv0b"):
        calibration.model(("conv9",))
    with pytest.raises(UsageError, match="unknown rest 'int4'; choose one of fp32, fp16"):
        calibration.model((), "int4")
    with pytest.raises(OutputError, match="is a folder"):
        save_model(calibration.model(), tmp_path)
    assert list(tmp_path.iterdir()) == []
