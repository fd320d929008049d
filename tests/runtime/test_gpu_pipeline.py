"""The GPU pipeline with its real kernels, over a stand-in for the GPU whose memory is the host's."""

import gc
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from support import host_kernels
from support.host_kernels import HostGpu, view

from ainet import Segmenter
from ainet.errors import DeviceError, ImageError, ModelError, UsageError
from ainet.runtime.cuda import pipeline as module
from ainet.runtime.cuda.captures import CAPTURES
from ainet.runtime.cuda.driver import OutOfMemoryError
from ainet.runtime.cuda.pipeline import GpuPipeline
from ainet.runtime.cuda.slots import tensor_shapes
from ainet.runtime.model import ModelInfo
from ainet.runtime.pipeline import run_pipeline
from ainet.runtime.plan import Plan, plan_segments
from ainet.runtime.postprocess import assign, normalise, postprocess
from ainet.spec import MEAN

AROUND = ["assign_floats", *(f"connect_{step}" for step in ("start", "unite", "flatten", "cut", "adopt", "number", "fill"))]


def scores(image):
    """Planes (N, 3, h, w) -> exact scores that follow the picture, in blocks of 4 x 4 pixels."""
    blocks = image[:, :, ::4, ::4].repeat(4, 2).repeat(4, 3)
    return np.stack([np.abs(blocks[:, k % 3] - k / 9 + 0.3) for k in range(9)], 1).astype(np.float32)


class Network:
    def __init__(self, gpu, output="logits", batch=100, capturable=True, input_dtype="float32", output_dtype="float32"):
        self.info = ModelInfo("none", output, "fp32", MEAN, "0" * 64, {}, "0")
        self.input_dtype, self.output_dtype = ("uint8", "int32") if output == "labels" else (input_dtype, output_dtype)
        self.capturable = capturable
        self.gpu, self.batch, self.shapes, self.reserve = gpu, batch, [], 1000

    def fitting_batch(self, images, height, width):
        if height > 500:
            raise ModelError("too high")
        return min(images, self.batch)

    def prepare(self, shape, image, output, stream, allocate):
        self.shapes.append(shape)
        shapes = tensor_shapes(self, shape)
        source, target = view(image, shapes[0], self.input_dtype), view(output, shapes[1], self.output_dtype)

        def run():
            if self.info.output == "labels":
                target[...] = assign(scores(normalise(source, MEAN)), *shape[1:])
            else:
                target[...] = scores(source)

        return lambda: self.gpu.enqueue(stream, "network", run)

    def free_cache(self):
        self.reserve = 0

    def close(self):
        self.closed = True


class Interface:
    """What of an array of another library the pipeline sees."""

    def __init__(self, array, stream=None, version=3):
        self.array = array
        strides = None if array.flags.c_contiguous else array.strides
        self.__cuda_array_interface__ = {
            "shape": array.shape, "typestr": array.dtype.str, "data": (array.ctypes.data, False), "strides": strides, "version": version,
        } | ({} if stream is None else {"stream": stream})  # fmt: skip


class DLPack:
    def __init__(self, array, device=(2, 0)):
        self.array, self.shape, self.device, self.streams = array, array.shape, device, []

    def __dlpack_device__(self):
        return self.device

    def __dlpack__(self, stream=None):
        self.streams.append(stream)
        return self.array.__dlpack__()


class Unshared(DLPack):
    def __dlpack__(self, stream=None):
        raise BufferError("it requires gradients")


class Both(Interface, DLPack):
    """As PyTorch's tensors are: version 2 of the interface, which says nothing of streams, and DLPack, which orders them."""

    def __init__(self, array):
        DLPack.__init__(self, array)
        Interface.__init__(self, array, version=2)


PLAN, OTHER = plan_segments(70, 93, 24), plan_segments(70, 93, 12)


