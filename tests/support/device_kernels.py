"""The kernels over numpy arrays: uploaded, run on a GPU, downloaded."""

from contextlib import ExitStack

import numpy as np

from ainet.runtime.cuda import kernels
from ainet.runtime.resampling import resize_tables


class DeviceKernels:
    def __init__(self, gpu):
        self._gpu = gpu
        self._stream = gpu.make_stream()
        self._launch = gpu.launcher(self._stream)

    def enforce_connectivity(self, labels, min_size, max_size):
        """Labels (N, H, W)."""
        labels = np.ascontiguousarray(labels, np.int32)
        with ExitStack() as stack:
            source, out = self._uploaded(stack, labels), self._device(stack, labels.nbytes)
            scratch = self._device(stack, 4 * len(labels) * kernels.scratch_size(*labels.shape[1:]))
            kernels.enforce_connectivity(self._launch, source, out, labels.shape, scratch, min_size, max_size)
            return self._downloaded(out, labels.shape, np.int32)

    def resize(self, images, size, dtype="uint8", mean=(0, 0, 0), averages=False):
        """RGB uint8 (N, H, W, 3) -> (N, h, w, 3), or planes."""
        with ExitStack() as stack:
            tables = resize_tables(*images.shape[1:3], *size, averages)
            addresses = kernels.ResizeTables.of(tables, lambda table: self._uploaded(stack, table))
            shape = (len(images), *size, 3) if dtype == "uint8" else (len(images), 3, *size)
            out = self._device(stack, int(np.prod(shape)) * np.dtype(dtype).itemsize)
            values = self._uploaded(stack, kernels.value_table(mean, dtype)) if dtype != "uint8" else 0
            kernels.resize(self._launch, self._uploaded(stack, images), images.shape[:3], out, size, dtype, addresses, values)
            return self._downloaded(out, shape, dtype)

    def assign(self, output, size, public=False, **smoothing):
        """Scores (N, 9, h, w) or cell ids (N, h, w) -> cell ids (N, *size)."""
        with ExitStack() as stack:
            out = self._device(stack, 4 * len(output) * size[0] * size[1])
            shape = (len(output), *output.shape[-2:])
            kernels.assign(self._launch, self._uploaded(stack, output), output.dtype.name, shape, out, size, public, **smoothing)
            return self._downloaded(out, (len(output), *size), np.int32)

    def _device(self, stack, size):
        return int(stack.enter_context(self._gpu.allocate(size)).handle)

    def _uploaded(self, stack, array):
        array = np.ascontiguousarray(array)
        address = self._device(stack, array.nbytes)
        self._gpu.copy(address, array.ctypes.data, array.nbytes, self._stream)
        self._gpu.synchronize(self._stream)
        return address

    def _downloaded(self, address, shape, dtype):
        result = np.empty(shape, dtype)
        self._gpu.copy(result.ctypes.data, address, result.nbytes, self._stream)
        self._gpu.synchronize(self._stream)
        return result
