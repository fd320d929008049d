"""One NVIDIA GPU through cuda-bindings: memory, copies, a stream, kernels, captured graphs.

It works in the device's primary context, which PyTorch, CuPy, Numba and ONNX Runtime use too, so memory can be shared.
"""

import ctypes
import importlib
import re
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ainet.errors import DeviceError, UsageError
from ainet.runtime.cuda.binary import kernel_binary
from ainet.runtime.cuda.captures import CAPTURES
from ainet.runtime.cuda.kernels import TEAMS, Launch
from ainet.runtime.cuda.network import Enqueue, Graph

BLOCK = 256  # threads
WARP = 32
# How PyTorch, ONNX Runtime, TensorRT and CUDA's libraries say so; an "illegal memory access" is a fault of a kernel.
OUT_OF_MEMORY = re.compile(r"out ?of ?memory|failed to allocate|not be allocated|alloc(ation)?_failed|MemoryAllocation", re.IGNORECASE)


class OutOfMemoryError(DeviceError):
    """The GPU has not as much free memory as was asked for."""


def engine_error(reason: str) -> type[DeviceError]:
    """The kind of an engine's error, by its words: that of too little memory lets the pipeline try fewer images."""
    return OutOfMemoryError if OUT_OF_MEMORY.search(reason) else DeviceError