def photos(count, plan=PLAN, seed=0):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (count, plan.height // 8 + 1, plan.width // 8 + 1, 3), dtype=np.uint8)
    return np.ascontiguousarray(coarse.repeat(8, 1).repeat(8, 2)[:, : plan.height, : plan.width])


def expected(images, plan=PLAN):
    resized = host_kernels.resize(images, (plan.working_height, plan.working_width))
    return postprocess(scores(normalise(resized, MEAN)), plan.height, plan.width, plan.min_size, plan.max_size, plan.public)


@pytest.mark.parametrize("output", ["logits", "labels"])
@pytest.mark.parametrize("capturable", [True, False])
def test_labels_are_those_of_the_cpu(output, capturable):
    gpu = HostGpu()
    pipeline = GpuPipeline(gpu, Network(gpu, output, capturable=capturable), "stand-in")
    for seed in range(3):
        images = photos(2, seed=seed)
        labels = pipeline.labels(images, PLAN)
        assert labels.dtype == np.int32
        assert labels.max() > 8
        np.testing.assert_array_equal(labels, expected(images))


def test_half_precision_at_both_ends():
    gpu = HostGpu()
    pipeline = GpuPipeline(gpu, Network(gpu, input_dtype="float16", output_dtype="float16"), "stand-in")
    images = photos(2)
    resized = host_kernels.resize(images, (PLAN.working_height, PLAN.working_width), "float16", MEAN)
    wanted = postprocess(scores(resized).astype(np.float16), PLAN.height, PLAN.width, PLAN.min_size, PLAN.max_size)
    np.testing.assert_array_equal(pipeline.labels(images, PLAN), wanted)


def test_all_steps_are_one_graph_for_each_shape():
    gpu = HostGpu()
    network = Network(gpu)
    pipeline = GpuPipeline(gpu, network, "stand-in")
    other = plan_segments(70, 93, 12)
    for plan in (PLAN, other, PLAN, PLAN, other):
        images = photos(3, plan)
        np.testing.assert_array_equal(pipeline.labels(images, plan), expected(images, plan))
    assert gpu.graphs == [["resize_to_floats", "network", *AROUND]] * 2
    assert network.shapes == [(3, plan.working_height, plan.working_width) for plan in (PLAN, other)]


def test_ties_are_added_where_the_plan_says_so():
    gpu = HostGpu()
    plan = Plan(64, 96, 64, 96, 3, 10**6, public=True)
    images = np.full((1, 64, 96, 3), 128, np.uint8)
    images[:, :, 48:] = 90
    np.testing.assert_array_equal(GpuPipeline(gpu, Network(gpu), "stand-in").labels(images, plan), expected(images, plan))


def test_only_the_last_shapes_are_kept(monkeypatch):
    monkeypatch.setattr(module, "MAX_SLOTS", 2)
    gpu = HostGpu()
    network = Network(gpu)
    pipeline = GpuPipeline(gpu, network, "stand-in")
    plans = [plan_segments(70, 93, count) for count in (6, 12, 24)]
    sizes = []
    for plan in plans * 2:
        pipeline.labels(photos(1, plan), plan)
        sizes.append(len(gpu.memory))
    assert len(gpu.graphs) == 6
    assert sizes[1] == sizes[2] == sizes[5]
    pipeline.close()
    assert (gpu.memory, gpu.streams, network.closed) == ({}, set(), True)


def test_batches_beyond_the_networks():
    gpu = HostGpu()
    network = Network(gpu, batch=3)
    images = photos(7)
    np.testing.assert_array_equal(GpuPipeline(gpu, network, "stand-in").labels(images, PLAN), expected(images))
    assert [shape[0] for shape in network.shapes] == [3, 1]


def test_too_little_memory_for_a_batch():
    gpu = HostGpu()
    GpuPipeline(gpu, Network(gpu), "stand-in").labels(photos(2), PLAN)
    needed = sum(array.nbytes for array in gpu.memory.values())
    small = HostGpu(needed)
    network = Network(small)
    pipeline = GpuPipeline(small, network, "stand-in")
    images = photos(7)
    np.testing.assert_array_equal(pipeline.labels(images, PLAN), expected(images))
    assert {shape[0] for shape in network.shapes} == {1}  # 7 and 3 do not fit
    tiny = HostGpu(needed // 4)
    with pytest.raises(OutOfMemoryError, match="out of memory"):
        GpuPipeline(tiny, Network(tiny), "stand-in").labels(images, PLAN)
    assert tiny.memory == {}


def test_the_engines_reserve_makes_room():
    gpu = HostGpu()
    GpuPipeline(gpu, Network(gpu), "stand-in").labels(photos(2), PLAN)
    gpu = HostGpu(sum(array.nbytes for array in gpu.memory.values()) + 1)
    network = Network(gpu)
    gpu.reserved = lambda: network.reserve  # takes part of the capacity until it is given back
    pipeline = GpuPipeline(gpu, network, "stand-in")
    np.testing.assert_array_equal(pipeline.labels(photos(2), PLAN), expected(photos(2)))
    assert [shape[0] for shape in network.shapes] == [2]
    assert network.reserve == 0


def test_other_shapes_make_room():
    gpu = HostGpu()
    pipeline = GpuPipeline(gpu, Network(gpu), "stand-in")
    pipeline.labels(photos(1), PLAN)
    gpu.capacity = int(1.9 * sum(array.nbytes for array in gpu.memory.values()))
    other = plan_segments(70, 93, 30)
    for plan in (other, PLAN, other):
        np.testing.assert_array_equal(pipeline.labels(photos(1, plan), plan), expected(photos(1, plan), plan))
    assert len(gpu.graphs) == 4


@pytest.mark.parametrize("wrap", [Interface, DLPack, Both])
def test_images_on_the_gpu(wrap):
    gpu = HostGpu()
    pipeline = GpuPipeline(gpu, Network(gpu, batch=2), "stand-in")
    for seed in range(2):
        images = photos(5, seed=seed)
        np.testing.assert_array_equal(pipeline.labels(wrap(images), PLAN), expected(images))
    assert all("resize_to_floats" not in graph for graph in gpu.graphs)  # launched before, with the address of the images
    assert len(gpu.graphs) == 2


def test_work_of_the_producer_is_waited_for():
    gpu = HostGpu()
    pipeline = GpuPipeline(gpu, Network(gpu), "stand-in")
    pipeline.labels(Interface(photos(1), stream=77), PLAN)
    (stream,) = gpu.streams
    assert gpu.waits == [(stream, 77)]
    for producer in (DLPack(photos(1)), Both(photos(1))):
        pipeline.labels(producer, PLAN)
        assert producer.streams == [stream]
    pipeline.labels(Interface(photos(1), version=2), PLAN)  # leaves it open, so the default stream is waited for
    assert gpu.waits == [(stream, 77), (stream, 1)]


@pytest.mark.parametrize("wrap", [Interface, np.asarray])
def test_labels_that_stay_on_the_gpu(wrap):
    gpu = HostGpu()
    pipeline = GpuPipeline(gpu, Network(gpu, batch=2), "stand-in")
    images = photos(3)
    first = pipeline.device_labels(wrap(images), PLAN)
    second = pipeline.device_labels(wrap(images[::-1].copy()), PLAN)
    interface = first.__cuda_array_interface__
    assert (interface["typestr"], interface["shape"]) == ("<i4", (3, 70, 93))
    np.testing.assert_array_equal(view(interface["data"][0], first.shape, np.int32), expected(images))
    np.testing.assert_array_equal(view(second.address, second.shape, np.int32), expected(images[::-1]))
    pipeline.close()
    assert set(gpu.memory) == {first.address, second.address}
    del first, second, interface
    gc.collect()
    assert gpu.memory == {}


@pytest.mark.parametrize("wrap", [Interface, DLPack, Both])
def test_a_segmenter_of_images_on_the_gpu(wrap):
    gpu = HostGpu()
    with Segmenter(GpuPipeline(gpu, Network(gpu), "stand-in")) as segmenter:
        images = photos(2)
        batch, single = segmenter(wrap(images), 24), segmenter(wrap(images[1]), 24)
        assert (batch.shape, single.shape) == ((2, 70, 93), (70, 93)) == (batch.shape, single.__cuda_array_interface__["shape"])
        for labels, wanted in ((batch, expected(images)), (single, expected(images)[1])):
            np.testing.assert_array_equal(view(labels.address, labels.shape, np.int32), wanted)
        np.testing.assert_array_equal(segmenter(images, 24, quality="fast", start_label=1), expected(images) + 1)  # from the host as ever
        for image, options, message in (
            (images, {"start_label": 1}, "labels on a GPU start at 0, not at start_label=1; add it to them there"),
            (images[..., 0], {}, r"must have the shape \(H, W, 3\) or \(N, H, W, 3\), RGB, not \(2, 70, 93\)"),
            (images[:0], {}, "must not be empty"),
            (images.astype(np.float32), {}, "must be uint8, not another type; convert them first"),
            (images, {"n_segments": 3}, "n_segments=3 is out of range"),
            (photos(1, Plan(3000, 3000, 16, 16, 1, 1)), {"n_segments": 17_000}, "runs in tiles, from host memory alone; copy the image"),
        ):
            with pytest.raises(UsageError, match=message):
                segmenter(wrap(np.ascontiguousarray(image)), **({"n_segments": 24} | options))
        with pytest.raises(ImageError, match="too small"):
            segmenter(wrap(images[:, :8].copy()), 24)
        with pytest.raises(ImageError, match="more than 67 megapixels"):
            segmenter(wrap(np.zeros((8200, 8200, 3), np.uint8)), 24)


def test_threads_have_buffers_each():
    gpu = HostGpu()
    pipeline = GpuPipeline(gpu, Network(gpu), "stand-in")
    batches = [photos(1 + i % 2, seed=i) for i in range(24)]
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda images: pipeline.labels(images, PLAN), batches))
    for images, labels in zip(batches, results, strict=True):
        np.testing.assert_array_equal(labels, expected(images))
    assert len(gpu.streams) <= 4


