"""Triton model repositories: configurations by Triton's own protobuf, the documented client over gRPC, and what is refused."""

import hashlib
import re
import shutil
from concurrent import futures
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest
from support.serving import needs_triton, serving
from typer.testing import CliRunner

from ainet import Segmenter, read_image
from ainet.cli import app
from ainet.errors import ModelError, OutputError, UsageError
from ainet.export.model_file import read_model
from ainet.export.profiles import parse_profiles
from ainet.export.triton import ENGINE_SIZES, ONNX_BATCH, add_engine, add_onnx
from ainet.models import bundled
from ainet.runtime.engine_file import EngineInfo, Profile, sidecar
from ainet.runtime.model import ModelInfo
from ainet.runtime.plan import plan_segments
from ainet.spec import MEAN

triton = pytest.importorskip("tritonclient.grpc")
from google.protobuf import text_format  # noqa: E402  # both come with the client
from tritonclient.grpc import model_config_pb2 as protobuf  # noqa: E402
from tritonclient.grpc import service_pb2, service_pb2_grpc  # noqa: E402

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
MODEL = bundled("ainet.onnx")
NUMPY = {"UINT8": np.uint8, "INT32": np.int32}


def config_of(folder):
    """What Triton reads; text_format refuses unknown fields and values of a wrong type."""
    return text_format.Parse((folder / "config.pbtxt").read_text(), protobuf.ModelConfig())


def described(tensors):
    return [(tensor.name, protobuf.DataType.Name(tensor.data_type), list(tensor.dims)) for tensor in tensors]


@pytest.fixture(scope="session")
def repository(tmp_path_factory):
    """What `ainet export --triton` writes for the bundled weights."""
    folder = tmp_path_factory.mktemp("triton") / "models"
    result = CliRunner().invoke(app, ["export", "--triton", str(folder)])
    assert result.exit_code == 0
    assert " model of a Triton server; ainet-lite, fp32, output labels, " in " ".join(result.output.split())
    return folder


def test_a_label_model(repository):
    assert sorted(str(path.relative_to(repository)) for path in repository.rglob("*") if path.is_file()) == [
        "ainet-lite/1/model.onnx",
        "ainet-lite/config.pbtxt",
    ]
    config = config_of(repository / "ainet-lite")
    assert (config.name, config.backend, config.platform, config.max_batch_size) == ("ainet-lite", "onnxruntime", "", 8)
    assert described(config.input) == [("image", "TYPE_UINT8", [-1, -1, 3])]
    assert described(config.output) == [("labels", "TYPE_INT32", [-1, -1])]
    assert config.HasField("dynamic_batching")
    (group,) = config.instance_group
    assert (group.count, protobuf.ModelInstanceGroup.Kind.Name(group.kind), list(group.profile)) == (1, "KIND_AUTO", [])


def test_other_outputs_are_described_as_they_are(tmp_path):
    assert add_onnx(tmp_path, MODEL) == tmp_path / "ainet"
    config = config_of(tmp_path / "ainet")
    assert described(config.input) == [("image", "TYPE_FP32", [3, -1, -1])]
    assert described(config.output) == [("logits", "TYPE_FP32", [9, -1, -1])]
    assert (tmp_path / "ainet/1/model.onnx").read_bytes() == read_model(MODEL)[0]


