"""The whole pipeline on a GPU, real or emulated: captured graphs, chunks, threads, and memory that is not there."""

import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from support.gpu_networks import Ids, Planes, labels_of_planes, photos

from ainet.errors import DeviceError, ModelError, UsageError
from ainet.runtime.cuda import chunks, context
from ainet.runtime.cuda.errors import OutOfMemoryError
from ainet.runtime.cuda.pipeline import GpuPipeline
from ainet.runtime.cuda.stages import STAGES
from ainet.runtime.pipeline import run_pipeline
from ainet.runtime.plan import Plan, plan_segments
from ainet.runtime.postprocess import postprocess, resize_nearest
from ainet.spec import MEAN

pytestmark = pytest.mark.gpu

PLAN, OTHER = plan_segments(70, 93, 24), plan_segments(70, 93, 12)


@pytest.fixture
def make(gpu):
    """Opens pipelines of `Planes`, which are closed after the test."""
    made = []

    def make(**options):
        made.append((GpuPipeline(gpu, network := Planes(gpu, **options), "planes"), network))
        return made[-1]

    yield make
    for pipeline, _ in made:
        pipeline.close()


@pytest.fixture
def check(device):
    """That a pipeline gives the labels of the CPU."""

    def check(pipeline, images, plan=PLAN):
        labels = pipeline.labels(images, plan)
        assert (labels.dtype, labels.shape) == (np.int32, images.shape[:3])
        np.testing.assert_array_equal(labels, labels_of_planes(device, images, plan))
        return labels

    return check


@pytest.mark.parametrize("capturable", [True, False])
def test_labels_are_those_of_the_cpu(make, check, capturable):
    pipeline, _ = make(capturable=capturable)
    for seed in range(3):
        assert check(pipeline, photos(2, PLAN, seed)).max() > 8


def test_half_precision_at_both_ends(make, device):
    pipeline, _ = make(dtype="float16")
    images = photos(2, PLAN)
    halves = device.resize(images, (PLAN.working_height, PLAN.working_width), "float16", MEAN)
    scores = halves.repeat(3, 0).reshape(2, 9, *halves.shape[2:])
    wanted = postprocess(scores, PLAN.height, PLAN.width, PLAN.min_size, PLAN.max_size)
    np.testing.assert_array_equal(pipeline.labels(images, PLAN), wanted)


def test_a_model_that_gives_ids(gpu):
    network = Ids(gpu, PLAN)
    pipeline = GpuPipeline(gpu, network, "ids")
    wanted = postprocess(network.ids[None], PLAN.height, PLAN.width, PLAN.min_size, PLAN.max_size)
    np.testing.assert_array_equal(pipeline.labels(photos(2, PLAN), PLAN), wanted.repeat(2, 0))
    np.testing.assert_array_equal(pipeline.run(np.zeros((1, PLAN.working_height, PLAN.working_width, 3), np.uint8)), network.ids[None])
    pipeline.close()
    assert resize_nearest(network.ids[None], PLAN.height, PLAN.width).max() < PLAN.cells


def test_all_steps_are_one_graph_for_each_shape(make, check, emulator):
    pipeline, network = make()
    for plan in (PLAN, OTHER):
        check(pipeline, photos(3, plan), plan)
    assert network.prepared == [(3, plan.working_height, plan.working_width) for plan in (PLAN, OTHER)]
    images = photos(3, PLAN, seed=1)
    names = ("cuGraphLaunch", "cuLaunchKernel", "cuMemcpyAsync", "cuMemAlloc", "cuStreamSynchronize")
    before = [emulator.calls(name) for name in names]
    pipeline.labels(images, PLAN)
    assert [emulator.calls(name) - count for name, count in zip(names, before, strict=True)] == [1, 0, 0, 0, 1]


