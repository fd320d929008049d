"""Device "cuda" on the emulated GPU: ONNX Runtime between the kernels, by a stand-in with the names of the real session, which
computes on the CPU."""

import sys
from unittest.mock import NonCallableMagicMock

import numpy as np
import pytest
from support.host_memory import view
from support.planes import normalise

from ainet import Segmenter
from ainet.errors import DeviceError
from ainet.models import DEFAULT, ONNX, bundled, bundled_checkpoint
from ainet.runtime.cuda.errors import OutOfMemoryError
from ainet.runtime.plan import plan_segments
from ainet.runtime.postprocess import postprocess
from ainet.spec import MEAN

pytestmark = pytest.mark.gpu

onnxruntime = pytest.importorskip("onnxruntime")
create = onnxruntime.InferenceSession

PLAN = plan_segments(60, 90, 24)
IMAGES = np.random.default_rng(0).integers(0, 256, (3, 10, 15, 3), dtype=np.uint8).repeat(6, 1).repeat(6, 2)


class Host:
    """A machine with ONNX Runtime for CUDA. `batches`: what ran; `most`: images that fit; `fault`: what a run raises."""

    def __init__(self, monkeypatch):
        self.batches, self.most, self.opened, self.fault = [], 100, [], None
        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"])
        monkeypatch.setattr(onnxruntime, "InferenceSession", self.session)

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
        if self.fault is not None:
            raise self.fault
        if shape[0] > self.most:
            raise RuntimeError("BFCArena::AllocateRawInternal Failed to allocate memory for requested buffer of size 1\nat line 5")
        view(out_address, out_shape, out_kind)[...] = self.real.run([output], {name: view(address, shape, kind)})[0]


@pytest.fixture(scope="module")
def labels_model(tmp_path_factory):
    pytest.importorskip("onnxscript")
    from ainet.export.onnx import export_onnx
    from ainet.training.checkpoint import load_checkpoint

    path = tmp_path_factory.mktemp("onnx") / "labels.onnx"
    export_onnx(load_checkpoint(bundled_checkpoint()), path, output="labels")
    return path


@pytest.fixture
def host(monkeypatch, emulator):
    return Host(monkeypatch)


@pytest.fixture
def expected(device):
    """By the network on the CPU, between the resize of the GPU and the steps of the CPU."""

    def labels(images, smoothing=1):
        planes = normalise(device.resize(images, (PLAN.working_height, PLAN.working_width)), MEAN)
        (scores,) = create(bundled(DEFAULT + ONNX), providers=["CPUExecutionProvider"]).run(["logits"], {"image": planes})
        return postprocess(scores, PLAN.height, PLAN.width, PLAN.min_size, PLAN.max_size, smoothing=smoothing)

    return labels


def test_all_steps_run_on_the_gpu(host, expected, emulator):
    labels_of_the_cpu, before = expected(IMAGES), emulator.allocations()
    with Segmenter.load(device="cuda") as segmenter:
        assert segmenter.device == "ONNX Runtime (CUDA 0)"
        (name, options), rest = host.opened
        assert (name, options["device_id"], options["use_tf32"], rest) == ("CUDAExecutionProvider", 0, 0, "CPUExecutionProvider")
        graphs = emulator.calls("cuGraphLaunch")
        labels = segmenter(IMAGES, 24, quality="fast")
        np.testing.assert_array_equal(labels, labels_of_the_cpu)
        assert labels.max() > 12
        assert emulator.calls("cuGraphLaunch") == graphs  # ONNX Runtime cannot be captured
    assert emulator.allocations() == before


def test_a_graph_that_gives_labels(labels_model, host, expected):
    with Segmenter.load(labels_model, "cuda") as segmenter:
        labels = segmenter(IMAGES, 24, quality="fast")
    assert (labels == expected(IMAGES, smoothing=0)).mean() > 0.999  # the graph normalises by itself


def test_auto_takes_it_first(host):
    with Segmenter.load() as segmenter:
        assert segmenter.device == "ONNX Runtime (CUDA 0)"


def test_too_little_memory_for_a_batch(host, expected):
    host.most = 1
    with Segmenter.load(device="cuda") as segmenter:
        np.testing.assert_array_equal(segmenter(IMAGES, 24, quality="fast"), expected(IMAGES))
        assert sorted(set(host.batches)) == [1, 3]
        host.most = 0
        with pytest.raises(OutOfMemoryError, match=r"1x64x128: .* of size 1; try a smaller one$"):
            segmenter(IMAGES[0], 30, quality="fast")


def test_an_engine_that_fails(host, emulator):
    before = emulator.allocations()
    with Segmenter.load(device="cuda") as segmenter:
        host.fault = ValueError("a node is at fault")
        with pytest.raises(DeviceError, match="3x64x96: a node is at fault"):
            segmenter(IMAGES, 24, quality="fast")
        assert emulator.allocations() == before


def test_without_cuda_core(host, monkeypatch):
    monkeypatch.setitem(sys.modules, "cuda.core", None)
    with pytest.raises(DeviceError, match=r"pip install cuda-core cuda-bindings$"):
        Segmenter.load(device="cuda")
    with Segmenter.load() as segmenter:
        assert segmenter.device in ("OpenVINO (CPU, int8)", "OpenVINO (CPU)", "ONNX Runtime (CPU)")


def test_libraries_of_cuda_are_looked_for_quietly(host, monkeypatch, capfd):
    def preload():
        print("Failed to load libcublasLt.so.13")

    monkeypatch.setattr(onnxruntime, "preload_dlls", preload)
    Segmenter.load(device="cuda").close()
    assert capfd.readouterr() == ("", "")
