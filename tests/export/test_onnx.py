"""Exported files: the reference vectors through ONNX Runtime, the graph's form, and a mismatch that leaves no file."""

import json

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from ainet.errors import ModelError, OutputError, UsageError
from ainet.export.onnx import export_onnx
from ainet.images import read_image
from ainet.models import bundled
from ainet.runtime.model import OUTPUTS, PRECISIONS, ModelInfo
from ainet.training.checkpoint import load_checkpoint, save_checkpoint
from ainet.training.networks import NETWORKS, build
from ainet.training.networks.folding import deployable

pytestmark = pytest.mark.slow

CASES = ("a_1x3x64x96", "b_2x3x48x32", "c_1x3x208x208")


def with_statistics(name):
    """A network whose BatchNorms have seen data, so that folding them matters."""
    torch.manual_seed(3)
    network = build(name)
    network.train()
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.dim() == 1:
                parameter.add_(torch.randn_like(parameter) * 0.2)
        network(torch.randn(4, 3, 48, 64) * 0.3)
    return network.eval()


@pytest.fixture(scope="session")
def own_checkpoints(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    for name in NETWORKS:
        save_checkpoint(folder / f"{name}.safetensors", with_statistics(name), {"network": name})
    return {name: load_checkpoint(folder / f"{name}.safetensors") for name in NETWORKS}


@pytest.fixture(scope="session")
def exported(own_checkpoints, tmp_path_factory):
    """exported(name, precision, output): path of that export, made once."""
    folder = tmp_path_factory.mktemp("exported")

    def path_of(name, precision="fp32", output="logits"):
        path = folder / f"{name}-{precision}-{output}.onnx"
        if not path.exists():
            export_onnx(own_checkpoints[name], path, precision, output)
        return path

    return path_of


@pytest.fixture(scope="session")
def public_onnx(public_checkpoints, tmp_path_factory):
    """The public checkpoints exported in fp32, by (name, output)."""
    folder, files = tmp_path_factory.mktemp("onnx"), {}
    for name in ("ainet", "scn"):
        for output in ("association", "labels"):
            files[name, output] = folder / f"{name}-{output}.onnx"
            export_onnx(load_checkpoint(public_checkpoints[name]), files[name, output], output=output)
    return files


def run(path, image):
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"image": image})[0]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", ["ainet", "scn"])
def test_reference_vectors_through_onnx_runtime(public_onnx, vectors, name, case):
    reference = vectors(f"{name}_public_vectors")
    expected = reference[f"{case}.prob"]
    association = run(public_onnx[name, "association"], reference[f"{case}.input"])
    np.testing.assert_allclose(association, expected, rtol=0, atol=1e-4 if expected.dtype == np.float32 else 1e-3)
    # The labels graph takes the resized photo itself: undo the normalisation, which is exact on uint8.
    photo = np.round((reference[f"{case}.input"].transpose(0, 2, 3, 1) + np.float32([0.411, 0.432, 0.45])) * 255).astype(np.uint8)
    ids = run(public_onnx[name, "labels"], photo)
    assert ids.dtype == np.int32
    clear = ~reference[f"{case}.ambiguous"]
    assert clear.mean() > 0.9
    np.testing.assert_array_equal(ids[clear], reference[f"{case}.spixel_index"][:, 0][clear])


@pytest.mark.parametrize("name", NETWORKS)
def test_folding_keeps_the_values(own_checkpoints, name):
    network = own_checkpoints[name].network.double()
    image = torch.randn(2, 3, 32, 80, dtype=torch.float64)
    folded = deployable(network)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in folded.modules())
    with torch.no_grad():
        assert (folded(image) - network(image)).abs().max() < 1e-10
    network.float()


@pytest.mark.parametrize("name", NETWORKS)
def test_graph_has_no_loop_and_no_expanded_window(exported, name):
    """At 64 x 96 no value is as large as a 16-channel 3H x 3W map, and shape inference knows every value's size."""
    model = onnx.load(exported(name))
    operators = {node.op_type for node in model.graph.node}
    assert not operators & {"Loop", "Scan", "If", "BatchNormalization", "ScatterND", "NonZero"}
    assert [entry.version for entry in model.opset_import if entry.domain == ""] == [18]
    for dimension, size in zip(model.graph.input[0].type.tensor_type.shape.dim, (1, 3, 64, 96), strict=True):
        dimension.dim_value = size
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    shapes = [tuple(d.dim_value for d in value.type.tensor_type.shape.dim) for value in inferred.graph.value_info]
    assert len(shapes) >= len(model.graph.node) - 1
    assert not any(shape[-2:] == (3 * 64, 3 * 96) for shape in shapes)
    assert max(int(np.prod(shape)) for shape in shapes if len(shape) == 4) <= 32 * 64 * 96


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("precision", PRECISIONS)
def test_metadata_types_and_dynamic_sizes(own_checkpoints, exported, precision, output):
    path = exported("ainet", precision, output)
    model = onnx.load(path)
    info = ModelInfo.from_json({entry.key: entry.value for entry in model.metadata_props}["ainet"], path)
    assert (info.network, info.output, info.precision) == ("ainet", output, precision)
    assert info.checkpoint_sha256 == own_checkpoints["ainet"].sha256
    assert info.mean == (0.411, 0.432, 0.45)
    half = {tensor.name for tensor in model.graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT16}
    weights = {node.input[1] for node in model.graph.node if node.op_type in ("Conv", "ConvTranspose")}
    assert weights - half == ({"network.conv0a.0.layer.weight"} if precision == "fp16" else weights)
    dims = [d.dim_param or d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
    assert dims == (["batch", "height", "width", 3] if output == "labels" else ["batch", 3, "height", "width"])
    for batch, height, width in ((1, 16, 16), (3, 32, 64)):
        image = np.zeros((batch, height, width, 3), np.uint8) if output == "labels" else np.zeros((batch, 3, height, width), np.float32)
        result = run(path, image)
        assert result.shape == ((batch, height, width) if output == "labels" else (batch, 9, height, width))
        assert result.dtype == (np.int32 if output == "labels" else np.float32)


def test_same_checkpoint_gives_the_same_file(own_checkpoints, exported, tmp_path):
    export_onnx(own_checkpoints["scn"], tmp_path / "again.onnx")
    assert (tmp_path / "again.onnx").read_bytes() == exported("scn").read_bytes()


def test_file_tells_nothing_of_the_machine(exported):
    data = exported("ainet-public").read_bytes()
    assert b"site-packages" not in data
    assert b".py" not in data


@pytest.mark.parametrize("value", [0, 255, None], ids=["black", "white", "noise"])
def test_fp16_is_finite_on_extreme_images(exported, value):
    photo = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3)) if value is None else np.full((1, 64, 64, 3), value)
    image = (photo.astype(np.float32) / 255 - np.float32([0.411, 0.432, 0.45])).transpose(0, 3, 1, 2).copy()
    assert np.isfinite(run(exported("ainet", "fp16"), image)).all()