def test_ties_are_added_where_the_plan_says_so(make, check):
    plan = Plan(64, 96, 64, 96, 3, 10**6, public=True)
    images = np.full((1, 64, 96, 3), 128, np.uint8)
    images[:, :, 48:] = 90
    check(make()[0], images, plan)


def test_only_the_last_shapes_are_kept(make, check, emulator, monkeypatch):
    monkeypatch.setattr(context, "MAX_EXECUTIONS", 2)
    pipeline, network = make()
    plans = [plan_segments(70, 93, count) for count in (6, 12, 24)]
    kept = []
    for plan in plans * 2:
        check(pipeline, photos(1, plan), plan)
        kept.append(emulator.allocations())
    assert len(network.prepared) == 6
    assert kept[1] == kept[2] == kept[5]


def test_a_closed_pipeline_leaves_nothing(make, check, emulator):
    gc.collect()
    before = emulator.allocations(), emulator.streams()
    pipeline, network = make()
    check(pipeline, photos(20, PLAN))
    pipeline.run(np.zeros((1, 3, 32, 48), np.float32))
    pipeline.close()
    assert (emulator.allocations(), emulator.streams(), network.closed) == (*before, True)
    for run in (lambda: pipeline.labels(photos(1, PLAN), PLAN), lambda: pipeline.run(np.zeros((1, 3, 32, 48), np.float32))):
        with pytest.raises(UsageError, match="closed"):
            run()


@pytest.mark.parametrize(
    ("least", "most", "count", "sizes"),
    [
        (1, 100, 15, {15}),  # too few to be cut
        (1, 100, 16, {8}),
        (1, 100, 35, {9, 8}),
        (1, 3, 7, {3, 1}),
        (6, 6, 24, {6}),
        (4, 8, 36, {8, 4}),
        (16, 100, 16, {16}),  # taken only whole
        (9, 100, 35, {35}),  # as the last chunk would be too small
    ],
)
def test_a_batch_runs_in_chunks_that_the_network_takes(make, check, least, most, count, sizes):
    pipeline, network = make(least=least, most=most)
    for seed in range(2):
        check(pipeline, photos(count, PLAN, seed))
    assert {shape[0] for shape in network.prepared} == sizes


def test_chunks_take_turns_in_two_contexts(make, check, emulator):
    pipeline, _ = make()
    before = emulator.streams()
    check(pipeline, photos(32, PLAN))
    assert emulator.streams() - before == 2
    check(pipeline, photos(40, PLAN, seed=1))
    assert emulator.streams() - before == 2


def test_a_chunk_is_bounded_by_its_pixels(make, check, monkeypatch):
    monkeypatch.setattr(chunks, "MAX_PIXELS", 2 * PLAN.working_height * PLAN.working_width)
    pipeline, network = make()
    check(pipeline, photos(5, PLAN))
    assert {shape[0] for shape in network.prepared} == {2, 1}


def test_threads_have_contexts_of_their_own(make, check):
    pipeline, _ = make()
    batches = [photos(1 + i % 3, PLAN, seed=i) for i in range(24)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda images: check(pipeline, images), batches))


def test_two_pipelines_at_once(make, check):
    first, second = make()[0], make()[0]
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(check, pipeline, photos(20, PLAN, seed)) for seed in range(3) for pipeline in (first, second)]
        for run in runs:
            run.result()


def test_the_network_alone(make):
    pipeline, _ = make()
    planes = np.random.default_rng(0).random((2, 3, 32, 48), dtype=np.float32)
    first = pipeline.run(planes)
    np.testing.assert_array_equal(first, planes.repeat(3, 0).reshape(2, 9, 32, 48))
    pipeline.run(planes + 1)
    np.testing.assert_array_equal(first[:, :3], planes)
    with pytest.raises(DeviceError, match=r"\(2, 3, 32, 48\), not \(2, 1, 32, 48\)"):
        pipeline.run(planes[:, :1])


