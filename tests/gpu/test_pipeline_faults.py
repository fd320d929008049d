"""The pipeline on the emulated GPU where memory runs out, launches fail or the GPU is lost: nothing stays behind, the next call works."""

import gc
import threading
import weakref

import numpy as np
import pytest
from support.gpu_networks import PLAN, photos

from ainet.errors import DeviceError
from ainet.runtime.cuda.errors import OutOfMemoryError
from ainet.runtime.plan import plan_segments

pytestmark = pytest.mark.gpu


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