def test_fp16_of_the_bundled_weights_is_finite(tmp_path):
    export_onnx(load_checkpoint(bundled("ainet.safetensors")), tmp_path / "x.onnx", "fp16")
    noise = np.random.default_rng(0).integers(0, 256, (1, 3, 320, 480))
    for photo in (np.zeros((1, 3, 320, 480)), np.full((1, 3, 320, 480), 255), noise):
        image = photo.astype(np.float32) / 255 - np.float32([0.411, 0.432, 0.45]).reshape(3, 1, 1)
        assert np.isfinite(run(tmp_path / "x.onnx", image)).all()


@pytest.mark.parametrize("output", ["logits", "labels"])
def test_mismatch_with_pytorch_is_an_error_and_leaves_no_file(own_checkpoints, tmp_path, monkeypatch, output):
    def broken(network):
        network = deployable(network)
        network.pred_mask0.bias.data[3] += 1
        return network

    monkeypatch.setattr("ainet.export.onnx.deployable", broken)
    with pytest.raises(ModelError, match="differ"):
        export_onnx(own_checkpoints["scn"], tmp_path / "x.onnx", output=output)
    assert list(tmp_path.iterdir()) == []


def test_unusable_arguments(own_checkpoints, tmp_path):
    with pytest.raises(UsageError, match="unknown precision 'int4'; choose one of fp32, fp16"):
        export_onnx(own_checkpoints["scn"], tmp_path / "x.onnx", precision="int4")
    with pytest.raises(UsageError, match="unknown output 'ids'"):
        export_onnx(own_checkpoints["scn"], tmp_path / "x.onnx", output="ids")
    with pytest.raises(OutputError, match="is a folder"):
        export_onnx(own_checkpoints["scn"], tmp_path)


def test_metadata_is_stable_json(own_checkpoints):
    info = ModelInfo("scn", "logits", "fp32", (0.1, 0.2, 0.3), "0" * 64, {"epoch": 3}, "0.1.0")
    assert ModelInfo.from_json(info.to_json(), "x") == info
    assert json.loads(info.to_json())["cell_size"] == 16


@pytest.mark.parametrize(
    "entries",
    [{"mean": [0.1, 0.2]}, {"mean": ["r", "g", "b"]}, {"mean": None}, {"network": 5}, {"output": ["logits"]}, {"checkpoint": []}, {"x": 1}],
)
def test_metadata_of_other_types_are_refused(entries):
    text = ModelInfo("scn", "logits", "fp32", (0.1, 0.2, 0.3), "0" * 64, {}, "0.1.0").to_json()
    for damaged in (json.dumps(json.loads(text) | entries), "[]", "null", "", None):
        with pytest.raises(ModelError, match=r"^x\.onnx was not exported by this toolkit \(no 'ainet' metadata\); make it with: ainet"):
            ModelInfo.from_json(damaged, "x.onnx")


def test_fp16_keeps_the_labels_of_photos(shared, tmp_path):
    """With the bundled weights, the best cell is the same for at least 99.9 % of the pixels of BSDS500 val photos."""
    checkpoint = load_checkpoint(bundled("ainet.safetensors"))
    paths = {precision: tmp_path / f"{precision}.onnx" for precision in PRECISIONS}
    for precision, path in paths.items():
        export_onnx(checkpoint, path, precision, "labels")
    sessions = {precision: onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]) for precision, path in paths.items()}
    photos = sorted((shared / "bsds500/images/val").glob("*.jpg"))[::12]
    equal = []
    for photo in photos:
        image = read_image(photo)
        size = (480, 320) if image.shape[1] > image.shape[0] else (320, 480)
        resized = cv2.resize(image, size, interpolation=cv2.INTER_CUBIC)[None]
        ids = {precision: session.run(None, {"image": resized})[0] for precision, session in sessions.items()}
        equal.append((ids["fp16"] == ids["fp32"]).mean())
    print(f"{len(photos)} photos: fp16 equal to fp32 for {np.mean(equal):.4%} of the pixels, at least {np.min(equal):.4%}")
    assert np.mean(equal) >= 0.999