def test_the_pipeline_of_the_cpu_hands_over(make, device):
    images = photos(2, PLAN)
    np.testing.assert_array_equal(run_pipeline(make()[0], images, PLAN), labels_of_planes(device, images, PLAN))


def test_stage_times(make, check):
    pipeline, network = make()
    check(pipeline, photos(2, PLAN))
    assert pipeline.stage_times() == {}
    pipeline.record_stages()
    check(pipeline, photos(2, PLAN))
    times = pipeline.stage_times()
    assert tuple(times) == STAGES
    assert all(0 <= milliseconds < 60_000 for milliseconds in times.values())
    assert sum(times.values()) > 0
    assert pipeline.stage_times() == {}
    network.capturable = False  # from the next shape on
    check(pipeline, photos(1, OTHER), OTHER)
    assert tuple(pipeline.stage_times()) == STAGES


@pytest.mark.parametrize(
    ("images", "error", "message"),
    [
        (photos(1, PLAN)[:, :60], UsageError, r"\(1, 60, 93, 3\)"),
        (photos(1, PLAN)[:0], UsageError, r"\(0, 70, 93, 3\)"),
        (photos(1, PLAN)[0], UsageError, r"\(70, 93, 3\)"),
        (photos(1, PLAN).astype(np.float32), UsageError, "float32"),
    ],
)
def test_wrong_images(make, images, error, message):
    pipeline, network = make()
    with pytest.raises(error, match=message):
        pipeline.labels(images, PLAN)
    assert network.prepared == []


def test_a_size_that_the_network_does_not_take(make):
    with pytest.raises(ModelError):
        make()[0].labels(photos(1, PLAN), Plan(70, 93, 512, 64, 3, 100))


# --- what fails; on the emulated GPU alone ---


def needed(emulator, make, count, plan=PLAN):
    """Bytes that one context needs for so many images."""
    before = emulator.used()
    pipeline, _ = make()
    pipeline.labels(photos(count, plan), plan)
    size = emulator.used() - before
    pipeline.close()
    return size


