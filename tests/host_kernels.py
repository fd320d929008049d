"""The kernels for a GPU, run on the host over numpy arrays."""

import numpy as np

from ainet.runtime import _native
from ainet.runtime.cuda import kernels


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
    values = kernels.value_table(mean, np.dtype(dtype).type) if dtype != "uint8" else np.empty(0)
    addresses = kernels.ResizeTables(*(table.ctypes.data for table in tables))
    kernels.resize(launcher(threads), images.ctypes.data, images.shape[:3], out.ctypes.data, size, dtype, addresses, values.ctypes.data)
    return out


def assign(output, size, sum_ties=False, threads=1):
    """Scores (N, 9, h, w) or cell ids (N, h, w) -> cell ids (N, *size)."""
    output = np.ascontiguousarray(output)
    shape = (len(output), *output.shape[-2:])
    out = np.full((len(output), *size), -7, np.int32)
    kernels.assign(launcher(threads), output.ctypes.data, output.dtype.name, shape, out.ctypes.data, size, sum_ties)
    return out
