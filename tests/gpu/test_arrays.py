"""Arrays of other libraries in GPU memory: images in, labels out, without a copy through the host."""

import ctypes
import gc
import threading

import numpy as np
import pytest
from support.gpu_networks import PLAN, Planes, labels_of_planes, photos

from ainet import Segmenter
from ainet.errors import ImageError, UsageError
from ainet.runtime.cuda.pipeline import GpuPipeline
from ainet.runtime.plan import Plan, plan_segments

pytestmark = pytest.mark.gpu


class Interface:
    """An array in GPU memory that speaks `__cuda_array_interface__`, with a copy of a host array."""

    def __init__(self, gpu, array, stream=None):
        self.buffer = gpu.allocate(max(1, array.nbytes))
        if array.nbytes:
            copying = gpu.make_stream()
            source = np.ascontiguousarray(array)
            gpu.copy(self.buffer.handle, source.ctypes.data, source.nbytes, copying)
            gpu.synchronize(copying)
        self.__cuda_array_interface__ = {
            "shape": array.shape, "typestr": array.dtype.str, "data": (self.buffer.handle, False), "version": 3, "stream": stream,
            "strides": None if array.flags.c_contiguous else array.strides,
        }  # fmt: skip


class DLPack:
    """The same for DLPack. streams: on which its consumers asked it to be ready."""

    def __init__(self, gpu, array):
        from cuda.core.utils import StridedMemoryView

        self.shape, self.streams = array.shape, []
        self.interface = Interface(gpu, array)
        self.view = StridedMemoryView.from_any_interface(self.interface, stream_ptr=-1)

    def __dlpack_device__(self):
        return self.view.__dlpack_device__()

    def __dlpack__(self, *, stream=None, **options):
        self.streams.append(stream)
        return self.view.__dlpack__(stream=stream, **options)


@pytest.fixture
def network(gpu):
    return Planes(gpu, most=4)


@pytest.fixture
def pipeline(gpu, network):
    made = GpuPipeline(gpu, network, "planes")
    yield made
    made.close()


@pytest.fixture
def downloaded(gpu):
    """A host copy of labels on the GPU."""
    stream = gpu.make_stream()

    def download(labels):
        result = np.empty(labels.shape, np.int32)
        gpu.copy(result.ctypes.data, labels.address, result.nbytes, stream)
        gpu.synchronize(stream)
        return result

    return download


@pytest.mark.parametrize("wrap", [Interface, DLPack])
def test_images_and_labels_stay_on_the_gpu(gpu, device, pipeline, network, downloaded, wrap):
    for seed in range(2):
        images = photos(10, PLAN, seed)
        labels = pipeline.device_labels(wrap(gpu, images), PLAN)
        assert labels.__cuda_array_interface__["typestr"] == "<i4"
        assert labels.__cuda_array_interface__["shape"] == (10, 70, 93)
        np.testing.assert_array_equal(downloaded(labels), labels_of_planes(images, PLAN))
    assert {shape[0] for shape in network.prepared} == {4, 2}


def test_copies_of_images_on_the_gpu_do_not_pass_the_host(gpu, pipeline, emulator):
    images = Interface(gpu, photos(2, PLAN))
    pipeline.device_labels(images, PLAN)
    before = [emulator.calls(name) for name in ("cuGraphLaunch", "cuMemcpyAsync", "cuMemAllocHost")]
    pipeline.device_labels(images, PLAN)
    after = [emulator.calls(name) for name in ("cuGraphLaunch", "cuMemcpyAsync", "cuMemAllocHost")]
    assert np.subtract(after, before).tolist() == [1, 2, 0]


@pytest.mark.parametrize("wrap", [Interface, DLPack])
def test_a_segmenter_of_images_on_the_gpu(gpu, device, pipeline, downloaded, wrap):
    images = photos(2, PLAN)
    wanted = labels_of_planes(images, PLAN)
    segmenter = Segmenter(pipeline)
    batch, single = segmenter(wrap(gpu, images), 24), segmenter(wrap(gpu, images[1]), 24)
    assert (batch.shape, single.shape) == ((2, 70, 93), (70, 93))
    np.testing.assert_array_equal(downloaded(batch), wanted)
    np.testing.assert_array_equal(downloaded(single), wanted[1])
    np.testing.assert_array_equal(segmenter(images, 24, quality="fast", start_label=1), wanted + 1)  # from the host as ever


@pytest.mark.parametrize(
    ("images", "options", "error", "message"),
    [
        (photos(2, PLAN), {"start_label": 1}, UsageError, "start_label=1"),
        (photos(2, PLAN)[..., 0], {}, UsageError, r"not \(2, 70, 93\)"),
        (photos(2, PLAN)[:0], {}, UsageError, r"\(0, 70, 93, 3\)"),
        (photos(2, PLAN).astype(np.float32), {}, UsageError, "float32"),
        (photos(2, PLAN).astype(np.int8), {}, UsageError, "int8"),
        (photos(2, PLAN)[:, :, ::-1], {}, UsageError, "C-contiguous"),
        (photos(2, PLAN), {"n_segments": 3}, UsageError, "n_segments=3"),
        (photos(1, Plan(3000, 3000, 16, 16, 1, 1)), {"n_segments": 17_000}, UsageError, "tiles"),
        (photos(2, PLAN), {"compact": True}, UsageError, "compact=True"),
        (photos(2, PLAN)[:, :8].copy(), {}, ImageError, "too small"),
    ],
)
def test_images_on_the_gpu_that_are_refused(gpu, pipeline, images, options, error, message):
    with pytest.raises(error, match=message):
        Segmenter(pipeline)(Interface(gpu, images), **({"n_segments": 24} | options))