@pytest.mark.parametrize("wrap", [np.asarray, Interface])
def test_a_large_batch_is_shared_by_lanes(wrap):
    gpu = HostGpu()
    network = Network(gpu)
    pipeline = GpuPipeline(gpu, network, "stand-in")
    images = photos(35)
    for _ in range(2):
        np.testing.assert_array_equal(pipeline.labels(wrap(images), PLAN), expected(images))
    on_gpu = wrap is Interface
    assert len(gpu.streams) in ([1] if on_gpu else range(2, module.LANES + 1))  # a lane that is done takes the next share
    assert {shape[0] for shape in network.shapes} == ({35} if on_gpu else {9, 8})
    stays = pipeline.device_labels(wrap(images), PLAN)
    np.testing.assert_array_equal(view(stays.address, stays.shape, np.int32), expected(images))
    pipeline.close()
    assert (set(gpu.memory), gpu.streams) == ({stays.address}, set())


def test_a_batch_that_the_network_takes_only_whole():
    gpu = HostGpu()
    network = Network(gpu)

    def fitting_batch(images, height, width):
        if images < 16:
            raise ModelError("16 or more")
        return images

    network.fitting_batch = fitting_batch
    images = photos(16)
    np.testing.assert_array_equal(GpuPipeline(gpu, network, "stand-in").labels(images, PLAN), expected(images))
    assert [shape[0] for shape in network.shapes] == [16]


