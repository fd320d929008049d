"""A real GPU, and the kernels on it with the interface of host_kernels.py."""

import numpy as np
import pytest

from ainet.errors import DeviceError
from ainet.runtime.cuda import kernels
from ainet.runtime.cuda.driver import Gpu
from ainet.runtime.cuda.memory import Memory


class DeviceKernels:
    def __init__(self, gpu):
        self.gpu = gpu
        self.stream = gpu.make_stream()
        self.launch = gpu.launcher(self.stream)

    def enforce_connectivity(self, labels, min_size, max_size):
        labels = np.ascontiguousarray(labels, np.int32)
        with Memory(self.gpu, self.stream) as memory:
            source, out = memory.uploaded(labels), memory.device(labels.nbytes)
            scratch = memory.uploaded(np.full(len(labels) * kernels.scratch_size(*labels.shape[1:]), 0x55555555, np.int32))
            kernels.enforce_connectivity(self.launch, source, out, labels.shape, scratch, min_size, max_size)
            return self._fetched(memory, out, labels.shape, np.int32)

    def resize(self, images, size, dtype="uint8", mean=(0, 0, 0)):
        with Memory(self.gpu, self.stream) as memory:
            tables = kernels.ResizeTables(*map(memory.uploaded, kernels.resize_tables(*images.shape[1:3], *size)))
            shape = (len(images), *size, 3) if dtype == "uint8" else (len(images), 3, *size)
            out = memory.device(int(np.prod(shape)) * np.dtype(dtype).itemsize)
            values = memory.uploaded(kernels.value_table(mean, dtype)) if dtype != "uint8" else 0
            kernels.resize(self.launch, memory.uploaded(images), images.shape[:3], out, size, dtype, tables, values)
            return self._fetched(memory, out, shape, dtype)

    def assign(self, output, size, public=False):
        with Memory(self.gpu, self.stream) as memory:
            out = memory.device(4 * len(output) * size[0] * size[1])
            shape = (len(output), *output.shape[-2:])
            kernels.assign(self.launch, memory.uploaded(output), output.dtype.name, shape, out, size, public)
            return self._fetched(memory, out, (len(output), *size), np.int32)

    def _fetched(self, memory, address, shape, dtype):
        pinned = memory.pinned(shape, dtype)
        self.gpu.copy(pinned.ctypes.data, address, pinned.nbytes, self.stream)
        self.gpu.synchronize(self.stream)
        result = pinned.copy()
        memory.close()
        return result


@pytest.fixture(scope="session")
def gpu():
    try:
        return Gpu(0)
    except DeviceError as error:
        pytest.skip(f"no CUDA device: {error}")


@pytest.fixture(scope="session")
def device(gpu):
    return DeviceKernels(gpu)


class Tally:
    """Label maps that were compared, pixels that differ, and where the first of them was."""

    def __init__(self):
        self.maps = self.different_pixels = 0
        self.first = None

    def compare(self, found, expected, case):
        """(N, H, W) each."""
        different = int(np.count_nonzero(found != expected))
        if different and self.first is None:
            self.first = case
        self.maps += len(expected)
        self.different_pixels += different


@pytest.fixture
def tally(record_property):
    """A tally that also goes into pytest's JUnit report."""
    counted = Tally()
    yield counted
    record_property("maps", counted.maps)
    record_property("different_pixels", counted.different_pixels)
