"""Stages and end-to-end times of the real pipeline and kernels, over a stand-in for the GPU whose memory is the host's."""

import numpy as np
import pytest
from support.counted_gpu import Device, DeviceEvents, Network

from ainet.benchmarks.gpu_check.latency import batch_of, measure
from ainet.benchmarks.gpu_check.stages import STAGES, StageGpu, StageNetwork
from ainet.benchmarks.gpu_check.timing import LEAST
from ainet.benchmarks.speed.cases import Case
from ainet.runtime.cuda.pipeline import GpuPipeline
from ainet.runtime.plan import plan_segments

CASE = Case(70, 93, 24)
PLAN = plan_segments(70, 93, 24)
PICTURE = np.random.default_rng(0).integers(0, 256, (50, 60, 3), dtype=np.uint8)


@pytest.mark.parametrize("capturable", [True, False])
def test_labels_are_the_same_and_every_stage_has_its_time(capturable):
    gpu = Device()
    events = DeviceEvents(gpu)
    staged = StageGpu(gpu, events)
    pipeline = GpuPipeline(staged, StageNetwork(Network(gpu, capturable, milliseconds=20), staged), "with events")
    images = batch_of(PICTURE, CASE, 2)
    expected = GpuPipeline(gpu, Network(gpu, capturable), "plain").labels(images, PLAN)
    made = 0
    for run in range(3):
        staged.take()
        np.testing.assert_array_equal(pipeline.labels(images, PLAN), expected)
        stages = staged.take()
        assert set(stages) == set(STAGES)
        if run:  # the first one also makes the buffers
            assert stages == {"upload": 1, "resize": 1, "network": 20, "arg-max": 1, "connectivity": 7, "download": 1}
            assert events.made == made  # events are used again
        made = events.made
    pipeline.close()


def test_passes_of_a_batch_add_up():
    gpu = Device()
    staged = StageGpu(gpu, DeviceEvents(gpu))
    pipeline = GpuPipeline(staged, StageNetwork(Network(gpu, True, milliseconds=10, batch=2), staged), "with events")
    images = batch_of(PICTURE, CASE, 6)
    pipeline.labels(images, PLAN)
    staged.take()
    pipeline.labels(images, PLAN)
    assert staged.take()["network"] == 3 * 10


@pytest.mark.parametrize("capturable", [True, False])
def test_measure_gives_times_stages_and_ratio_of_both_networks(capturable):
    gpu, delays = Device(), {"ainet": 12, "scn": 4}
    row = measure(lambda name: Network(gpu, capturable, delays[name]), gpu, DeviceEvents(gpu), batch_of(PICTURE, CASE, 2), CASE, 0.0)
    assert row["captured"] == capturable
    assert row["images_at_once"] == 2
    for name, delay in delays.items():
        own = row["networks"][name]
        assert list(own["stages_ms"]) == list(STAGES)
        assert own["stages_ms"]["network"] == {"p50": delay, "p95": delay, "p99": delay, "runs": LEAST}
        assert own["end_to_end_ms"]["runs"] == LEAST
        assert own["images_per_second"] == pytest.approx(2e3 / own["end_to_end_ms"]["p50"])
    assert row["ratio"]["network"] == 3
    assert not gpu.memory


def test_a_network_that_fails_leaves_no_memory_behind():
    gpu = Device()

    def opener(name):
        network = Network(gpu, True)
        network.prepare = fail
        return network

    with pytest.raises(RuntimeError, match="no engine"):
        measure(opener, gpu, DeviceEvents(gpu), batch_of(PICTURE, CASE, 1), CASE, 0.0)
    assert not gpu.memory


def fail(*arguments):
    raise RuntimeError("no engine")


def test_images_of_a_batch_differ():
    images = batch_of(PICTURE, CASE, 4)
    assert images.shape == (4, 70, 93, 3)
    assert len({image.tobytes() for image in images}) == 4