@pytest.mark.parametrize(
    ("least", "most", "count", "batches"),
    [
        (6, 6, 24, {6}),
        (4, 8, 36, {8, 4}),
        (1, 32, 33, {9, 6}),
    ],
)
def test_shares_are_of_batches_that_the_network_takes(least, most, count, batches):
    gpu = HostGpu()
    network = Network(gpu)

    def fitting_batch(images, height, width):
        if images < least:
            raise ModelError("too few")
        return min(images, most)

    network.fitting_batch = fitting_batch
    images = photos(count)
    np.testing.assert_array_equal(GpuPipeline(gpu, network, "stand-in").labels(images, PLAN), expected(images))
    assert {shape[0] for shape in network.shapes} == batches


@pytest.mark.parametrize("most", [4, 8])
def test_a_batch_that_cannot_be_made_smaller(monkeypatch, most):
    monkeypatch.setattr(module, "BATCH_PIXELS", 1)
    gpu = HostGpu()
    network = Network(gpu)

    def fitting_batch(images, height, width):
        if images < 4:
            raise ModelError("4 or more")
        return min(images, most)

    network.fitting_batch = fitting_batch
    pipeline = GpuPipeline(gpu, network, "stand-in")
    np.testing.assert_array_equal(pipeline.labels(photos(4), PLAN), expected(photos(4)))
    gpu.capacity = 0
    with pytest.raises(OutOfMemoryError):
        pipeline.labels(photos(8, OTHER), OTHER)


def test_labels_that_stay_on_the_gpu_find_room():
    gpu = HostGpu()
    pipeline = GpuPipeline(gpu, Network(gpu), "stand-in")
    images = Interface(photos(1, OTHER))
    pipeline.labels(photos(1), PLAN)
    gpu.capacity = sum(array.nbytes for array in gpu.memory.values())  # so that the labels fit only where the slot was
    labels = pipeline.device_labels(images, OTHER)
    np.testing.assert_array_equal(view(labels.address, labels.shape, np.int32), expected(photos(1, OTHER), OTHER))


def test_memory_of_a_lost_gpu_troubles_no_one_else():
    done = []

    def lost():
        done.append("lost")
        raise DeviceError("lost")

    CAPTURES.free(lost)
    with CAPTURES.turn():
        CAPTURES.free(lost)
        CAPTURES.free(lambda: done.append("freed"))
        assert done == ["lost"]
    assert done == ["lost", "lost", "freed"]


def test_what_failed_for_lack_of_memory_is_gone_before_the_next_try():
    gpu = HostGpu()
    network = Network(gpu)
    prepare, alive, seen = network.prepare, [], []

    def short(shape, *rest):
        enqueue = prepare(shape, *rest)
        seen.append([reference() is not None for reference in alive])

        def run():
            if shape[0] > 1:
                raise OutOfMemoryError("in the warm-up")
            enqueue()

        alive.append(weakref.ref(run))
        return run

    network.prepare = short
    gc.disable()
    try:
        GpuPipeline(gpu, network, "stand-in").labels(photos(2), PLAN)
    finally:
        gc.enable()
    assert seen == [[], [False], [False, False]]