def test_images_of_another_size_than_the_plans(gpu, pipeline):
    with pytest.raises(UsageError, match=r"not \(1, 60, 93, 3\)"):
        pipeline.device_labels(Interface(gpu, photos(1, PLAN)[:, :60].copy()), PLAN)


def test_an_array_that_cannot_be_shared(gpu, pipeline):
    class Unshared(DLPack):
        def __dlpack__(self, **options):
            raise BufferError("it requires gradients")

    with pytest.raises(UsageError, match="it requires gradients"):
        pipeline.device_labels(Unshared(gpu, photos(1, PLAN)), PLAN)


def test_work_of_another_stream_is_waited_for(gpu, device, pipeline, downloaded):
    """The images are complete only when that stream is: the emulated GPU does its work no sooner than somebody waits for it."""
    images = photos(2, PLAN)
    producer, pinned = gpu.make_stream(), gpu.allocate_pinned(images.shape, np.uint8)
    pinned[1][...] = images
    array = Interface(gpu, np.zeros_like(images), stream=int(producer.handle))
    gpu.copy(array.buffer.handle, pinned[0].handle, images.nbytes, producer)
    np.testing.assert_array_equal(downloaded(pipeline.device_labels(array, PLAN)), labels_of_planes(images, PLAN))
    ordered = DLPack(gpu, images)
    pipeline.device_labels(ordered, PLAN)
    (stream,) = set(ordered.streams)
    assert stream not in (None, -1, int(producer.handle))


def test_labels_keep_their_memory_until_they_are_dropped(gpu, pipeline, emulator):
    images = Interface(gpu, photos(3, PLAN))
    pipeline.device_labels(images, PLAN)
    gc.collect()
    before = emulator.allocations()
    first, second = pipeline.device_labels(images, PLAN), pipeline.device_labels(images, PLAN)
    assert first.address != second.address
    assert emulator.allocations() == before + 2
    del first
    assert emulator.allocations() == before + 1
    kept = [second]
    del second
    thread = threading.Thread(target=kept.clear)  # one that never used the GPU
    thread.start()
    thread.join()
    assert emulator.allocations() == before


def test_labels_that_find_no_memory_until_a_graph_is_evicted(gpu, device, pipeline, downloaded, emulator):
    images, other = photos(1, PLAN), plan_segments(70, 93, 96)  # which needs more
    array = Interface(gpu, images)
    pipeline.labels(images, other)
    emulator.set_capacity(emulator.used())
    labels = pipeline.device_labels(array, PLAN)
    emulator.set_capacity()
    np.testing.assert_array_equal(downloaded(labels), labels_of_planes(images, PLAN))


def test_images_of_a_foreign_context_or_gpu_or_no_memory_are_refused(gpu, pipeline, emulator):
    from cuda.bindings import driver
    from cuda.core import Device

    array = Interface(gpu, photos(1, PLAN))
    owned = array.__cuda_array_interface__

    def refuse(address, message):
        array.__cuda_array_interface__ = owned | {"data": (address, False)}
        with pytest.raises(UsageError, match=message):
            pipeline.device_labels(array, PLAN)

    def allocated():
        status, address = driver.cuMemAlloc(array.buffer.size)
        assert int(status) == 0
        return int(address)

    status, _ = driver.cuCtxCreate(None, 0, 0)
    assert int(status) == 0
    foreign = allocated()
    Device(1).set_current()
    elsewhere = allocated()
    gpu.activate()
    refuse(foreign, "autoprimaryctx")
    refuse(elsewhere, "GPU 1, the model on GPU 0")
    host = (ctypes.c_uint8 * array.buffer.size)()
    refuse(ctypes.addressof(host), "not in memory that a GPU knows")
    for address in (foreign, elsewhere):
        driver.cuMemFree(address)


# --- the libraries themselves, where they are installed and have a GPU ---


@pytest.mark.parametrize("library", ["torch", "cupy"])
def test_arrays_of_other_libraries_in_and_out(device, pipeline, library):
    module = pytest.importorskip(library)
    if library == "torch" and not module.cuda.is_available():
        pytest.skip("this PyTorch has no CUDA")
    images = photos(5, PLAN)
    wanted = labels_of_planes(images, PLAN)
    segmenter = Segmenter(pipeline)
    array = module.as_tensor(images, device="cuda") if library == "torch" else module.asarray(images)
    for source, expected in ((array, wanted), (array[1], wanted[1])):
        labels = segmenter(source, 24)
        if library == "torch":
            shared = module.as_tensor(labels, device="cuda")
            assert (shared.data_ptr(), shared.dtype) == (labels.address, module.int32)
            result = shared.cpu().numpy()
        else:
            result = module.asnumpy(module.asarray(labels))
        np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("own_stream", [False, True])
def test_tensors_that_their_stream_has_not_done_yet(device, pipeline, downloaded, own_stream):
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("this PyTorch has no CUDA")
    images = photos(4, PLAN)
    with torch.cuda.stream(torch.cuda.Stream() if own_stream else torch.cuda.current_stream()):
        tensor = torch.zeros(images.shape, dtype=torch.uint8, device="cuda")
        source = torch.as_tensor(images).pin_memory()
        torch.cuda._sleep(20_000_000)
        tensor.copy_(source, non_blocking=True)
        labels = pipeline.device_labels(tensor, PLAN)
    np.testing.assert_array_equal(downloaded(labels), labels_of_planes(images, PLAN))