class Server(service_pb2_grpc.GRPCInferenceServiceServicer):
    """Serves a repository's ONNX models by the letter of their configurations."""

    def __init__(self, repository):
        self.configs = {folder.name: config_of(folder) for folder in repository.iterdir()}
        self.sessions = {name: onnxruntime.InferenceSession(repository / name / "1/model.onnx") for name in self.configs}

    def ModelInfer(self, request, context):  # noqa: N802  # the protocol's name
        config = self.configs[request.model_name]
        inputs = {}
        for tensor, given, content in zip(config.input, request.inputs, request.raw_input_contents, strict=True):
            assert (given.name, f"TYPE_{given.datatype}") == (tensor.name, protobuf.DataType.Name(tensor.data_type))
            batch, *dims = given.shape
            assert batch <= config.max_batch_size
            assert all(expected in (-1, size) for expected, size in zip(tensor.dims, dims, strict=True))
            inputs[tensor.name] = np.frombuffer(content, NUMPY[given.datatype]).reshape(given.shape)
        names = [tensor.name for tensor in config.output]
        response = service_pb2.ModelInferResponse(model_name=config.name)
        for tensor, values in zip(config.output, self.sessions[config.name].run(names, inputs), strict=True):
            datatype = protobuf.DataType.Name(tensor.data_type).removeprefix("TYPE_")
            assert (values.dtype, values.ndim - 1) == (NUMPY[datatype], len(tensor.dims))
            response.outputs.add(name=tensor.name, datatype=datatype, shape=values.shape)
            response.raw_output_contents.append(values.tobytes())
        return response


@pytest.fixture(params=["stand-in", pytest.param("Triton", marks=needs_triton)])
def port(request, repository, tmp_path):
    """Of a server with the repository: one by the letter of the configurations, and NVIDIA's own."""
    grpc = pytest.importorskip("grpc")
    if request.param == "Triton":
        with serving(repository, folder=tmp_path) as running:
            yield int(running.grpc.split(":")[1])
        return
    server = grpc.server(futures.ThreadPoolExecutor(2))
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(Server(repository), server)
    number = server.add_insecure_port("localhost:0")
    server.start()
    yield number
    server.stop(None).wait()


def test_the_documented_client(repository, port, tmp_path, monkeypatch):
    """Word for word but for the port: its labels are those of a Segmenter with the same model."""
    code = re.findall(r"```python\n(.*?)```", (ROOT / "docs/serving.md").read_text(), re.DOTALL)[-1]
    assert "localhost:8001" in code
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "examples/photos/chelsea.jpg", "photo.jpg")
    client = {}
    exec(code.replace("localhost:8001", f"localhost:{port}"), client)
    image = read_image("photo.jpg")
    with Segmenter.load(repository / "ainet-lite/1/model.onnx", "cpu") as segmenter:
        np.testing.assert_array_equal(client["labels"], segmenter(image, quality="fast"))
        upright = np.ascontiguousarray(image[:200, 100:230])
        np.testing.assert_array_equal(client["segment"](upright, 150), segmenter(upright, 150, quality="fast"))
    client["server"].close()


def test_a_batch_gives_each_request_its_own_labels(repository):
    session = onnxruntime.InferenceSession(repository / "ainet-lite/1/model.onnx")
    images = np.random.default_rng(0).integers(0, 256, (8, 48, 64, 3), np.uint8)
    (together,) = session.run(["labels"], {"image": images})
    for image, labels in zip(images, together, strict=True):
        np.testing.assert_array_equal(session.run(["labels"], {"image": image[None]})[0][0], labels)


# Engines: files as `ainet build` leaves them, whose plan nothing here looks into


def engine_file(path, *batches, package="tensorrt", model=MODEL):
    profiles = tuple(Profile((low, 320, 480), (high, 320, 480)) for low, high in batches)
    digests = [hashlib.sha256(content).hexdigest() for content in (read_model(model)[0], b"plan")]
    info = ModelInfo("ainet", "logits", "fp32", MEAN, "a" * 64, {}, "0.1.0")
    sidecar(path).write_text(EngineInfo(package, "10.16.1.11", ("sm90",), profiles, info, *digests, {}).to_json())
    path.write_bytes(b"plan")
    return path


