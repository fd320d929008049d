"""Opening a GPU, and what it says when it fails."""

import ctypes

import numpy as np
import pytest

from ainet.errors import DeviceError
from ainet.runtime.cuda import kernels
from ainet.runtime.cuda.devices import GpuInfo, find_devices, local_capability, open_gpu
from ainet.runtime.cuda.errors import OutOfMemoryError

pytestmark = pytest.mark.gpu


def test_the_gpus_of_this_machine(emulator):
    assert find_devices() == [GpuInfo("Emulated GPU 0", "sm90", "13.0"), GpuInfo("Emulated GPU 1", "sm121", "13.0")]
    assert (local_capability(), open_gpu(1).capability) == ("sm90", "sm121")
    assert local_capability() == "sm121"  # the current one
    open_gpu(0)
    with pytest.raises(DeviceError, match="no GPU 2: this machine has 2"):
        open_gpu(2)


def test_what_is_asked_of_a_real_machine(gpu):
    assert [device.capability for device in find_devices()][gpu.index] == gpu.capability


def test_too_much_memory(gpu):
    with pytest.raises(OutOfMemoryError, match=r"GPU 0 .* 95367432 MB"):
        gpu.allocate(10**14)


def test_a_launch_that_no_gpu_runs(gpu):
    launch = gpu.launcher(gpu.make_stream())
    with pytest.raises(DeviceError, match="CUDA_ERROR_INVALID_VALUE"):
        launch("connect_fill", ctypes.create_string_buffer(64), 16, 70_000)  # images are the grid's second dimension
    with pytest.raises(ValueError, match="24x16 pixels"):
        kernels.assign(launch, 0, "float32", (1, 24, 16), 0, (24, 16))


def test_a_lost_gpu(gpu, emulator):
    stream = gpu.make_stream()
    emulator.lose()
    for action in (gpu.activate, gpu.make_stream, lambda: gpu.synchronize(stream), lambda: gpu.allocate(1), find_devices):
        with pytest.raises(DeviceError, match="CUDA_ERROR_ILLEGAL_ADDRESS"):
            action()


def test_a_graph_is_replayed_with_what_its_buffers_hold_then(gpu):
    stream = gpu.make_stream()
    (source_buffer, source), (target_buffer, target) = (gpu.allocate_pinned((4,), np.int32) for _ in range(2))
    middle = gpu.allocate(16)

    def enqueue():
        gpu.copy(middle.handle, source_buffer.handle, 16, stream)
        gpu.copy(target_buffer.handle, middle.handle, 16, stream)

    target[...] = 0
    graph = gpu.capture(stream, enqueue)
    gpu.synchronize(stream)
    assert (target == 0).all()  # a capture runs nothing
    for value in (3, 5):
        source[...] = value
        graph.replay()
        gpu.synchronize(stream)
        assert (target == value).all()
    graph.close()
    for buffer in (source_buffer, target_buffer, middle):
        buffer.close()
