"""PyTorch between the kernels on the emulated GPU: what is asked of `torch.cuda`, by a stand-in for its streams and graphs; the
module runs on the CPU, over the memory of the emulated GPU."""

import inspect
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from support.gpu_networks import PLAN, labels_of_planes, photos
from support.host_memory import enqueue_host_function, view

from ainet.errors import DeviceError
from ainet.runtime.backends import pytorch
from ainet.runtime.backends.pytorch import TorchNetwork
from ainet.runtime.cuda.errors import OutOfMemoryError
from ainet.runtime.cuda.pipeline import GpuPipeline
from ainet.runtime.model import ModelInfo
from ainet.spec import MEAN

pytestmark = pytest.mark.gpu

torch = pytest.importorskip("torch")
REAL_GRAPH = inspect.signature(torch.cuda.graph)
INFO = ModelInfo("none", "logits", "fp32", MEAN, "0" * 64, {}, "0")


class InStream(TorchNetwork):
    """Its work is done on the CPU, in the order of the stream."""

    def prepare(self, shape, image, output, stream, allocate):
        work = super().prepare(shape, image, output, stream, allocate)

        def enqueue():
            work()  # fails here if it does
            assert enqueue_host_function(stream, work)

        return enqueue


class Cuda:
    """Streams and graphs of `torch.cuda`; what they are asked for has to fit PyTorch's real ones."""

    def __init__(self, gpu, monkeypatch):
        self.gpu, self.current, self.captured, self.replays, self.emptied, self.fails = gpu, 0, [], 0, 0, None
        self.capturing = False
        self.module = lambda planes: planes.repeat(1, 3, 1, 1)
        for name in ("stream", "graph", "CUDAGraph", "current_stream", "empty_cache"):
            monkeypatch.setattr(torch.cuda, name, getattr(self, name))
        monkeypatch.setattr(torch.cuda, "ExternalStream", lambda stream, device: stream)
        monkeypatch.setattr(pytorch, "_Memory", view)

    def pipeline(self, precision="fp32"):
        info = replace(INFO, precision=precision)
        return GpuPipeline(self.gpu, InStream(lambda planes: self.module(planes), info, "cpu"), "PyTorch")

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
        assert not self.capturing
        self.emptied += 1

    def CUDAGraph(self):  # noqa: N802 - PyTorch's name
        graph = SimpleNamespace(stream=None, made=None)

        def replay():
            assert self.current == graph.stream
            self.replays += 1
            graph.made.launch(self.handle(graph.stream))

        def reset():
            self.captured.remove(graph)
            graph.made.close()

        graph.replay, graph.reset = replay, reset
        return graph

    @contextmanager
    def graph(self, graph, **options):
        assert REAL_GRAPH.bind(graph, **options).arguments["capture_error_mode"] == "thread_local"
        self.current = graph.stream = options["stream"]
        builder = self.handle(graph.stream).create_graph_builder().begin_building(mode="thread_local")
        self.capturing = True
        try:
            yield
        except Exception as error:
            builder.close()
            raise RuntimeError(
                "operation failed due to a previous error during capture"
            ) from error  # and the stream stays, as with PyTorch
        finally:
            self.capturing = False
        if self.fails:
            builder.close()
            raise RuntimeError(self.fails)
        graph.made = builder.end_building().complete()
        self.captured.append(graph)
        self.current = 0

    @staticmethod
    def handle(stream):
        from cuda.core import Stream

        return Stream.from_handle(stream)


@pytest.fixture
def cuda(gpu, emulator, monkeypatch):
    before = emulator.allocations()
    made = Cuda(gpu, monkeypatch)
    yield made
    assert made.current == 0
    assert emulator.allocations() == before


def test_the_module_and_our_kernels_are_one_graph(cuda, device, emulator):
    pipeline = cuda.pipeline()
    for run in range(1, 4):
        images = photos(2, PLAN, seed=run)
        wanted = labels_of_planes(images, PLAN)
        launches = emulator.calls("cuLaunchKernel")
        np.testing.assert_array_equal(pipeline.labels(images, PLAN), wanted)
        assert cuda.replays == run
        assert (emulator.calls("cuLaunchKernel") == launches) == (run > 1)
    assert len(cuda.captured) == 1
    pipeline.close()
    pipeline.close()
    assert (cuda.captured, cuda.emptied) == ([], 1)


def test_half_precision_lies_channels_last(cuda):
    seen = []

    def module(planes):
        seen.append((planes.dtype, planes.is_contiguous(memory_format=torch.channels_last)))
        return planes.repeat(1, 3, 1, 1)

    cuda.module = module
    pipeline = cuda.pipeline("fp16")
    images = photos(2, PLAN)
    labels = pipeline.labels(images, PLAN)
    assert set(seen) == {(torch.float16, True)}
    np.testing.assert_array_equal(labels, labels_of_planes(images, PLAN, "float16"))
    pipeline.close()


def test_convolutions_are_measured_and_the_setting_stays_the_callers(cuda):
    seen = []

    def module(planes):
        seen.append(torch.backends.cudnn.benchmark)
        return planes.repeat(1, 3, 1, 1)

    cuda.module = module
    pipeline = cuda.pipeline()
    pipeline.labels(photos(2, PLAN), PLAN)
    pipeline.close()
    assert set(seen) == {True}
    assert not torch.backends.cudnn.benchmark


def test_a_capture_that_fails(cuda):
    cuda.fails = "CUDA error: operation would make the legacy stream depend on a capturing blocking stream\nCompile with"
    pipeline = cuda.pipeline()
    with pytest.raises(DeviceError, match=r"^PyTorch cannot capture this model as a CUDA graph: CUDA error: .* blocking stream$"):
        pipeline.labels(photos(2, PLAN), PLAN)
    cuda.fails = None
    pipeline.labels(photos(2, PLAN), PLAN)
    pipeline.close()


def test_what_went_wrong_in_a_capture_is_named(cuda):
    def module(planes):
        if cuda.capturing:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return planes.repeat(1, 3, 1, 1)

    cuda.module = module
    pipeline = cuda.pipeline()
    with pytest.raises(OutOfMemoryError, match=r"as a CUDA graph: PyTorch failed on an input of 1x.*: CUDA out of memory"):
        pipeline.labels(photos(2, PLAN), PLAN)
    assert cuda.emptied > 0  # before smaller chunks were tried
    pipeline.close()
