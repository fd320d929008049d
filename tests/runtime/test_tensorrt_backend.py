"""The TensorRT backend over stand-ins: a module in which only the real names exist, and a GPU whose memory is the host's."""

import hashlib
import importlib.util
from dataclasses import replace
from unittest.mock import NonCallableMagicMock

import numpy as np
import pytest
import tensorrt_names
from host_kernels import HostGpu, resize, view

from ainet import Segmenter
from ainet.errors import DeviceError, ModelError, UsageError
from ainet.runtime.backends import open_backend, tensorrt
from ainet.runtime.cuda.driver import OutOfMemoryError
from ainet.runtime.engine_file import EngineInfo, Profile, sidecar
from ainet.runtime.flavours import Flavour
from ainet.runtime.model import ModelInfo
from ainet.runtime.pipeline import run_pipeline
from ainet.runtime.plan import Plan
from ainet.runtime.postprocess import assign, normalise, postprocess
from ainet.spec import MEAN

NAMES = dict(tensorrt_names.RECORDED)
if importlib.util.find_spec("tensorrt_rtx"):
    import tensorrt_rtx

    NAMES[tensorrt_rtx.__version__] = tensorrt_names.names_of(tensorrt_rtx)
VERSIONS = sorted(NAMES)
CONTENT = bytes(range(256)) * 40
PROFILES = (Profile((1, 16, 16), (2, 64, 96)), Profile((1, 32, 48), (1, 32, 48)))


def scores(image):
    return np.stack([np.abs(image[:, k % 3] - k / 9 + 0.3) for k in range(9)], 1).astype(np.float32)


class Logger:
    errors: list = []  # noqa: RUF012


class Host:
    """A machine with TensorRT `version` and a GPU, and an engine file on its disk."""

    def __init__(self, folder, monkeypatch, version, output="logits"):
        self.output = output
        names = NAMES[version]
        stand_in = tensorrt_names.StandIn(names, version, "{}")
        self.flavour = Flavour("tensorrt", stand_in.api, Logger())
        self.flavour.logger.errors = []
        self.gpu, self.contexts = HostGpu(), []
        self.runtime = stand_in.api.Runtime()
        engine = self.runtime.deserialize_cuda_engine()
        engine.num_io_tensors = 2
        engine.get_tensor_name.side_effect = ["result", "image"].__getitem__
        modes = stand_in.api.TensorIOMode
        engine.get_tensor_mode.side_effect = {"result": modes.OUTPUT, "image": modes.INPUT}.__getitem__
        engine.create_execution_context.side_effect = lambda: self.context(names["IExecutionContext"])
        self.engine = engine
        monkeypatch.setattr(tensorrt, "load_flavour", lambda name: self.flavour)
        monkeypatch.setattr(tensorrt, "Gpu", lambda index: self.gpu)
        self.info = EngineInfo(
            flavour="tensorrt",
            version=version,
            compute_capabilities=("sm90",),
            profiles=PROFILES,
            model=ModelInfo("ainet", output, "fp16", MEAN, "a" * 64, {}, "0"),
            onnx_sha256="b" * 64,
            plan_sha256=hashlib.sha256(CONTENT).hexdigest(),
            layer_precisions={},
        )
        self.path = folder / "model.engine"
        self.path.write_bytes(CONTENT)
        sidecar(self.path).write_text(self.info.to_json())

    def context(self, names):
        context = NonCallableMagicMock(spec_set=names)
        context.execute_async_v3.side_effect = lambda stream: self.gpu.enqueue(stream, "network", lambda: self.infer(context)) or True
        self.contexts.append(context)
        return context

    def infer(self, context):
        addresses = dict(call.args for call in context.set_tensor_address.call_args_list)
        (_, shape), *_ = (call.args for call in context.set_input_shape.call_args_list)
        if self.output == "labels":
            image = view(addresses["image"], shape, np.uint8)
            view(addresses["result"], shape[:3], np.int32)[...] = assign(scores(normalise(image, MEAN)), *shape[1:3])
        else:
            view(addresses["result"], (shape[0], 9, *shape[2:]), np.float32)[...] = scores(view(addresses["image"], shape, np.float32))


@pytest.fixture(params=VERSIONS)
def host(request, tmp_path, monkeypatch):
    return Host(tmp_path, monkeypatch, request.param)


