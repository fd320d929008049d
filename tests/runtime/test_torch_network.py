"""PyTorch between the kernels: what is asked of `torch.cuda`, by a stand-in for its streams and graphs; the module runs on the CPU."""

import inspect
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest
from support import host_kernels
from support.host_kernels import HostGpu, view

from ainet.errors import DeviceError
from ainet.runtime.cuda import guests
from ainet.runtime.cuda.captures import CAPTURES
from ainet.runtime.cuda.driver import OutOfMemoryError
from ainet.runtime.cuda.guests import TorchNetwork
from ainet.runtime.cuda.pipeline import GpuPipeline
from ainet.runtime.model import ModelInfo
from ainet.runtime.plan import plan_segments
from ainet.runtime.postprocess import normalise, postprocess
from ainet.spec import MEAN

torch = pytest.importorskip("torch")
REAL_GRAPH = inspect.signature(torch.cuda.graph)

INFO = ModelInfo("none", "logits", "fp32", MEAN, "0" * 64, {}, "0")
PLAN = plan_segments(70, 93, 24)
IMAGES = np.random.default_rng(0).integers(0, 256, (2, 9, 12, 3), dtype=np.uint8).repeat(8, 1).repeat(8, 2)[:, :70, :93]


class Streamed(TorchNetwork):
    """Its work on the CPU is also part of what the `HostGpu` captures."""

    def __init__(self, module, gpu):
        super().__init__(module, INFO, "cpu")
        self.gpu = gpu

    def prepare(self, shape, image, output, stream, allocate):
        enqueue = super().prepare(shape, image, output, stream, allocate)

        def both():
            if self.gpu._capturing:
                enqueue()
            self.gpu.enqueue(stream, "network", enqueue)

        return both


class Cuda:
    """Streams and graphs are those of a `HostGpu`; what they are asked for has to fit PyTorch's real ones."""

    def __init__(self, gpu, monkeypatch):
        self.gpu, self.current, self.captured, self.replays, self.emptied, self.fails = gpu, 0, [], 0, 0, None
        self.module = lambda planes: planes.repeat(1, 3, 1, 1)
        for name in ("stream", "graph", "CUDAGraph", "current_stream", "empty_cache"):
            monkeypatch.setattr(torch.cuda, name, getattr(self, name))
        monkeypatch.setattr(torch.cuda, "ExternalStream", lambda stream, device: stream)
        monkeypatch.setattr(guests, "_Floats", lambda address, shape: view(address, shape, np.float32))

    def pipeline(self):
        return GpuPipeline(self.gpu, Streamed(lambda planes: self.module(planes), self.gpu), "PyTorch")

    @contextmanager
    def stream(self, stream):
        before, self.current = self.current, stream
        try:
            yield
        finally:
            self.current = before

    def current_stream(self):
        return self.current

    def empty_cache(self):
        assert not self.gpu._capturing
        self.emptied += 1

    def CUDAGraph(self):  # noqa: N802 - PyTorch's name
        graph = SimpleNamespace(stream=None, steps=None)

        def replay():
            assert self.current == graph.stream
            self.replays += 1
            for _, step in graph.steps:
                step()

        graph.replay, graph.reset = replay, lambda: self.captured.remove(graph)
        return graph

    @contextmanager
    def graph(self, graph, **options):
        assert REAL_GRAPH.bind(graph, **options).arguments["capture_error_mode"] == "thread_local"
        assert CAPTURES._capturing
        self.current = graph.stream = options["stream"]
        self.gpu._capturing[graph.stream] = []
        before = self.current_stream()
        try:
            yield
        except Exception as error:
            raise RuntimeError(
                "operation failed due to a previous error during capture"
            ) from error  # and the stream stays, as with PyTorch
        finally:
            graph.steps = self.gpu._capturing.pop(graph.stream)
        if self.fails:
            raise RuntimeError(self.fails)
        self.captured.append(graph)
        self.current = 0
        assert before == graph.stream


@pytest.fixture
def cuda(monkeypatch):
    return Cuda(HostGpu(), monkeypatch)


def test_the_module_and_our_kernels_are_one_graph(cuda):
    pipeline = cuda.pipeline()
    for run in range(1, 4):
        images = np.roll(IMAGES, 11 * run, axis=1)
        planes = normalise(host_kernels.resize(images, (PLAN.working_height, PLAN.working_width)), MEAN)
        expected = postprocess(planes.repeat(3, 0).reshape(2, 9, *planes.shape[2:]), 70, 93, PLAN.min_size, PLAN.max_size)
        np.testing.assert_array_equal(pipeline.labels(images, PLAN), expected)
        assert cuda.replays == run
    (graph,) = cuda.captured
    assert [name for name, _ in graph.steps][:3] == ["resize_to_floats", "network", "assign_floats"]
    assert cuda.gpu.graphs == []  # not by the GPU's own way
    assert cuda.current == 0
    pipeline.close()
    assert (cuda.captured, cuda.gpu.memory, cuda.emptied) == ([], {}, 1)


def test_a_capture_that_fails(cuda):
    cuda.fails = "CUDA error: operation would make the legacy stream depend on a capturing blocking stream\nCompile with"
    with pytest.raises(DeviceError, match=r"^PyTorch cannot capture this model as a CUDA graph: CUDA error: .* blocking stream$"):
        cuda.pipeline().labels(IMAGES, PLAN)
    assert cuda.current == 0
    assert cuda.gpu.memory == {}
    assert not CAPTURES._capturing


def test_what_went_wrong_in_a_capture_is_named(cuda):
    def module(planes):
        if cuda.gpu._capturing:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return planes.repeat(1, 3, 1, 1)

    cuda.module = module
    with pytest.raises(OutOfMemoryError, match=r"as a CUDA graph: PyTorch failed on an input of 1x.*: CUDA out of memory"):
        cuda.pipeline().labels(IMAGES, PLAN)
    assert cuda.current == 0
    assert cuda.gpu.memory == {}
    assert cuda.emptied == 2  # before the second try with two images, and with one