def test_too_little_memory_for_a_batch(make, check, emulator):
    size, before = needed(emulator, make, 2), emulator.used()
    emulator.set_capacity(before + size)
    pipeline, network = make()
    for _ in range(2):
        check(pipeline, photos(7, PLAN))
    assert {shape[0] for shape in network.prepared} == {1}  # 7 and 3 do not fit
    pipeline.close()
    emulator.set_capacity(before + size // 4)
    pipeline, _ = make()
    with pytest.raises(OutOfMemoryError):
        pipeline.labels(photos(7, PLAN), PLAN)
    assert emulator.used() == before
    emulator.set_capacity()
    check(pipeline, photos(7, PLAN))


def test_chunks_that_do_not_fit_beside_each_other(make, check, emulator):
    size, before = needed(emulator, make, 8), emulator.used()
    emulator.set_capacity(before + int(1.5 * size))  # one context at a time
    pipeline, network = make()
    check(pipeline, photos(24, PLAN))
    assert {shape[0] for shape in network.prepared} == {8}


def test_memory_runs_out_in_the_middle(make, check, emulator):
    """Wherever it does, nothing is left behind, and the next call works."""
    size, before = needed(emulator, make, 1), emulator.used()
    for part in range(1, 12):
        emulator.set_capacity(before + size * part // 12)
        pipeline, _ = make()
        with pytest.raises(OutOfMemoryError):
            pipeline.labels(photos(1, PLAN), PLAN)
        assert emulator.used() == before
        emulator.set_capacity()
        check(pipeline, photos(1, PLAN))
        pipeline.close()


def test_the_engines_cache_is_freed(make, check, emulator):
    size, before = needed(emulator, make, 2), emulator.used()
    emulator.set_capacity(before + size + 1000)
    pipeline, network = make(reserve=2000)
    pipeline.labels(photos(2, PLAN), PLAN)
    assert {shape[0] for shape in network.prepared} == {2}
    assert network.cache.is_closed


def test_other_shapes_are_evicted(make, check, emulator):
    size, before = needed(emulator, make, 1), emulator.used()
    emulator.set_capacity(before + int(1.9 * size))
    pipeline, network = make()
    third = plan_segments(70, 93, 30)
    for plan in (third, PLAN, third):
        check(pipeline, photos(1, plan), plan)
    assert [shape[1:] for shape in network.prepared] == [(plan.working_height, plan.working_width) for plan in (third, PLAN, third)]


def test_what_failed_for_lack_of_memory_is_gone_before_the_next_try(make, check, emulator):
    pipeline, network = make()
    prepare, alive, seen = network.prepare, [], []

    class Workspace:
        pass

    def short(shape, *rest):
        enqueue, workspace = prepare(shape, *rest), Workspace()
        seen.append([reference() is not None for reference in alive])

        def run():
            if shape[0] > 1:
                raise OutOfMemoryError(f"in the warm-up {workspace}")
            enqueue()

        alive.append(weakref.ref(workspace))
        return run

    network.prepare = short
    gc.disable()
    try:
        check(pipeline, photos(2, PLAN))
    finally:
        gc.enable()
    assert seen == [[], [False], [False, False]]


def test_a_launch_that_fails(make, check, emulator):
    """In the warm-up, in the capture, and where there is no graph."""
    gc.collect()
    before = emulator.allocations()
    for capturable in (True, False):
        for after in range(0, 27, 5):
            pipeline, _ = make(capturable=capturable)
            emulator.fail_launch(after)
            with pytest.raises(DeviceError, match="CUDA_ERROR_LAUNCH_FAILED"):
                for _ in range(3):
                    pipeline.labels(photos(2, PLAN), PLAN)
            emulator.fail_launch(-1)
            check(pipeline, photos(2, PLAN))
            pipeline.close()
    assert emulator.allocations() == before


def test_a_chunk_that_fails_leaves_the_others_in_order(make, check):
    pipeline, network = make()
    prepare = network.prepare

    def failing(shape, *rest):
        if shape[0] == 11:  # the second chunk
            raise DeviceError("lost")
        return prepare(shape, *rest)

    network.prepare = failing
    with pytest.raises(DeviceError, match="lost"):
        pipeline.labels(photos(23, PLAN), PLAN)
    check(pipeline, photos(24, PLAN))


def test_a_lost_gpu_can_be_closed(make, emulator):
    pipeline, network = make()
    pipeline.labels(photos(20, PLAN), PLAN)
    emulator.lose()
    with pytest.raises(DeviceError, match="CUDA_ERROR_ILLEGAL_ADDRESS"):
        pipeline.labels(photos(1, PLAN), PLAN)
    pipeline.close()
    assert network.closed


def test_memory_is_not_freed_by_the_thread_that_captures(gpu, emulator):
    """But after the capture, also if that fails; other threads free theirs at once."""
    stream = gpu.make_stream()
    target = gpu.allocate(8)
    source = np.zeros(8, np.uint8)
    for fails in (False, True):
        before = emulator.allocations()
        dropped, elsewhere = gpu.allocate(16), gpu.allocate(16)
        pinned, _ = gpu.allocate_pinned((3,), np.int32)

        def enqueue(dropped=dropped, elsewhere=elsewhere, pinned=pinned, fails=fails, before=before):
            dropped.close()
            pinned.close()
            assert emulator.allocations() == before + 3
            thread = threading.Thread(target=elsewhere.close)  # one that never saw the GPU
            thread.start()
            thread.join()
            assert emulator.allocations() == before + 2
            gpu.copy(int(target.handle), source.ctypes.data, 8, stream)
            if fails:
                raise ValueError("by the network")

        if fails:
            with pytest.raises(ValueError, match="by the network"):
                gpu.capture(stream, enqueue)
        else:
            gpu.capture(stream, enqueue).close()
        assert emulator.allocations() == before
    target.close()
