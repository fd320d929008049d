"""Device "cuda": ONNX Runtime between the kernels, over a session that knows addresses and the names of the real one, and no GPU."""

import sys
from types import SimpleNamespace
from unittest.mock import NonCallableMagicMock

import numpy as np
import pytest
from support import host_kernels
from support.host_kernels import HostGpu, view

from ainet import Segmenter
from ainet.errors import DeviceError
from ainet.models import bundled
from ainet.runtime.cuda.driver import OutOfMemoryError
from ainet.runtime.plan import plan_segments
from ainet.runtime.postprocess import normalise, postprocess
from ainet.spec import MEAN

onnxruntime = pytest.importorskip("onnxruntime")
backend = pytest.importorskip("ainet.runtime.backends.onnx_runtime")
create = onnxruntime.InferenceSession

PLAN = plan_segments(60, 90, 24)
IMAGES = np.random.default_rng(0).integers(0, 256, (3, 10, 15, 3), dtype=np.uint8).repeat(6, 1).repeat(6, 2)


class Host:
    """A machine with a GPU whose memory is the host's, and ONNX Runtime for CUDA. `batches`: what ran; `most`: images that fit."""

    def __init__(self, monkeypatch):
        self.gpu, self.batches, self.most, self.opened = HostGpu(), [], 100, []
        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"])
        monkeypatch.setattr(onnxruntime, "InferenceSession", self.session)
        monkeypatch.setattr(backend, "Gpu", lambda index: self.gpu)

    def session(self, model, options, providers, enable_fallback):
        self.opened = providers
        self.real = create(model, options, providers=["CPUExecutionProvider"])
        session = NonCallableMagicMock(spec_set=create)
        session.get_providers.return_value = ["CUDAExecutionProvider", "CPUExecutionProvider"]
        for name in ("get_modelmeta", "get_inputs", "get_outputs"):
            getattr(session, name).side_effect = getattr(self.real, name)
        session.io_binding.side_effect = lambda: NonCallableMagicMock(spec_set=onnxruntime.IOBinding)
        session.run_with_iobinding.side_effect = self.run
        return session

    def run(self, binding):
        (name, *place, kind, shape, address) = binding.bind_input.call_args.args
        (output, *out_place, out_kind, out_shape, out_address) = binding.bind_output.call_args.args
        assert place == out_place == ["cuda", 0]
        self.batches.append(shape[0])
        if shape[0] > self.most:
            raise RuntimeError("BFCArena::AllocateRawInternal Failed to allocate memory for requested buffer of size 1\nat line 5")
        view(out_address, out_shape, out_kind)[...] = self.real.run([output], {name: view(address, shape, kind)})[0]


@pytest.fixture(scope="module")
def labels_model(tmp_path_factory):
    pytest.importorskip("onnxscript")
    from ainet.export.onnx import export_onnx
    from ainet.training.checkpoint import load_checkpoint

    path = tmp_path_factory.mktemp("onnx") / "labels.onnx"
    export_onnx(load_checkpoint(bundled("ainet.safetensors")), path, output="labels")
    return path


@pytest.fixture
def host(monkeypatch):
    return Host(monkeypatch)


def expected(images):
    """By the network on the CPU, between the steps of the CPU and the resize of the GPU's twin."""
    planes = normalise(host_kernels.resize(images, (PLAN.working_height, PLAN.working_width)), MEAN)
    (scores,) = create(bundled("ainet.onnx"), providers=["CPUExecutionProvider"]).run(None, {"image": planes})
    return postprocess(scores, PLAN.height, PLAN.width, PLAN.min_size, PLAN.max_size)


def test_all_steps_run_on_the_gpu(host):
    with Segmenter.load(device="cuda") as segmenter:
        assert segmenter.device == "ONNX Runtime (CUDA 0)"
        (name, options), rest = host.opened
        assert (name, options["device_id"], options["use_tf32"], rest) == ("CUDAExecutionProvider", 0, 0, "CPUExecutionProvider")
        labels = segmenter(IMAGES, 24, quality="fast")
        np.testing.assert_array_equal(labels, expected(IMAGES))
        assert labels.max() > 12
        assert host.gpu.graphs == []  # ONNX Runtime cannot be captured
    assert host.gpu.memory == {}


def test_a_graph_that_gives_labels(labels_model, host):
    with Segmenter.load(labels_model, "cuda") as segmenter:
        assert (segmenter(IMAGES, 24, quality="fast") == expected(IMAGES)).mean() > 0.999  # the graph normalises by itself


def test_auto_takes_it_first(host):
    with Segmenter.load() as segmenter:
        assert segmenter.device == "ONNX Runtime (CUDA 0)"


def test_too_little_memory_for_a_batch(host):
    host.most = 1
    with Segmenter.load(device="cuda") as segmenter:
        np.testing.assert_array_equal(segmenter(IMAGES, 24, quality="fast"), expected(IMAGES))
        assert sorted(set(host.batches)) == [1, 3]
        host.most = 0
        with pytest.raises(OutOfMemoryError, match=r"ONNX Runtime failed on an input of 1x64x96: .* of size 1; try a smaller one$"):
            segmenter(IMAGES[0], 24, quality="fast")


def test_an_engine_that_fails(host, monkeypatch):
    with Segmenter.load(device="cuda") as segmenter:
        monkeypatch.setattr(host, "real", SimpleNamespace(run=lambda names, inputs: 1 / 0))
        with pytest.raises(DeviceError, match=r"ONNX Runtime failed on an input of 3x64x96: division by zero; try a smaller one$"):
            segmenter(IMAGES, 24, quality="fast")
        assert host.gpu.memory == {}


def test_without_cuda_bindings(host, monkeypatch):
    monkeypatch.undo()
    Host(monkeypatch)
    monkeypatch.setattr(backend, "Gpu", sys.modules["ainet.runtime.cuda.driver"].Gpu)
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", None)
    with pytest.raises(DeviceError, match=r"needs the package cuda-bindings .*: pip install cuda-bindings$"):
        Segmenter.load(device="cuda")
    with Segmenter.load() as segmenter:
        assert segmenter.device in ("OpenVINO (CPU)", "ONNX Runtime (CPU)")


def test_libraries_of_cuda_are_looked_for_quietly(host, monkeypatch, capfd):
    def preload():
        print("Failed to load libcublasLt.so.13")

    monkeypatch.setattr(onnxruntime, "preload_dlls", preload)
    Segmenter.load(device="cuda").close()
    assert capfd.readouterr() == ("", "")
