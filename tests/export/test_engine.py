"""Engines: real builds ahead of time by TensorRT-RTX, and bad input."""

import hashlib
import math

import numpy as np
import onnx
import pytest
from typer.testing import CliRunner

from ainet.cli import app
from ainet.errors import ModelError, OutputError, UsageError
from ainet.export.engine import build_engine
from ainet.export.model_file import read_model
from ainet.export.profiles import CHANNELS, DEFAULT_SIZES, MAX_BATCH_PIXELS, parse_profiles, tuned_shape
from ainet.export.whole import load_whole
from ainet.models import BUNDLED, bundled
from ainet.runtime import pipeline
from ainet.runtime.engine_file import EngineInfo, Profile
from ainet.runtime.model import ModelInfo
from ainet.runtime.plan import MAX_NETWORK_PIXELS, Plan
from ainet.spec import CELL_SIZE, MEAN

pytestmark = pytest.mark.slow

TARGETS = ("sm75", "sm80", "sm86", "sm89", "sm120")


@pytest.fixture(scope="session")
def chain(tmp_path_factory):
    """Result and engine of the one command that goes all the way; its ONNX file is there even where TensorRT is not."""
    engine = tmp_path_factory.mktemp("chain") / "ainet.engine"
    return CliRunner().invoke(app, ["export", "-o", str(engine), "--precision", "fp16", "--output", "labels"]), engine


@pytest.mark.parametrize("sizes", [["320x480"], ["160x160..1088x1920"]], ids=["static", "dynamic"])
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("output", ["logits", "labels"])
def test_builds_ahead_of_time(rtx, models, tmp_path, output, target, sizes):
    plans = {}
    for precision in ("fp32", "fp16"):
        path, model = tmp_path / f"{precision}.engine", models[precision, output]
        info = build_engine(model, path, sizes, "tensorrt-rtx", [target])
        assert EngineInfo.load(path) == info
        plans[precision] = info.verify(path)
        assert (info.package, info.version, info.compute_capabilities) == ("tensorrt-rtx", rtx.__version__, (target,))
        assert info.profiles == parse_profiles(sizes)
        assert (info.model.network, info.model.precision, info.model.output) == ("ainet", precision, output)
        assert info.onnx_sha256 == hashlib.sha256(read_model(model)[0]).hexdigest()
    assert len(plans["fp16"]) < 0.75 * len(plans["fp32"])  # half as many bytes of weights


@pytest.mark.parametrize(
    ("precision", "output", "sizes"),
    [
        ("fp16", "labels", ["320x480"]),
        ("fp32", "labels", ["8x320x480"]),
        ("fp16", "logits", ["320x480", "160x160..1088x1920"]),
        ("fp32", "logits", ["160x160..1088x1920"]),
    ],
)
def test_equal_input_gives_equal_files(rtx, models, tmp_path, precision, output, sizes):
    """Whatever the model's name, the order of the targets, and what the process has built before."""
    copy = tmp_path / "elsewhere" / "renamed.onnx"
    copy.parent.mkdir()
    copy.write_bytes(read_model(models[precision, output])[0])
    first, second, other = tmp_path / "a.engine", copy.with_name("b.engine"), tmp_path / "other.engine"
    info = build_engine(models[precision, output], first, sizes, "tensorrt-rtx", ["sm75", "sm86", "sm120"])
    differs = build_engine(copy, other, ["64x64"], "tensorrt-rtx", ["sm75", "sm86", "sm120"])
    assert build_engine(copy, second, sizes, "tensorrt-rtx", ["sm120", "sm86", "sm75", "sm86"]) == info
    assert info.compute_capabilities == ("sm75", "sm86", "sm120")
    assert first.read_bytes() == second.read_bytes() != other.read_bytes()
    assert first.with_name("a.engine.json").read_text() == second.with_name("b.engine.json").read_text()
    assert differs.onnx_sha256 == info.onnx_sha256


def test_command_builds_quietly(rtx, models, tmp_path, capfd):
    model, engine = models["fp32", "logits"], tmp_path / "model.engine"
    arguments = ["build", model, "-o", engine, "--package", "tensorrt-rtx", "--target", "sm86", "--target", "sm120", "--size", "320x480"]
    result = CliRunner().invoke(app, [*map(str, arguments), "--size", "2x160x160..2x320x480"])
    assert result.exit_code == 0
    assert " for sm86, sm120; sizes 320x480, 2x160x160..2x320x480; " in result.output
    assert EngineInfo.load(engine).profiles[1] == Profile((2, 160, 160), (2, 320, 480))
    assert capfd.readouterr() == ("", "")  # nothing past Python's own streams


def test_the_whole_chain_in_one_command(rtx, chain):
    result, engine = chain
    assert result.exit_code == 0
    info = EngineInfo.load(engine)
    info.verify(engine)
    assert info.profiles == parse_profiles(DEFAULT_SIZES)
    assert (info.model.precision, info.model.output) == ("fp16", "labels")
    assert info.onnx_sha256 == hashlib.sha256(engine.with_suffix(".onnx").read_bytes()).hexdigest()


