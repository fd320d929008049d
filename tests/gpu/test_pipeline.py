"""The whole pipeline on a GPU, real or emulated: captured graphs, chunks, threads, and memory that is not there."""

import gc
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from support.gpu_networks import PLAN, Ids, Planes, labels_of_planes, photos

from ainet.errors import DeviceError, ModelError, UsageError
from ainet.runtime.cuda import chunks, context
from ainet.runtime.cuda.pipeline import GpuPipeline
from ainet.runtime.cuda.stages import STAGES
from ainet.runtime.pipeline import run_pipeline
from ainet.runtime.plan import Plan, plan_segments
from ainet.runtime.postprocess import postprocess, resize_nearest
from ainet.spec import MEAN

pytestmark = pytest.mark.gpu

OTHER = plan_segments(70, 93, 12)


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
    wanted = postprocess(scores, PLAN.height, PLAN.width, PLAN.min_size, PLAN.max_size, smoothing=1)
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
    pipeline.close()
    assert (emulator.allocations(), emulator.streams(), network.closed) == (*before, True)
    for run in (lambda: pipeline.labels(photos(1, PLAN), PLAN), lambda: pipeline.run(np.zeros((1, 3, 32, 48), np.float32))):
        with pytest.raises(UsageError, match="closed"):
            run()


def test_closing_waits_for_the_calls_that_are_running(gpu, device):
    images = photos(3, PLAN)
    wanted = labels_of_planes(images, PLAN)
    network = Planes(gpu)
    pipeline = GpuPipeline(gpu, network, "planes")
    results, first = [], threading.Event()

    def run():
        with pytest.raises(UsageError, match="closed"):
            while True:
                results.append(pipeline.labels(images, PLAN))
                first.set()

    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(run) for _ in range(2)]
        assert first.wait(timeout=300)
        pipeline.close()
        for each in runs:
            each.result()
    assert network.closed
    assert all((labels == wanted).all() for labels in results)


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
    monkeypatch.setattr(chunks, "MAX_CHUNK_PIXELS", 2 * PLAN.working_height * PLAN.working_width)
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
    np.testing.assert_array_equal(run_pipeline(make()[0], images, PLAN), labels_of_planes(images, PLAN))


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