def photos(count, height, width):
    coarse = np.random.default_rng(0).integers(0, 256, (count, height // 6 + 1, width // 6 + 1, 3), dtype=np.uint8)
    return np.ascontiguousarray(coarse.repeat(6, 1).repeat(6, 2)[:, :height, :width])


@pytest.mark.parametrize("output", ["logits", "labels"])
def test_images_become_labels(tmp_path, monkeypatch, output):
    host = Host(tmp_path, monkeypatch, VERSIONS[-1], output)
    backend = open_backend(host.path, "tensorrt")
    assert backend.name == f"tensorrt {VERSIONS[-1]} (CUDA 0)"
    plan = Plan(50, 75, 64, 96, 4, 400)
    images = photos(3, 50, 75)
    expected = postprocess(scores(normalise(resize(images, (64, 96)), MEAN)), 50, 75, 4, 400)
    np.testing.assert_array_equal(run_pipeline(backend, images, plan), expected)
    host.runtime.deserialize_cuda_engine.assert_called_with(CONTENT)
    assert len(host.gpu.graphs) == 2  # of two images and of one: the profile ends at two
    shapes = [context.set_input_shape.call_args.args[1] for context in host.contexts]
    assert shapes == ([(2, 64, 96, 3), (1, 64, 96, 3)] if output == "labels" else [(2, 3, 64, 96), (1, 3, 64, 96)])
    backend.close()
    assert host.gpu.memory == {}


def test_a_context_for_each_shape_takes_the_smallest_profile(host):
    backend = open_backend(host.path, "auto")
    for size in ((32, 48), (64, 96), (32, 48)):
        planes = np.random.default_rng(0).random((1, 3, *size), dtype=np.float32)
        np.testing.assert_array_equal(backend.run(planes), scores(planes))
    first, second = host.contexts
    (stream,) = host.gpu.streams
    first.set_optimization_profile_async.assert_called_once_with(1, stream)
    second.set_optimization_profile_async.assert_called_once_with(0, stream)


@pytest.mark.parametrize(("count", "batches"), [(1, [1]), (3, [1]), (5, [4, 1]), (8, [4])])
def test_profiles_of_several_batches(host, count, batches):
    info = replace(host.info, profiles=(Profile((1, 32, 48), (1, 32, 48)), Profile((4, 16, 16), (4, 64, 96))))
    sidecar(host.path).write_text(info.to_json())
    backend = open_backend(host.path, "tensorrt")
    assert backend.labels(photos(count, 30, 40), Plan(30, 40, 32, 48, 4, 400)).shape == (count, 30, 40)
    assert [context.set_input_shape.call_args.args[1][0] for context in host.contexts] == batches
    with pytest.raises(ModelError, match="not 3x64x96"):
        backend.labels(photos(3, 60, 90), Plan(60, 90, 64, 96, 4, 400))


def test_a_segmenter_of_an_engine(host):
    with Segmenter.load(host.path) as segmenter:
        labels = segmenter(photos(1, 60, 90)[0], 24)
    assert labels.shape == (60, 90)
    assert labels.max() > 3
    assert host.gpu.memory == {}


def test_a_shape_outside_the_profiles(host):
    backend = open_backend(host.path, "tensorrt")
    with pytest.raises(ModelError, match=r"takes inputs of .*not 1x128x64; build one with: ainet build --size 1x128x64"):
        run_pipeline(backend, photos(1, 120, 60), Plan(120, 60, 128, 64, 4, 400))
    with pytest.raises(ModelError, match=r"not 3x16x16"):
        backend.run(np.zeros((3, 3, 16, 16), np.float32))


def test_an_engine_that_fails(host):
    backend = open_backend(host.path, "tensorrt")

    def out_of_memory():
        host.flavour.logger.errors.append("createExecutionContext: out of memory")

    host.engine.create_execution_context.side_effect = out_of_memory
    with pytest.raises(OutOfMemoryError, match=r"failed on an input of 1x16x16: .*out of memory; try a smaller one"):
        backend.run(np.zeros((1, 3, 16, 16), np.float32))
    assert host.gpu.memory == {}


def test_a_run_that_fails(host):
    def failing():
        context = host.context(NAMES[host.info.version]["IExecutionContext"])
        context.execute_async_v3.side_effect = lambda stream: host.flavour.logger.errors.append("Myelin: illegal address")
        return context

    host.engine.create_execution_context.side_effect = failing
    with pytest.raises(DeviceError, match=r"failed on an input of 1x32x48: Myelin: illegal address"):
        run_pipeline(open_backend(host.path, "tensorrt"), photos(1, 30, 40), Plan(30, 40, 32, 48, 4, 400))
    assert host.gpu.memory == {}


def test_another_gpu_or_version(host):
    host.gpu.capability = "sm86"
    with pytest.raises(ModelError, match=r"built for another machine \(compute capability is sm90, this GPU has sm86\)"):
        open_backend(host.path, "tensorrt")
    host.flavour.api.__version__ = "10.0.1"
    with pytest.raises(ModelError, match=rf"version is {host.info.version}, here it is 10\.0\.1; compute capability"):
        open_backend(host.path, "tensorrt")
    host.runtime.deserialize_cuda_engine.assert_called_once_with()  # by the fixture: the library never saw the plan


@pytest.mark.parametrize("damage", [CONTENT[:-1], b"", np.random.default_rng(0).bytes(999)])
def test_a_damaged_plan_never_reaches_the_library(host, damage):
    host.path.write_bytes(damage)
    with pytest.raises(ModelError, match=r"model\.engine is damaged"):
        open_backend(host.path, "tensorrt")
    host.runtime.deserialize_cuda_engine.assert_called_once_with()


def test_a_plan_that_the_library_refuses(host):
    host.runtime.deserialize_cuda_engine.return_value = None
    with pytest.raises(ModelError, match=r"cannot load .*model\.engine: it gave no reason; build it again"):
        open_backend(host.path, "tensorrt")


def test_a_missing_sidecar(host):
    sidecar(host.path).unlink()
    with pytest.raises(ModelError, match="no readable sidecar"):
        open_backend(host.path, "tensorrt")


def test_engines_and_devices_that_do_not_belong_together(host, tmp_path):
    with pytest.raises(UsageError, match="is a TensorRT engine, which device 'cpu' does not run; choose tensorrt"):
        open_backend(host.path, "cpu")
    onnx = tmp_path / "model.onnx"
    onnx.touch()
    with pytest.raises(ModelError, match=r"runs engine files, not .*model\.onnx; make one with: ainet build"):
        open_backend(onnx, "tensorrt:1")


def test_no_gpu(tmp_path, monkeypatch):
    host = Host(tmp_path, monkeypatch, VERSIONS[0])

    def missing(index):
        raise DeviceError(f"GPU {index} cannot be used")

    monkeypatch.setattr(tensorrt, "Gpu", missing)
    with pytest.raises(DeviceError, match="GPU 2 cannot be used"):
        open_backend(host.path, "tensorrt:2")
