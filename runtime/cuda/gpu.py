"""One NVIDIA GPU, on cuda-core: streams, memory, kernels, graphs.

It works in the device's primary context, which PyTorch, CuPy, Numba and ONNX Runtime use too, so memory can be shared.

cuda-core (1.2) refuses structures as arguments of kernels (NVIDIA/cuda-python, issue 2343), and ours take one by value: so kernels
are launched by `cuLaunchKernel` of cuda-bindings. cuda-core also lacks a few other calls, which go the same way: freeing memory at
once, events as nodes of a graph, and the owner of an address.
"""

import ctypes
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any

import numpy as np
from cuda.bindings import driver
from cuda.core import Buffer, Device, Event, EventOptions, Kernel, MemoryResource, ObjectCode, Stream
from numpy.typing import DTypeLike, NDArray

from ainet.errors import UsageError
from ainet.runtime.cuda.binary import kernel_binary
from ainet.runtime.cuda.captures import CAPTURES
from ainet.runtime.cuda.errors import OutOfMemoryError, cuda_error, translated
from ainet.runtime.cuda.kernels import TEAMS, Launch
from ainet.runtime.cuda.network import Graph

BLOCK = 256  # threads
WARP = 32


class Gpu:
    """The GPU `index`. Every thread that uses it calls `activate` first; a stream serves one thread.

    Use `devices.open_gpu`, which checks that there is such a GPU.

    Raises:
        DeviceError: whenever it fails.
    """

    def __init__(self, index: int = 0) -> None:
        self.index = index
        self._device = Device(index)
        self.activate()
        self.capability = f"sm{self._device.arch}"
        code = kernel_binary(self.capability)
        load = ObjectCode.from_cubin if code[:4] == b"\x7fELF" else ObjectCode.from_fatbin
        self._kernel: Callable[[str], Kernel] = cache(load(code).get_kernel)
        self._memory, self._pinned_memory = _Memory(self, pinned=False), _Memory(self, pinned=True)

    def activate(self) -> None:
        """Make this the calling thread's device, and its primary context the current one."""
        with translated(self.index):
            self._device.set_current()

    def make_stream(self) -> Stream:
        with translated(self.index):
            return self._device.create_stream()

    def allocate(self, size: int) -> Buffer:
        """Device memory of `size` bytes, until the buffer is closed or collected; it is freed then, or after a capture that is going on.

        Raises:
            OutOfMemoryError: there is not enough; says how much was wanted.
        """
        return self._memory.allocate(size)

    def allocate_pinned(self, shape: tuple[int, ...], dtype: DTypeLike) -> tuple[Buffer, NDArray[Any]]:
        """Host memory that the GPU copies from and to by itself, and an array over it, which must not outlive the buffer."""
        count = int(np.prod(shape))
        buffer = self._pinned_memory.allocate(count * np.dtype(dtype).itemsize)
        memory = (ctypes.c_uint8 * buffer.size).from_address(buffer.handle)
        return buffer, np.frombuffer(memory, dtype, count).reshape(shape)

    def copy(self, target: int, source: int, size: int, stream: Stream) -> None:
        """Copy `size` bytes between device and host memory, in the stream; both must stay until it is done."""
        self.check(*driver.cuMemcpyAsync(target, source, size, stream.handle))

    def synchronize(self, stream: Stream) -> None:
        """Wait until all work in the stream is done."""
        with translated(self.index):
            stream.sync()

    def launcher(self, stream: Stream) -> Launch:
        """A function that puts kernels into the stream; it raises `DeviceError` where one cannot be launched."""

        def launch(kernel: str, arguments: ctypes.Structure, count: int, images: int) -> None:
            number = ctypes.c_int32(count)
            pointers = (ctypes.c_void_p * 2)(ctypes.addressof(arguments), ctypes.addressof(number))
            blocks, threads = (count, WARP) if kernel in TEAMS else (-(-count // BLOCK), BLOCK)
            function = driver.CUfunction(int(self._kernel(f"ainet_{kernel}").handle))  # the driver takes a kernel for a function
            grid_and_block = (blocks, images, 1, threads, 1, 1)
            self.check(*driver.cuLaunchKernel(function, *grid_and_block, 0, stream.handle, ctypes.addressof(pointers), 0))

        return launch

    def capture(self, stream: Stream, enqueue: Callable[[], None]) -> Graph:
        """Capture what `enqueue` puts into the stream as one graph."""
        with translated(self.index), CAPTURES.one_at_a_time():
            builder = stream.create_graph_builder().begin_building(mode="thread_local")
            try:
                enqueue()
                builder.end_building()
            except BaseException:
                with suppress(Exception):  # it fails too where the capture is broken already, and ends it
                    builder.close()
                raise
            graph = builder.complete()
            builder.close()

        def replay() -> None:
            with translated(self.index):
                graph.launch(stream)

        return Graph(replay, graph.close)

    def make_event(self) -> Event:
        """An event that holds the time at which it was recorded last."""
        with translated(self.index):
            return self._device.create_event(EventOptions(timing_enabled=True))

    def record(self, event: Event, stream: Stream, in_capture: bool) -> None:
        """Record the event in the stream; in a capture it becomes a node of the graph, which every launch records anew."""
        external = driver.CUevent_record_flags.CU_EVENT_RECORD_EXTERNAL
        self.check(*driver.cuEventRecordWithFlags(event.handle, stream.handle, int(external) if in_capture else 0))

    def check_address(self, address: int) -> None:
        """Raise unless this GPU's primary context owns the memory at `address`; a kernel that reads other memory ends the context.

        Raises:
            UsageError: it is on another GPU, in another context, or no GPU memory.
        """
        attributes = driver.CUpointer_attribute
        status, index = driver.cuPointerGetAttribute(attributes.CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL, address)
        if int(status):
            raise UsageError("the images are not in memory that a GPU knows, or that is freed already; pass an array that is alive")
        if index != self.index:
            raise UsageError(f"images are on GPU {index}, the model on GPU {self.index}; move one of them")
        status, owner = driver.cuPointerGetAttribute(attributes.CU_POINTER_ATTRIBUTE_CONTEXT, address)
        of_a_pool = int(status) or not int(owner)  # memory of a pool belongs to the device
        if not of_a_pool and int(owner) != int(self.context):
            raise UsageError(
                "the images are in a CUDA context of their own; make them in the device's primary context, with pycuda by "
                "pycuda.autoprimaryctx in place of pycuda.autoinit"
            )

    @property
    def context(self) -> Any:
        """The handle of the primary context."""
        return self._device.context.handle

    def check(self, status: Any, result: Any = None) -> Any:
        """The result of a call of cuda-bindings, unless its status is an error."""
        if int(status):
            raise cuda_error(self.index, status.name)
        return result


class _Memory(MemoryResource):
    """Device or pinned host memory. Freeing it waits for all work on the GPU: other libraries may still read labels that were dropped."""

    def __init__(self, gpu: Gpu, pinned: bool) -> None:
        self._gpu, self._pinned = gpu, pinned

    def allocate(self, size: int, *, stream: Any = None) -> Buffer:
        allocate = driver.cuMemAllocHost if self._pinned else driver.cuMemAlloc
        try:
            address = int(self._gpu.check(*allocate(size)))
        except OutOfMemoryError as error:
            raise OutOfMemoryError(f"{error} (another {size / 2**20:.0f} MB were needed)") from error
        return Buffer.from_handle(address, size, mr=self)

    def deallocate(self, ptr: Any, size: int, *, stream: Any = None) -> None:
        CAPTURES.free(lambda: self._free(int(ptr)))

    def _free(self, address: int) -> None:
        # No status is looked at: a GPU that is lost has nothing left to free, and whoever uses it next is told.
        driver.cuCtxPushCurrent(self._gpu.context)  # the thread that drops a result may have another, or none
        (driver.cuMemFreeHost if self._pinned else driver.cuMemFree)(address)
        driver.cuCtxPopCurrent()

    @property
    def is_device_accessible(self) -> bool:
        return True

    @property
    def is_host_accessible(self) -> bool:
        return self._pinned

    @property
    def device_id(self) -> int:
        return self._gpu.index