@pytest.mark.parametrize(
    ("batches", "largest", "indices"),
    [
        ([(1, 32)], 32, ["0"]),
        ([(1, 32), (1, 8)], 8, ["0", "1"]),
        ([(8, 8), (1, 4), (2, 64)], 4, ["1"]),
        ([(1, 1)], 1, ["0"]),
    ],
)
def test_an_engine(tmp_path, batches, largest, indices):
    engine = engine_file(tmp_path / "x.engine", *batches)
    folder = add_engine(tmp_path / "models", MODEL, engine)
    assert folder == tmp_path / "models/ainet_tensorrt"
    assert (folder / "1/model.plan").read_bytes() == b"plan"
    config = config_of(folder)
    assert (config.name, config.backend, config.platform) == ("ainet_tensorrt", "", "tensorrt_plan")
    assert config.max_batch_size == largest
    assert (described(config.input), described(config.output)) == (
        [("image", "TYPE_FP32", [3, -1, -1])],
        [("logits", "TYPE_FP32", [9, -1, -1])],
    )
    (group,) = config.instance_group
    assert (group.count, protobuf.ModelInstanceGroup.Kind.Name(group.kind), list(group.profile)) == (2, "KIND_GPU", indices)


@pytest.mark.parametrize(("height", "width", "n_segments"), [(321, 481, 600), (1000, 2600, 600), (2600, 1000, 600), (1000, 1500, 1000)])
def test_an_engine_of_no_named_sizes_takes_what_the_documentation_says(height, width, n_segments):
    plan = plan_segments(height, width, n_segments)
    profiles = parse_profiles(ENGINE_SIZES)
    for batch in (1, ONNX_BATCH):
        assert any(profile.holds((batch, plan.working_height, plan.working_width)) for profile in profiles)


def test_what_is_refused(tmp_path):
    models, engine = tmp_path / "models", tmp_path / "x.engine"
    with pytest.raises(UsageError, match="Triton runs engines of the full TensorRT, not of 'tensorrt-rtx'; build one with"):
        add_engine(models, MODEL, engine_file(engine, (1, 1), package="tensorrt-rtx"))
    with pytest.raises(UsageError, match=r"takes inputs of 8x320x480, 2x320x480\.\.4x320x480 alone, but Triton also sends single images"):
        add_engine(models, MODEL, engine_file(engine, (8, 8), (2, 4)))
    engine_file(engine, (1, 1))
    sidecar(engine).write_text(sidecar(engine).read_text().replace(hashlib.sha256(read_model(MODEL)[0]).hexdigest(), "0" * 64))
    with pytest.raises(ModelError, match=r"x\.engine was not built from .*ainet\.onnx: onnx_sha256 differs") as caught:
        add_engine(models, MODEL, engine)
    assert str(caught.value).endswith(f"or build it again with: ainet build {MODEL} -o {engine} --size 320x480")
    engine_file(engine, (1, 1)).write_bytes(b"pla")
    with pytest.raises(ModelError, match=r"x\.engine is damaged"):
        add_engine(models, MODEL, engine)
    sidecar(engine).unlink()
    with pytest.raises(ModelError, match="no readable sidecar"):
        add_engine(models, MODEL, engine)
    with pytest.raises(ModelError, match=r"cannot read .*gone\.onnx"):
        add_onnx(models, tmp_path / "gone.onnx")
    (tmp_path / "cut.onnx").write_bytes(MODEL.read_bytes()[:5000])
    with pytest.raises(ModelError, match="is not a whole ONNX file"):
        add_onnx(models, tmp_path / "cut.onnx")
    assert not models.exists()


def test_a_model_in_the_repository_is_never_overwritten(tmp_path):
    add_onnx(tmp_path, MODEL)
    (tmp_path / "ainet/config.pbtxt").write_text("by hand")
    with pytest.raises(OutputError, match=r"cannot write .*ainet: it is there already; remove it, or choose another place"):
        add_onnx(tmp_path, MODEL)
    assert (tmp_path / "ainet/config.pbtxt").read_text() == "by hand"
    assert [path.name for path in tmp_path.iterdir()] == ["ainet"]


# Commands