# Sizes


@pytest.mark.parametrize(
    ("text", "smallest", "largest"),
    [
        ("320x480", (1, 320, 480), (1, 320, 480)),
        ("8x320x480", (8, 320, 480), (8, 320, 480)),
        ("160x160..1088x1920", (1, 160, 160), (1, 1088, 1920)),
        ("1x320x480..32x320x480", (1, 320, 480), (32, 320, 480)),
        ("320x480..32x320x480", (1, 320, 480), (32, 320, 480)),
    ],
)
def test_sizes_by_name(text, smallest, largest):
    (profile,) = parse_profiles([text])
    assert profile == Profile(smallest, largest)
    assert parse_profiles([str(profile)]) == (profile,)


SIDE = math.isqrt(MAX_NETWORK_PIXELS)  # of a tile


@pytest.mark.parametrize("whole", [(SIDE, SIDE), (SIDE // 2, 2 * SIDE), (2 * SIDE, SIDE // 2)])
@pytest.mark.parametrize("rows", [0, 1])
def test_the_default_range_holds_what_the_runtime_asks_of_a_network(whole, rows):
    """Working images of up to 4 : 1 in one piece, and the tiles of those that have one more row of cells."""
    asked = []

    class Network:
        info = ModelInfo("none", "labels", "fp32", MEAN, "0" * 64, {}, "0")

        def run(self, images):
            asked.append(images.shape[:3])
            return np.zeros(images.shape[:3], np.int32)

    image, height, width = np.zeros((1, 16, 16, 3), np.uint8), whole[0] + rows * CELL_SIZE, whole[1]
    assert pipeline.network_output(Network(), image, Plan(16, 16, height, width, 0, 1)).shape == (1, height, width)
    assert (len(asked) > 1) == (rows > 0)
    assert all(parse_profiles(DEFAULT_SIZES)[-1].holds(shape) for shape in asked)


def test_ranges_are_tuned_for_their_upper_end_up_to_the_largest_tile():
    names = ("320x480", "1x160x160..8x1088x1920", DEFAULT_SIZES[-1], "3072x16..4096x4096")
    tuned = [tuned_shape(profile) for profile in parse_profiles(names)]
    assert tuned == [(1, 320, 480), (8, 1088, 1920), (1, 2048, 2048), (1, 3072, 2048)]


@pytest.mark.parametrize("name", BUNDLED)
def test_no_tensor_has_more_elements_than_tensorrt_counts(name):
    """At the largest size, of 2**18 - 1 cells; one more is refused, see `8192x8192` below."""
    (profile,) = parse_profiles(["8208x8176"])
    assert parse_profiles(["262143x16x16"])[0].largest == (2**18 - 1, 16, 16)
    model = load_whole(bundled(f"{name}.onnx"))
    batch, height, width = profile.largest
    for dimension, size in zip(model.graph.input[0].type.tensor_type.shape.dim, (batch, 3, height, width), strict=True):
        dimension.dim_value = size
    graph = onnx.shape_inference.infer_shapes(model).graph
    elements = [math.prod(side.dim_value for side in tensor.type.tensor_type.shape.dim) for tensor in (*graph.value_info, *graph.output)]
    assert len(elements) == len(graph.node)
    largest = {"ainet-lite": 9}.get(name, CHANNELS)  # channels at full resolution
    assert max(elements) == largest * height * width < 2**31 <= CHANNELS * (MAX_BATCH_PIXELS + 1)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ([], "at least one input size"),
        (["320"], "cannot read the size '320'"),
        (["320x480x3x1"], "cannot read"),
        (["320x-480"], "cannot read"),
        (["320x480.."], "cannot read"),
        (["320X480"], "cannot read"),
        (["99999999999999x16"], "cannot read"),
        (["321x480"], "height 321 of size '321x480' is not a multiple of 16; the nearest is 320"),
        (["320x480..640x633"], "width 633 .* the nearest is 640"),
        (["0x480"], "height 0 .* the nearest is 16"),
        (["0x320x480"], "batch of size '0x320x480' must be at least 1"),
        (["640x480..320x640"], "runs backwards: its height goes from 640 down to 320"),
        (["4x320x480..320x480"], "its batch goes from 4 down to 1"),
        (["8192x8192"], "the size '8192x8192' has 67,108,864 pixels in a batch, more than 67,108,863; lower its batch, height or width"),
        (["262144x16x16"], "the size '262144x16x16' has 67,108,864 pixels in a batch"),
        (["1x16x16..1024x320x480"], "157,286,400 pixels in a batch, more than 67,108,863"),
        (["320x480", "1x320x480"], "'1x320x480' is named twice"),
        (["16x16..32x32", "1x16x16..1x32x32"], "named twice"),
    ],
)
def test_bad_sizes_are_refused_before_the_builder(monkeypatch, tmp_path, sizes, message):
    monkeypatch.setattr("ainet.export.engine.load_package", lambda name: pytest.fail("the sizes come first"))
    with pytest.raises(UsageError, match=message):
        build_engine(tmp_path / "model.onnx", tmp_path / "model.engine", sizes)


def test_a_size_that_contradicts_the_model_is_refused(rtx, models, tmp_path):
    model = onnx.load(models["fp32", "logits"])
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 2
    onnx.save(model, tmp_path / "two.onnx")
    build_engine(tmp_path / "two.onnx", tmp_path / "two.engine", ["2x64x64"], "tensorrt-rtx", ["sm86"])
    for size in ("64x64", "1x64x64..2x64x64", "3x64x64"):
        with pytest.raises(UsageError, match=r"contradicts .*two\.onnx, whose input is fixed at \(2, 3, -1, -1\)"):
            build_engine(tmp_path / "two.onnx", tmp_path / "bad.engine", [size], "tensorrt-rtx", ["sm86"])
    assert not (tmp_path / "bad.engine").exists()


# Models and targets


def test_bad_targets_are_refused(rtx, models, tmp_path):
    for target in ("sm90", "none", "current", "86", ""):
        with pytest.raises(UsageError, match=f"unknown target '{target}'; tensorrt-rtx .* builds for sm75, sm80, sm86"):
            build_engine(models["fp32", "logits"], tmp_path / "x.engine", package="tensorrt-rtx", targets=["sm86", target])


def test_files_that_are_no_exported_model_are_refused(rtx, models, tmp_path):
    model = load_whole(models["fp32", "logits"])
    whole = model.SerializeToString()
    del model.metadata_props[:]
    contents = {
        "torn": (whole[: len(whole) // 2], "is not a whole ONNX file"),
        "text": (b"hello", "is not a whole ONNX file"),
        "foreign": (model.SerializeToString(), "was not exported by this toolkit"),
        "empty": (b"", "was not exported by this toolkit"),
    }
    for name, (content, reason) in contents.items():
        path = tmp_path / f"{name}.onnx"
        path.write_bytes(content)
        with pytest.raises(ModelError, match=rf"{name}\.onnx {reason}"):
            build_engine(path, tmp_path / "x.engine", package="tensorrt-rtx")
    with pytest.raises(ModelError, match=r"cannot read .*: No such file"):
        build_engine(tmp_path / "none.onnx", tmp_path / "x.engine", package="tensorrt-rtx")
    assert not list(tmp_path.glob("*.engine*"))


def test_the_first_parser_error_is_reported_alone(rtx, models, tmp_path, capfd):
    model = onnx.load(models["fp32", "logits"])
    node = next(node for node in model.graph.node if node.op_type == "LeakyRelu")
    node.op_type, node.name = "NoSuchOperator", "the_culprit"
    onnx.save(model, tmp_path / "bad.onnx")
    with pytest.raises(ModelError, match=r"cannot read .*bad\.onnx: .*'the_culprit', operator NoSuchOperator") as caught:
        build_engine(tmp_path / "bad.onnx", tmp_path / "bad.engine", package="tensorrt-rtx")
    assert "cudaError" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_a_parser_error_is_reported_without_the_missing_driver(rtx, models, tmp_path, capfd):
    """Skip connections that cannot be joined, as 24 is no multiple of 16; without a GPU the parser adds a line on CUDA."""
    model = onnx.load(models["fp32", "logits"])
    for dimension in model.graph.input[0].type.tensor_type.shape.dim[2:]:
        dimension.dim_value = 24
    onnx.save(model, tmp_path / "odd.onnx")
    with pytest.raises(ModelError, match=r"cannot read .*odd\.onnx: .*the same dimensions.*, operator Concat") as caught:
        build_engine(tmp_path / "odd.onnx", tmp_path / "odd.engine", ["32x32"], "tensorrt-rtx", ["sm86"])
    assert "cudaError" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_the_builder_reason_is_reported(rtx, models, tmp_path, capfd):
    """A graph that the parser lets pass and the builder cannot size: its output is reshaped to 64 x 64."""
    model = onnx.load(models["fp32", "logits"])
    shape = onnx.numpy_helper.from_array(np.int64([1, 9, 64, 64]), "shape")
    model.graph.initializer.append(shape)
    model.graph.node.append(onnx.helper.make_node("Reshape", ["logits", "shape"], ["reshaped"]))
    model.graph.output[0].name = "reshaped"
    onnx.save(model, tmp_path / "odd.onnx")
    with pytest.raises(ModelError, match=r"cannot build .*odd\.onnx: .*[Rr]eshape") as caught:
        build_engine(tmp_path / "odd.onnx", tmp_path / "odd.engine", ["320x480"], "tensorrt-rtx", ["sm86"])
    assert "cudaError" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_a_folder_that_cannot_be_written_leaves_nothing(rtx, models, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="cannot write"):
        build_engine(models["fp32", "logits"], tmp_path / "file" / "x.engine", ["64x64"], "tensorrt-rtx", ["sm86"])
    assert sorted(tmp_path.iterdir()) == [tmp_path / "file"]
