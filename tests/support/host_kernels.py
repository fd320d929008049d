"""The kernels for a GPU, run on the host over numpy arrays."""

import ctypes
import itertools

import numpy as np

from ainet.runtime import _native
from ainet.runtime.cuda import kernels
from ainet.runtime.cuda.driver import OutOfMemoryError


def launcher(threads):
    """Runs kernels on that many threads; 1 goes through the pixels in order."""
    return lambda kernel, arguments, count, images: _native.run_kernel(kernel, bytes(arguments), count, images, threads)


def enforce_connectivity(labels, min_size, max_size, threads=1):
    """Labels (N, H, W)."""
    labels = np.ascontiguousarray(labels, np.int32)
    out, guard = np.full_like(labels, -7), 64
    wanted = len(labels) * kernels.scratch_size(*labels.shape[1:])
    scratch = np.full(wanted + guard, 0x55555555, np.int32)
    kernels.enforce_connectivity(
        launcher(threads), labels.ctypes.data, out.ctypes.data, labels.shape, scratch.ctypes.data, min_size, max_size
    )
    assert (scratch[wanted:] == 0x55555555).all()
    return out


def resize(images, size, dtype="uint8", mean=(0, 0, 0), threads=1):
    """RGB uint8 (N, H, W, 3) -> (N, h, w, 3), or planes."""
    images = np.ascontiguousarray(images)
    out = np.empty((len(images), *size, 3) if dtype == "uint8" else (len(images), 3, *size), dtype)
    tables = kernels.resize_tables(*images.shape[1:3], *size)
    values = kernels.value_table(mean, dtype) if dtype != "uint8" else np.empty(0)
    addresses = kernels.ResizeTables(*(table.ctypes.data for table in tables))
    kernels.resize(launcher(threads), images.ctypes.data, images.shape[:3], out.ctypes.data, size, dtype, addresses, values.ctypes.data)
    return out


def assign(output, size, public=False, threads=1):
    """Scores (N, 9, h, w) or cell ids (N, h, w) -> cell ids (N, *size)."""
    output = np.ascontiguousarray(output)
    shape = (len(output), *output.shape[-2:])
    out = np.full((len(output), *size), -7, np.int32)
    kernels.assign(launcher(threads), output.ctypes.data, output.dtype.name, shape, out.ctypes.data, size, public)
    return out


class HostGpu:
    """A stand-in for `driver.Gpu` whose memory is the host's and whose kernels run there. A captured graph is a list of functions.

    capacity: bytes of "device" memory; `reserved` tells how many others hold.
    `graphs`: the names of what each captured graph holds; `memory`: what is allocated.
    """

    index, capability = 0, "sm90"

    def __init__(self, capacity=2**40):
        self.capacity = capacity
        self.memory, self.graphs, self.waits, self.streams = {}, [], [], set()
        self._capturing = {}  # by stream: what is captured
        self._names = itertools.count(1)

    def reserved(self):
        return 0

    def activate(self):
        pass

    def allocate(self, size):
        if sum(array.nbytes for array in list(self.memory.values())) + size + self.reserved() > self.capacity:
            raise OutOfMemoryError("GPU 0 is out of memory")
        array = np.full(size, 0x77, np.uint8)
        self.memory[array.ctypes.data] = array
        return array.ctypes.data

    def free(self, address):
        del self.memory[address]

    def allocate_pinned(self, shape, dtype):
        array = np.empty(shape, dtype)
        self.memory[array.ctypes.data] = array
        return array

    def free_pinned(self, array):
        del self.memory[array.ctypes.data]

    def make_stream(self):
        stream = next(self._names)
        self.streams.add(stream)
        return stream

    def free_stream(self, stream):
        self.streams.remove(stream)

    def copy(self, target, source, size, stream):
        self.enqueue(stream, "copy", lambda: ctypes.memmove(target, source, size))

    def synchronize(self, stream):
        assert stream not in self._capturing

    def check_address(self, address):
        assert address

    def wait_for(self, stream, other):
        self.waits.append((stream, other))

    def launcher(self, stream):
        def launch(kernel, arguments, count, images):
            content = bytes(arguments)
            self.enqueue(stream, kernel, lambda: _native.run_kernel(kernel, content, count, images, 1))

        return launch

    def capture(self, stream, enqueue):
        steps = self._capturing[stream] = []
        enqueue()
        del self._capturing[stream]
        self.graphs.append([name for name, _ in steps])
        return lambda: [step() for _, step in steps], lambda: None

    def enqueue(self, stream, name, step):
        if stream in self._capturing:
            self._capturing[stream].append((name, step))
        else:
            step()


def view(address, shape, dtype):
    """An array over memory at an address."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    return np.frombuffer((ctypes.c_uint8 * size).from_address(address), dtype).reshape(shape)