def test_a_lost_gpu_can_be_closed(monkeypatch):
    gpu = HostGpu()
    network = Network(gpu)
    pipeline = GpuPipeline(gpu, network, "stand-in")
    pipeline.labels(photos(1), PLAN)

    def lost():
        raise DeviceError("lost")

    monkeypatch.setattr(gpu, "activate", lost)
    pipeline.close()
    assert network.closed


def test_shares_that_do_not_fit_beside_each_other():
    gpu = HostGpu()
    GpuPipeline(gpu, Network(gpu), "stand-in").labels(photos(1), PLAN)
    gpu = HostGpu(int(1.5 * sum(array.nbytes for array in gpu.memory.values())))  # one lane at a time, with one image
    pipeline = GpuPipeline(gpu, Network(gpu), "stand-in")
    images = photos(24)
    np.testing.assert_array_equal(pipeline.labels(images, PLAN), expected(images))


def test_a_share_that_fails():
    gpu = HostGpu()
    network = Network(gpu)
    prepare = network.prepare

    def failing(shape, *rest):
        if shape[0] == 11:  # the last share
            raise DeviceError("lost")
        return prepare(shape, *rest)

    network.prepare = failing
    pipeline = GpuPipeline(gpu, network, "stand-in")
    with pytest.raises(DeviceError, match="lost"):
        pipeline.labels(photos(23), PLAN)
    np.testing.assert_array_equal(pipeline.labels(photos(24), PLAN), expected(photos(24)))


def test_the_network_alone():
    gpu = HostGpu()
    planes = np.random.default_rng(0).random((2, 3, 32, 48), dtype=np.float32)
    pipeline = GpuPipeline(gpu, Network(gpu), "stand-in")
    first = pipeline.run(planes)
    np.testing.assert_array_equal(first, scores(planes))
    pipeline.run(planes + 1)
    np.testing.assert_array_equal(first, scores(planes))
    with pytest.raises(DeviceError, match=r"takes \(2, 3, 32, 48\), not \(2, 1, 32, 48\)"):
        pipeline.run(planes[:, :1])
    images = np.random.default_rng(1).integers(0, 256, (2, 32, 48, 3), dtype=np.uint8)
    ids = GpuPipeline(gpu, Network(gpu, "labels"), "stand-in").run(images)
    np.testing.assert_array_equal(ids, assign(scores(normalise(images, MEAN)), 32, 48))


def test_the_pipeline_of_the_cpu_hands_over():
    gpu = HostGpu()
    pipeline = GpuPipeline(gpu, Network(gpu), "stand-in")

    images = photos(2)
    np.testing.assert_array_equal(run_pipeline(pipeline, images, PLAN), expected(images))
    assert len(gpu.graphs) == 1


@pytest.mark.parametrize(
    ("images", "error", "message"),
    [
        (photos(1)[:, :60], UsageError, r"must have the shape \(N, 70, 93, 3\), not \(1, 60, 93, 3\)"),
        (photos(1)[:0], UsageError, r"not \(0, 70, 93, 3\)"),
        (photos(1).astype(np.float32), UsageError, "must be uint8, not float32"),
        (Interface(photos(1).astype(np.int8)), UsageError, "must be uint8, not another type"),
        (Interface(photos(2)[:, :, ::-1]), UsageError, "C-contiguous"),
        (Interface(photos(1)[..., :2].copy()), UsageError, r"shape \(H, W, 3\) or .* not \(1, 70, 93, 2\)"),
        (Interface(photos(1)[:0]), UsageError, r"not be empty; the shape is \(0, 70, 93, 3\)"),
        (Interface(photos(1)[:, :60].copy()), UsageError, r"not \(1, 60, 93, 3\)"),
        (DLPack(photos(1), (2, 1)), UsageError, "on GPU 1, the model on GPU 0"),
        (DLPack(photos(1).astype(np.int8)), UsageError, "not another type"),
        (Unshared(photos(1)), UsageError, "cannot be shared: it requires gradients"),
    ],
)
def test_wrong_images(images, error, message):
    gpu = HostGpu()
    with pytest.raises(error, match=message):
        GpuPipeline(gpu, Network(gpu), "stand-in").labels(images, PLAN)
    assert gpu.graphs == []


def test_a_size_that_the_network_does_not_take():
    gpu = HostGpu()
    plan = Plan(70, 93, 512, 64, 3, 100)
    with pytest.raises(ModelError, match="too high"):
        GpuPipeline(gpu, Network(gpu), "stand-in").labels(photos(1), plan)
