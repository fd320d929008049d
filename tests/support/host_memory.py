"""Work of the host in a stream, over memory of the emulated GPU, which the host can read and write."""

import ctypes

import numpy as np

_CALLBACK = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_alive = []  # graphs may call them at any time


def view(address, shape, dtype):
    """An array over memory at an address."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    return np.frombuffer((ctypes.c_uint8 * size).from_address(address), dtype).reshape(shape)


def enqueue_host_function(stream, function):
    """Let the stream call the function when the work before it is done. For tests with one thread, as it needs Python's lock."""
    from cuda.bindings import driver

    callback = _CALLBACK(lambda _: function())
    _alive.append(callback)
    (status,) = driver.cuLaunchHostFunc(stream, driver.CUhostFn(ctypes.cast(callback, ctypes.c_void_p).value), 0)
    return int(status) == 0