def build_as_tensorrt(monkeypatch):
    """The builder stands in: it takes the sizes and leaves files as the full TensorRT would."""

    def build(model, path, sizes, *_):
        info = EngineInfo.load(engine_file(path, (1, 1), model=Path(model)))
        sidecar(path).write_text(replace(info, profiles=parse_profiles(sizes)).to_json())
        return EngineInfo.load(path)

    for command in ("build", "export"):
        monkeypatch.setattr(f"ainet.cli.{command}.load_package", lambda name=None: SimpleNamespace(name="tensorrt"))
    monkeypatch.setattr("ainet.export.engine.build_engine", build)


def test_export_and_build_add_to_one_repository(tmp_path, monkeypatch):
    build_as_tensorrt(monkeypatch)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["export", "-o", "new/model.engine", "--triton", "models", "--output", "logits"])
    assert result.exit_code == 0
    assert "models/ainet-lite_tensorrt: model of a Triton server" in " ".join(result.output.split())
    assert sorted(str(path) for path in Path().rglob("*") if path.is_file()) == [
        "models/ainet-lite/1/model.onnx",
        "models/ainet-lite/config.pbtxt",
        "models/ainet-lite_tensorrt/1/model.plan",
        "models/ainet-lite_tensorrt/config.pbtxt",
        "new/model.engine",
        "new/model.engine.json",
        "new/model.onnx",
    ]
    assert Path("new/model.onnx").read_bytes() == Path("models/ainet-lite/1/model.onnx").read_bytes()
    batches = {name: config_of(Path("models", name)).max_batch_size for name in ("ainet-lite", "ainet-lite_tensorrt")}
    assert batches == {"ainet-lite": 8, "ainet-lite_tensorrt": 8}
    profiles = EngineInfo.load("new/model.engine").profiles
    assert [str(profile) for profile in profiles] == ["1x320x480..8x320x480", "1x480x320..8x480x320", "1x16x16..8x640x640"]
    assert described(config_of(Path("models/ainet-lite")).output) == [("logits", "TYPE_FP32", [9, -1, -1])]


def test_sizes_that_are_named_are_taken_as_they_are(tmp_path, monkeypatch):
    build_as_tensorrt(monkeypatch)
    arguments = ["build", MODEL, "-o", tmp_path / "x.engine", "--triton", tmp_path / "models", "--size", "320x480..4x320x480"]
    assert CliRunner().invoke(app, [*map(str, arguments)]).exit_code == 0
    assert config_of(tmp_path / "models/ainet_tensorrt").max_batch_size == 4
    assert len(EngineInfo.load(tmp_path / "x.engine").profiles) == 1


def test_export_refuses_what_triton_cannot_run_before_it_writes(tmp_path, monkeypatch):
    monkeypatch.setattr("ainet.cli.export.load_package", lambda name=None: SimpleNamespace(name="tensorrt-rtx"))
    result = CliRunner().invoke(app, ["export", "-o", str(tmp_path / "x.engine"), "--triton", str(tmp_path / "models")])
    assert isinstance(result.exception, UsageError)
    assert str(result.exception).startswith(
        "Triton runs engines of the full TensorRT, not of 'tensorrt-rtx'; build one with: ainet build MODEL.onnx --package tensorrt, "
    )
    assert not list(tmp_path.iterdir())


def test_build_refuses_what_triton_cannot_run_before_it_builds(tmp_path, monkeypatch):
    monkeypatch.setattr("ainet.cli.build.load_package", lambda name: SimpleNamespace(name=name))
    arguments = ["build", MODEL, "-o", tmp_path / "x.engine", "--package", "tensorrt-rtx", "--triton", tmp_path / "models"]
    result = CliRunner().invoke(app, [*map(str, arguments)])
    assert isinstance(result.exception, UsageError)
    assert "not of 'tensorrt-rtx'" in str(result.exception)
    assert not list(tmp_path.iterdir())


def test_export_needs_a_place():
    result = CliRunner().invoke(app, ["export"])
    assert isinstance(result.exception, UsageError)
    assert str(result.exception) == "nothing to write: name a file with -o, a Triton model repository with --triton, or a folder with --hub"