class Gpu:
    """The GPU `index`. Every thread that uses it calls `activate` first; a stream serves one thread.

    Addresses and streams are plain integers.

    Raises:
        DeviceError: it is not there, or cuda-bindings or the driver is missing; later, whenever it fails.
    """

    def __init__(self, index: int = 0) -> None:
        try:
            self._runtime: Any = importlib.import_module("cuda.bindings.runtime")
            self._driver: Any = importlib.import_module("cuda.bindings.driver")
        except ImportError as error:
            raise DeviceError(f"using the GPU needs the package cuda-bindings ({error}): pip install cuda-bindings") from error
        self.index = index
        self.activate()
        attributes = self._runtime.cudaDeviceAttr
        numbers = (attributes.cudaDevAttrComputeCapabilityMajor, attributes.cudaDevAttrComputeCapabilityMinor)
        self.capability = "sm" + "".join(str(self._call("cudaDeviceGetAttribute", number, index)) for number in numbers)
        self._library = self._load(kernel_binary(self.capability))
        self._kernels: dict[str, Any] = {}

    def activate(self) -> None:
        """Make this the calling thread's device, and its primary context the current one."""
        self._call("cudaSetDevice", self.index)

    def allocate(self, size: int) -> int:
        """Address of new device memory of `size` bytes.

        Raises:
            OutOfMemoryError: there is not enough; says how much was wanted.
        """
        try:
            return int(self._call("cudaMalloc", size))
        except OutOfMemoryError as error:
            raise OutOfMemoryError(f"{error} (another {size / 2**20:.0f} MB were needed)") from error

    def free(self, address: int) -> None:
        """Free device memory, now or after a capture that is going on in any thread."""
        CAPTURES.free(lambda: self._call("cudaFree", address))

    def allocate_pinned(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """An array in host memory that the GPU copies from and to by itself; until `free_pinned`."""
        count = int(np.prod(shape))
        size = count * np.dtype(dtype).itemsize
        address = int(self._call("cudaHostAlloc", size, self._runtime.cudaHostAllocDefault))
        return np.frombuffer(memoryview((ctypes.c_uint8 * size).from_address(address)), dtype, count).reshape(shape)

    def free_pinned(self, array: NDArray[Any]) -> None:
        address = array.ctypes.data
        CAPTURES.free(lambda: self._call("cudaFreeHost", address))

    def make_stream(self) -> int:
        return int(self._call("cudaStreamCreateWithFlags", self._runtime.cudaStreamNonBlocking))

    def free_stream(self, stream: int) -> None:
        self._call("cudaStreamDestroy", stream)

    def copy(self, target: int, source: int, size: int, stream: int) -> None:
        """Copy `size` bytes between device and host memory, in the stream; ordinary host memory must stay until it is done."""
        self._call("cudaMemcpyAsync", target, source, size, self._runtime.cudaMemcpyKind.cudaMemcpyDefault, stream)

    def synchronize(self, stream: int) -> None:
        """Wait until all work in the stream is done."""
        self._call("cudaStreamSynchronize", stream)

    def wait_for(self, stream: int, other: int) -> None:
        """Let the work that `stream` is given from now on wait for what `other` has been given."""
        event = self._call("cudaEventCreateWithFlags", self._runtime.cudaEventDisableTiming)
        self._call("cudaEventRecord", event, other)
        self._call("cudaStreamWaitEvent", stream, event, 0)
        self._call("cudaEventDestroy", event)

    def check_address(self, address: int) -> None:
        """Raise unless this GPU's primary context owns the memory at `address`; a kernel that reads other memory ends the context.

        Raises:
            UsageError: it is on another GPU, in another context, or no GPU memory.
        """
        attributes = self._driver.CUpointer_attribute
        status, index = self._driver.cuPointerGetAttribute(attributes.CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL, address)
        if int(status):
            raise UsageError("the images are not in memory that a GPU knows, or that is freed already; pass an array that is alive")
        if index != self.index:
            raise UsageError(f"images are on GPU {index}, the model on GPU {self.index}; move one of them")
        status, owner = self._driver.cuPointerGetAttribute(attributes.CU_POINTER_ATTRIBUTE_CONTEXT, address)
        if int(status) or not int(owner):  # memory of pools belongs to the device
            return
        if int(owner) != int(self._check("cuCtxGetCurrent", *self._driver.cuCtxGetCurrent())):
            raise UsageError(
                "the images are in a CUDA context of their own; make them in the device's primary context, with pycuda by "
                "pycuda.autoprimaryctx in place of pycuda.autoinit"
            )

    def launcher(self, stream: int) -> Launch:
        def launch(kernel: str, arguments: ctypes.Structure, count: int, images: int) -> None:
            number = ctypes.c_int32(count)
            pointers = (ctypes.c_void_p * 2)(ctypes.addressof(arguments), ctypes.addressof(number))
            blocks, threads = (count, WARP) if kernel in TEAMS else (-(-count // BLOCK), BLOCK)
            function = self._kernel(kernel)
            self._check("cuLaunchKernel", *self._driver.cuLaunchKernel(
                function, blocks, images, 1, threads, 1, 1, 0, stream, ctypes.addressof(pointers), 0
            ))  # fmt: skip

        return launch

    def capture(self, stream: int, enqueue: Enqueue) -> Graph:
        """Capture what `enqueue` puts into the stream as one graph."""
        with CAPTURES.turn():
            self._call("cudaStreamBeginCapture", stream, self._runtime.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal)
            try:
                enqueue()
            except BaseException:
                self._runtime.cudaStreamEndCapture(stream)  # it fails too, and ends the capture
                raise
            graph = self._call("cudaStreamEndCapture", stream)
        executable = self._call("cudaGraphInstantiate", graph, 0)
        self._call("cudaGraphDestroy", graph)
        return lambda: self._call("cudaGraphLaunch", executable, stream), lambda: self._call("cudaGraphExecDestroy", executable)

    def _load(self, code: bytes) -> Any:
        return self._check("cuLibraryLoadData", *self._driver.cuLibraryLoadData(code, [], [], 0, [], [], 0))

    def _kernel(self, name: str) -> Any:
        if name not in self._kernels:
            kernel = self._check("cuLibraryGetKernel", *self._driver.cuLibraryGetKernel(self._library, f"ainet_{name}".encode()))
            self._kernels[name] = self._check("cuKernelGetFunction", *self._driver.cuKernelGetFunction(kernel))
        return self._kernels[name]

    def _call(self, function: str, *arguments: Any) -> Any:
        return self._check(function, *getattr(self._runtime, function)(*arguments))

    def _check(self, function: str, status: Any, result: Any = None) -> Any:
        """The result of a function of CUDA, unless its status is an error."""
        if int(status) == 0:
            return result
        if status.name in ("cudaErrorMemoryAllocation", "CUDA_ERROR_OUT_OF_MEMORY"):
            raise OutOfMemoryError(f"GPU {self.index} is out of memory; try smaller images or batches, or free memory of other programs")
        raise DeviceError(f"GPU {self.index} cannot be used ({function}: {status.name}); check it with: nvidia-smi")
